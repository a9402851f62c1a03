"""Which column holds what, and how the table is laid out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomscan.errors import InputError
from anomscan.guessing import words
from anomscan.guessing.headers import is_unit
from anomscan.guessing.said import Said
from anomscan.guessing.sample import Column, Sample
from anomscan.guessing.times import Stamps, is_clock, stamps_of
from anomscan.guessing.unsure import UnsureError
from anomscan.guessing.variables import variables_of

#: So few rows may contradict: of one asset at one time.
_RARE = 0.002
#: More whole numbers are hardly codes.
_CODES = 12


@dataclass(frozen=True)
class Roles:
    """What the columns hold.

    Parameters
    ----------
    layout
        ``long``, ``wide`` or ``tags``.
    asset
        None where the table has one asset, or a column for each.
    values
        The variables; of a wide table the columns of its assets.
    left_out
        Columns that are not read, and why.
    why
        What spoke for the layout.
    codes
        (n,) the asset of each row, all 0 where no column says it.
    """

    layout: str
    timestamp: str
    stamps: Stamps
    asset: str | None
    values: tuple[str, ...]
    codes: NDArray[np.int32]
    why: str
    health: str | None = None
    cohort: str | None = None
    tag: str | None = None
    value: str | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)


def roles_of(sample: Sample, said: Said) -> Roles:
    """The roles of a table's columns.

    Raises
    ------
    InputError
        It has no times, or no numbers.
    UnsureError
        What the rows do not tell.
    """
    columns = {name: column for name, column in sample.columns.items() if column.filled}
    timestamp, stamps, others = _timestamp(columns, said)
    left_out = {name: "no values" for name in sample.columns if name not in columns}
    left_out |= dict.fromkeys(others, "other times")
    rest = {name: column for name, column in columns.items() if name != timestamp and name not in others}
    numbers, texts = _kinds(rest, said, left_out)
    if not numbers:
        for name in texts:
            refuse_other_signs(columns[name])
        raise UnsureError(_no_numbers(rest, texts), "--values", texts)
    if said.layout == "tags" or (said.layout is None and said.asset is None and not said.values):
        tags = _tags(columns, timestamp, stamps, numbers, texts, said, left_out)
        if tags is not None:
            return tags
    asset, codes = _asset(rest, stamps, numbers, texts, said, sample)
    numbers = [name for name in numbers if name != asset]
    texts = [name for name in texts if name != asset]
    values, layout, why = variables_of(rest, numbers, asset, codes, said, left_out)
    health = said.health or next((name for name in texts if words.names_health(name)), None)
    cohort = said.cohort or (None if asset is None else _cohort(rest, texts, codes, health))
    left_out |= {name: "text" for name in texts if name not in (health, cohort)}
    return Roles(layout, timestamp, stamps, asset, tuple(values), codes, why, health, cohort, left_out=left_out)


def _timestamp(columns: Mapping[str, Column], said: Said) -> tuple[str, Stamps, list[str]]:
    """The column of timestamps, what they are, and other columns of times."""
    if said.timestamp is not None:
        if said.timestamp not in columns:
            raise InputError(f"there is no column '{said.timestamp}'", hint=f"there are: {', '.join(columns)}")
        stamps = stamps_of(columns[said.timestamp], said.timestamp_format)
        if stamps is None:
            raise UnsureError(f"column '{said.timestamp}' does not hold times", "--timestamp-format")
        return said.timestamp, stamps, []
    found = {}
    for name, column in columns.items():
        stamps = stamps_of(column, said.timestamp_format if words.names_time(name) else None)
        if stamps is not None:
            found[name] = stamps
    if not found:
        numbered = [name for name in columns if words.names_time(name)]
        parts = [name for name in columns if words.tokens(name) and words.tokens(name)[-1] in ("year", "month", "day")]
        if len(parts) > 1:
            raise InputError(
                f"the date stands in {len(parts)} columns, {', '.join(parts)}", hint="join them into one, as 2024-01-31"
            )
        if numbered:
            raise UnsureError(
                f"column '{numbered[0]}' is called after time, and its text is not understood",
                "--timestamp-format",
                ["%d.%m.%Y %H:%M", "unix"],
            )
        raise UnsureError("no column holds times", "--timestamp-column", list(columns))
    clocks = [name for name, column in columns.items() if name not in found and is_clock(column)]
    if clocks and any(stamps.dates for stamps in found.values()):
        dated = next(name for name, stamps in found.items() if stamps.dates)
        raise InputError(
            f"date and time stand in two columns, '{dated}' and '{clocks[0]}'",
            hint="join them into one, as 2024-01-31 06:00",
        )
    about = [name for name in found if not words.names_late(name)] or list(found)
    if len(about) > 1:
        about = _best(about, found)
    if len(about) > 1:
        raise UnsureError(f"columns {', '.join(map(repr, about))} hold times", "--timestamp-column", about)
    return about[0], found[about[0]], [name for name in found if name != about[0]]


def _best(names: list[str], found: Mapping[str, Stamps]) -> list[str]:
    """Of several columns of times the one that is UTC, or the one that tells the time of day, too."""
    for better in (
        [name for name in names if found[name].utc is not None or "utc" in name.lower()],
        [name for name in names if not found[name].dates],
        [name for name in names if words.names_time(name)],
    ):
        if len(better) == 1:
            return better
    return names


def _kinds(rest: Mapping[str, Column], said: Said, left_out: dict[str, str]) -> tuple[list[str], list[str]]:
    """The columns that hold numbers, and those that hold text."""
    numbers, texts = [], []
    for name, column in rest.items():
        if name == said.asset:
            texts.append(name)
        elif name in said.values:
            numbers.append(name)
        elif column.numbers is None:
            texts.append(name)
        elif words.names_label(name):
            left_out[name] = "labels"
        elif words.names_index(name) and _counts_rows(column):
            left_out[name] = "row numbers"
        elif _is_code(column):
            left_out[name] = "codes of a state"
        else:
            numbers.append(name)
    return numbers, texts


def _no_numbers(rest: Mapping[str, Column], texts: list[str]) -> str:
    """Why there is nothing to watch: the column that has most numbers among its text, if there is one."""
    shares = {name: rest[name].share_of_numbers for name in texts}
    best = max(shares, key=lambda name: shares[name], default="")
    if not best or shares[best] == 0:
        return "no column holds numbers"
    return f"no column holds numbers: of '{best}' {1 - shares[best]:.0%} of the cells are not numbers"


def refuse_other_signs(column: Column) -> None:
    """Ask where a column of text has numbers in it, with other signs.

    Raises
    ------
    UnsureError
        If it has.
    """
    texts = [text for text in column.codes[1][:200] if text]
    numbers = [text for text in texts if re.fullmatch(r"[+-]?\d[\d.,' ]*", text)]
    signed = any(re.search(r"[.,' ]", text) for text in numbers)
    if signed and len(numbers) >= 0.5 * len(texts) and column.share_of_numbers < 0.5:
        raise UnsureError(f"column '{column.name}' has numbers such as {numbers[0]}", "--decimal", [",", "."])


def _is_code(column: Column) -> bool:
    """Whether numbers are codes of a state: a few whole ones in a column that is called so."""
    numbers = column.numbers
    if numbers is None or not words.names_health(column.name) or words.names_quantity(column.name):
        return False
    known = numbers[np.isfinite(numbers)]
    return bool((known % 1 == 0).all()) and len(np.unique(known)) <= _CODES


def _counts_rows(column: Column) -> bool:
    numbers = column.numbers
    return numbers is not None and len(numbers) > 2 and bool((np.diff(numbers) == 1).mean() > 0.99)


def _together(codes: Sequence[NDArray[np.int32]], stamps: Stamps) -> float:
    """The share of rows that say something another row says, too, given what the rows are of."""
    moments = stamps.moments.astype(np.int64)
    order = np.lexsort(np.array([moments, *codes], np.int64))
    same = np.diff(moments[order]) == 0
    for each in codes:
        same &= np.diff(each[order]) == 0
    return float(same.mean()) if len(same) else 0.0


def _tags(
    columns: Mapping[str, Column],
    timestamp: str,
    stamps: Stamps,
    numbers: list[str],
    texts: list[str],
    said: Said,
    left_out: dict[str, str],
) -> Roles | None:
    """The roles of a table with a row for each value; None if it is not one."""
    named = [name for name in texts if words.names_tag(name) and 1 < columns[name].distinct <= 200]
    if said.tag is not None:
        named = [said.tag]
    elif said.layout == "tags" and not named:
        fitting = [name for name in texts if columns[name].distinct > 1]
        named = [name for name in fitting if _together([columns[name].codes[0]], stamps) <= _RARE]
    if len(named) != 1:
        return None
    (tag,) = named
    values = [name for name in numbers if name.lower() in ("value", "val", "wert", "reading", "v")] or numbers
    codes, tags = columns[tag].codes
    if len(values) != 1 or (_together([codes], stamps) > _RARE and not [name for name in texts if name != tag]):
        return None
    if all(not words.names_quantity(each) for each in tags) and said.layout is None:
        if any(words.names_asset(name) for name in texts if name != tag):
            pass
        else:
            raise UnsureError(
                f"column '{tag}' names assets or variables ({', '.join(tags[:3])})", "--layout", ["tags", "long"]
            )
    stems = Counter(map(words.stem, tags))
    if said.layout is None and len(stems) > 1 and max(stems.values()) > 1:
        raise UnsureError(
            f"column '{tag}' names variables of several assets ({', '.join(tags[:4])}): a column of assets is "
            "needed, or are they all variables of one (tags)?",
            "--layout",
            ["tags"],
        )
    if len(tags) > 1 and len(stems) == 1 and said.layout is None:
        raise UnsureError(
            f"the values of column '{tag}' ({', '.join(tags[:2])}, ...) are assets (long) or variables of one (tags)",
            "--layout",
            ["long", "tags"],
        )
    assets = [name for name in texts if name != tag and (words.names_asset(name) or name == said.asset)]
    assets = [name for name in assets if name == said.asset or not all(map(is_unit, columns[name].codes[1]))]
    fitting = [name for name in assets if _together([codes, columns[name].codes[0]], stamps) <= _RARE]
    own = np.zeros(len(codes), np.int32)
    if not fitting and _together([codes], stamps) > _RARE:
        return None
    asset = fitting[0] if fitting else None
    if asset is not None:
        own = columns[asset].codes[0]
    left_out |= {name: "not a part of it" for name in (*numbers, *texts) if name not in (tag, values[0], asset)}
    return Roles(
        "tags",
        timestamp,
        stamps,
        asset,
        tuple(tags),
        own,
        f"column '{tag}' names variables",
        tag=tag,
        value=values[0],
        left_out=left_out,
    )


def _asset(
    rest: Mapping[str, Column], stamps: Stamps, numbers: list[str], texts: list[str], said: Said, sample: Sample
) -> tuple[str | None, NDArray[np.int32]]:
    """The column of the assets, if there is one, and the asset of each row."""
    alone = np.zeros(sample.rows, np.int32)
    if said.asset is not None:
        if said.asset not in rest:
            raise InputError(f"there is no column '{said.asset}'", hint=f"there are: {', '.join(rest)}")
        return said.asset, rest[said.asset].codes[0]
    if said.layout == "wide":
        return None, alone
    repeated = _together([alone], stamps) > _RARE
    named = [name for name in rest if words.names_asset(name) and not words.names_tag(name)]
    if not repeated:
        # One asset: the column that says which, if it is always the same one.
        same = [name for name in named if rest[name].distinct == 1 and rest[name].filled == sample.rows]
        return (same[0], rest[same[0]].codes[0]) if same else (None, alone)
    whole = [
        name
        for name in (*texts, *(name for name in numbers if _may_be_id(rest[name], name)))
        if rest[name].filled == sample.rows
    ]
    fitting = [name for name in whole if rest[name].distinct > 1 and _together([rest[name].codes[0]], stamps) <= _RARE]
    fitting = [name for name in fitting if not words.names_health(name) or words.names_asset(name)]
    if not fitting:
        raise UnsureError(
            "times are there more than once, and no column tells the rows apart by asset", "--asset-column", whole
        )
    chosen = _one_asset(rest, fitting)
    if said.layout is None and words.name_different_quantities(rest[chosen].codes[1]):
        shown = ", ".join(rest[chosen].codes[1][:3])
        raise UnsureError(
            f"column '{chosen}' names assets (long), or variables of one ({shown})", "--layout", ["tags", "long"]
        )
    return chosen, rest[chosen].codes[0]


def _may_be_id(column: Column, name: str) -> bool:
    numbers = column.numbers
    return (
        numbers is not None
        and words.names_asset(name)
        and not words.names_quantity(name.replace("disk", ""))
        and bool((numbers % 1 == 0).all())
    )


def _one_asset(rest: Mapping[str, Column], fitting: list[str]) -> str:
    """The column that is called after assets, of those that tell the same; of others it is not known."""
    named = [name for name in fitting if words.names_asset(name)] or fitting
    fewest = min(rest[name].distinct for name in named)
    coarse = [name for name in named if rest[name].distinct == fewest]
    finer = [name for name in named if rest[name].distinct > fewest]
    if finer or len({_key(rest[name]) for name in coarse}) > 1:
        raise UnsureError(f"columns {', '.join(map(repr, named))} may name the assets", "--asset-column", named)
    if not any(words.names_asset(name) for name in coarse) and len(coarse) > 1:
        raise UnsureError(f"columns {', '.join(map(repr, coarse))} may name the assets", "--asset-column", coarse)
    ids = [name for name in coarse if words.tokens(name)[-1:] == ["id"]]
    return (ids or coarse)[0]


def _key(column: Column) -> bytes:
    """The same for columns that divide the rows alike."""
    _, first, inverse = np.unique(column.codes[0], return_index=True, return_inverse=True)
    return bytes(first[inverse].astype(np.int64))


def _cohort(rest: Mapping[str, Column], texts: list[str], codes: NDArray[np.int32], health: str | None) -> str | None:
    """The column that says which assets belong together, if one is called so and fits."""
    for name in texts:
        column = rest[name]
        if name == health or not words.names_cohort(name) or column.distinct < 2 or column.filled < len(codes):
            continue
        pairs = np.unique(np.column_stack([codes, column.codes[0]]), axis=0)
        assets = len(np.unique(codes))
        sizes = np.bincount(pairs[:, 1])
        if len(pairs) == assets and np.median(sizes) >= 4:
            return name
    return None
