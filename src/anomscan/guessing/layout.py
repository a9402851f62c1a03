"""Whether columns of numbers are variables of one asset or assets of one variable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from anomscan.guessing import words
from anomscan.guessing.said import Said
from anomscan.guessing.sample import Column
from anomscan.guessing.unsure import UnsureError

#: Assets of one variable differ in size by no more, as a rule.
_ALIKE = 100.0
#: So many columns that are called as assets are set the others apart.
_FEWEST = 4


def values_or_assets(
    columns: Mapping[str, Column], numbers: list[str], said: Said, left_out: dict[str, str]
) -> tuple[str, list[str], str]:
    """The layout, ``wide`` or ``long``, its columns of numbers, and what spoke for it.

    Parameters
    ----------
    columns
        By name.
    numbers
        Those that hold numbers.
    left_out
        Grows by those that are neither.

    Raises
    ------
    UnsureError
        Where the columns may be the one or the other.
    """
    if said.layout == "long" or len(numbers) == 1:
        return "long", numbers, "one asset"
    refuse_parts(numbers, said)
    totals = [name for name in numbers if words.names_total(name) and not words.names_quantity(_without_total(name))]
    own = [name for name in numbers if name not in totals]
    assets = words.look_like_assets(own)
    quantities = sum(words.names_quantity(name) for name in own)
    group = own if assets else _largest_group(own)
    others = [name for name in own if name not in group]
    if said.layout == "wide" or (assets and _are_alike(columns, own)):
        left_out |= dict.fromkeys(totals, "sums up others")
        left_out |= dict.fromkeys(others, "not called as the others are")
        return "wide", group, "columns are called as assets are"
    repeated = Counter(words.stem(name) for name in numbers)
    many = any(count >= 2 and words.names_asset(name) for name, count in repeated.items())
    if 2 * quantities > len(own) and not assets and not many:
        return "long", numbers, "columns are called as variables are"
    shown = ", ".join(numbers[:4]) + (", ..." if len(numbers) > 4 else "")
    apart = f"; {', '.join(others[:4])} would be left out of those" if others else ""
    raise UnsureError(
        f"columns {shown} are variables of one asset (long), or assets of one variable (wide){apart}",
        "--layout",
        ["long", "wide"],
    )


def refuse_parts(names: Sequence[str], said: Said) -> None:
    """Ask where columns are called as the hours of a day are.

    Raises
    ------
    UnsureError
        If they are, and the user has not said what they are.
    """
    if said.layout is None and not said.values and words.look_like_parts(names):
        raise UnsureError(
            f"columns {names[0]} to {names[-1]} look like parts of a day, a month or a year: turn them into rows, each "
            "with its own time; or are they variables of one asset (long), or assets of one variable (wide)?",
            "--layout",
            ["long", "wide"],
        )


def _largest_group(names: list[str]) -> list[str]:
    """Those of most columns that are called as assets are, if they are four or more; else all."""
    stems = Counter(words.stem(name) for name in names)
    usual, count = stems.most_common(1)[0] if stems else ("", 0)
    group = [name for name in names if words.stem(name) == usual]
    return group if count >= _FEWEST and 2 * count > len(names) and words.look_like_assets(group) else names


def _without_total(name: str) -> str:
    return " ".join(word for word in words.tokens(name) if not words.names_total(word))


def _are_alike(columns: Mapping[str, Column], names: list[str]) -> bool:
    """Whether columns are of one size, and so may be of one variable."""
    sizes = [float(np.nanmedian(np.abs(numbers))) for name in names if (numbers := columns[name].numbers) is not None]
    sizes = [size for size in sizes if size > 0]
    if not sizes:
        return True
    middle = float(np.median(sizes))
    return sum(middle / _ALIKE <= size <= middle * _ALIKE for size in sizes) >= 0.9 * len(sizes)
