"""Which columns of numbers are watched: variables, not counters, labels or what belongs to an asset."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from anomscan.errors import InputError
from anomscan.guessing import words
from anomscan.guessing.layout import refuse_parts, values_or_assets
from anomscan.guessing.said import Said
from anomscan.guessing.sample import Column
from anomscan.guessing.unsure import UnsureError

#: A variable more is hardly one that somebody means to watch without saying so.
MOST_VALUES = 40


def variables_of(
    rest: Mapping[str, Column],
    numbers: list[str],
    asset: str | None,
    codes: NDArray[np.int32],
    said: Said,
    left_out: dict[str, str],
) -> tuple[list[str], str, str]:
    """The columns of values, the layout, and why.

    Parameters
    ----------
    rest, numbers
        Columns by name, and those of them that hold numbers.
    asset, codes
        The column of the assets, and the asset of each row.
    left_out
        Grows by the columns that are not variables, and why.

    Raises
    ------
    InputError
        If there is none of a name.
    UnsureError
        Where it is not clear what to watch.
    """
    if said.values:
        if missing := [name for name in said.values if name not in rest]:
            raise InputError(f"there is no column '{missing[0]}'", hint=f"there are: {', '.join(rest)}")
        left_out |= {name: "not asked for" for name in numbers if name not in said.values}
        return list(said.values), said.layout or "long", "as asked for"
    if asset is None:
        layout, values, why = values_or_assets(rest, numbers, said, left_out)
        if layout == "wide":
            rising = [name for name in values if _only_rises(rest[name], codes)]
            if 2 * len(rising) > len(values) and said.layout is None:
                raise UnsureError(
                    f"'{rising[0]}' and {len(rising) - 1} others only rise, as counters do: changes would say more",
                    "--layout",
                    ["wide"],
                )
            return values, layout, why
        numbers = values
    else:
        refuse_parts(numbers, said)
        why = f"column '{asset}' names the assets"
    kept = []
    for name in numbers:
        reason = _no_variable(rest[name], codes)
        if reason:
            left_out[name] = reason
        else:
            kept.append(name)
    counters = [name for name in kept if _only_rises(rest[name], codes)]
    if counters and len(counters) < len(kept):
        left_out |= dict.fromkeys(counters, "a counter, which only rises")
        kept = [name for name in kept if name not in counters]
    elif counters:
        raise UnsureError(
            f"'{counters[0]}' only rises, as a counter does: its changes would say more", "--values", counters
        )
    if not kept:
        raise UnsureError("no column of numbers looks like something to watch", "--values", numbers)
    if len(kept) > MOST_VALUES:
        raise UnsureError(f"there are {len(kept)} columns of numbers", "--values", kept)
    return kept, "long", why


def _no_variable(column: Column, codes: NDArray[np.int32]) -> str:
    """Why a column of numbers is not a variable; empty if it may be one."""
    numbers = column.numbers
    if numbers is None:
        return "text"
    known = np.isfinite(numbers)
    if len(np.unique(numbers[known])) < 2:
        return "always the same"
    if words.names_place(column.name):
        order = np.argsort(codes[known], kind="stable")
        changes = (np.diff(numbers[known][order]) != 0) & (np.diff(codes[known][order]) == 0)
        return (
            "belongs to the asset, or to the date"
            if not changes.any() or words.tokens(column.name)[0] in ("year", "month", "day", "hour", "weekday")
            else ""
        )
    order = np.argsort(codes[known], kind="stable")
    same = np.diff(codes[known][order]) == 0
    changes = np.diff(numbers[known][order]) != 0
    return "" if (changes & same).any() else "always the same for an asset"


def _only_rises(column: Column, codes: NDArray[np.int32]) -> bool:
    numbers = column.numbers
    if numbers is None:
        return False
    known = np.isfinite(numbers)
    order = np.argsort(codes[known], kind="stable")
    steps = np.diff(numbers[known][order])[np.diff(codes[known][order]) == 0]
    return len(steps) > 20 and bool((steps >= 0).mean() > 0.995) and bool((steps > 0).mean() > 0.2)
