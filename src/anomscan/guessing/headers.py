"""Where a table begins, and what parts its cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from anomscan.tables.sniffing import DELIMITERS, cells_of

_TIME = re.compile(
    r"\d{4}-\d\d-\d\d|\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{2,4}|\d{1,2}:\d\d"
    r"|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}|\d{1,2}\. ?[^\W\d]{3,9}\.? \d{4}|\d{4}-W\d\d|\d{4}-\d{3}$"
    r"|(19|20)\d{6}(\d\d|[T_ -]?\d{4}|[T_ -]?\d{6})?(Z|[+-]\d\d:?\d\d)?$|\d{12,19}$"
)
_FRACTION = re.compile(r"[+-]?\d+[.,]\d+$")
_NUMBER = re.compile(r"[+-]?[\d.,' ]*\d[\d.,' ]*([eE][+-]?\d+)?\s*%?$")
_UNIT = re.compile(
    r"\[.*\]|\(.*\)|°?[CFK]|%|[kMGm]?(W|Wh|V|A|Hz|Pa|J|Wp|VA|VAr)|[kM]?W/m[²2]|m/s|rpm|min-1|1/min|bar|mbar|mm|°|deg|-|kWh/kWp|l/min|m3/h|"
)
#: Of so large a share of the lines the cells must be equally many.
_REGULAR = 0.8


def delimiter_of(lines: Sequence[str], said: str | None = None) -> str | None:
    """What parts the cells of most lines; None where nothing does."""
    whole = [line for line in lines if line.strip() and not line.startswith("#")]
    if said is not None or not whole:
        return said
    # The comma last: it may be a decimal sign.
    for delimiter in (*(each for each in DELIMITERS if each != ","), ","):
        widths = Counter(len(cells_of(line, delimiter)) for line in whole)
        width, count = max(((w, c) for w, c in widths.items() if w > 1), key=lambda each: each[1], default=(0, 0))
        if (width and count >= _REGULAR * len(whole)) or (count > 20 and count > 0.5 * len(whole)):
            return delimiter
    return None


def is_unit(text: str) -> bool:
    """Whether a text is a unit, as kW.

    >>> is_unit("kW"), is_unit("INV1")
    (True, False)
    """
    return bool(text) and _UNIT.fullmatch(text) is not None


def is_time(text: str) -> bool:
    """Whether a text looks like a time."""
    return _TIME.match(text) is not None


def header_in(rows: Sequence[Sequence[str]]) -> int | None:
    """The place of the row of names: the last before the first row of data, but for a row of units.

    Parameters
    ----------
    rows
        The first rows, each with its cells.

    Returns
    -------
    None where the data begin at once, or nothing looks like data.
    """
    filled = [sum(bool(cell) for cell in row) for row in rows]
    usual = Counter(each for each in filled if each > 1).most_common(1)
    if not usual:
        return None
    wide = max(2.0, 0.75 * usual[0][0])
    first = next((place for place, row in enumerate(rows) if filled[place] >= wide and _is_data(row)), None)
    if first is None:
        first = _first_with_numbers(rows, filled, wide)
    if first is None:
        return None
    if rows[0] and rows[0][0] == "TOA5":  # of Campbell's loggers: the station, names, units, and how they were sampled
        return 1
    named = [place for place in range(first) if filled[place] >= wide]
    if len(named) > 1 and all(_UNIT.fullmatch(cell) for cell in rows[named[-1]]):
        named.pop()
    while len(named) > 1 and 2 * sum(bool(_FRACTION.match(cell)) for cell in rows[named[-1]]) >= filled[named[-1]]:
        named.pop()  # what belongs to each asset, as its longitude
    return named[-1] if named else None


def _first_with_numbers(rows: Sequence[Sequence[str]], filled: Sequence[int], wide: float) -> int | None:
    """The place of the first row of data where times are not written as usual: it and all after it have numbers."""
    numbered = [any(cell and _NUMBER.match(cell) for cell in row) for row in rows]
    place = len(rows)
    while place and (numbered[place - 1] or not filled[place - 1]):
        place -= 1
    first = next((each for each in range(place, len(rows)) if filled[each] >= wide), None)
    named = first is not None and first > 0 and not any(map(is_time, rows[first - 1]))
    return first if named and len(rows) - (first or 0) > 1 else None


def _is_data(row: Sequence[str]) -> bool:
    times = sum(map(is_time, row))
    numbers = sum(bool(_NUMBER.match(cell)) for cell in row if cell)
    cells = sum(bool(cell) for cell in row)
    return (times in (1, 2, 3) and times < cells) or (
        numbers > 0 and 2 * numbers >= cells and bool(_NUMBER.match(row[0]) if row else False)
    )
