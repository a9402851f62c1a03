"""A small chart of text: columns of blocks, the largest value on top, and marks under the days that matter."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from anomscan.incidents.sparkline import BLOCKS
from anomscan.telemetry.series import Floats

#: Lines of columns.
HEIGHT = 6
MARK = "▲"
_LABEL, _FEWEST = 9, 8


def chart(values: Floats, marked: NDArray[np.bool_], width: int, *, plain: bool = False) -> list[str]:
    """Draw values as columns.

    Parameters
    ----------
    values
        (n,) float64 in time order; NaN leaves a blank.
    marked
        (n,) which of them get a mark below.
    width
        Of the screen, in characters, at least 18. A column that stands for several values shows the one farthest from
        the median; a marked one among them comes first.
    plain
        Whether to draw in ASCII.

    Returns
    -------
    Lines no wider than the screen: the columns with the largest and the smallest value at the side, and the marks.
    Nothing at all if no value is finite.

    Examples
    --------
    >>> print(*chart(np.array([1.0, 1.0, 9.0, 1.0]), np.array([0, 0, 1, 0], bool), 40, plain=True)[-3:], sep="|")
                #|        1 __#_|            ^
    """
    cells = min(len(values), max(width - _LABEL - 1, _FEWEST))
    known = np.where(np.abs(values) < 1e300, values, np.nan)
    if cells == 0 or not np.isfinite(known).any():
        return []
    edges = np.arange(cells + 1) * len(values) // cells
    middle = np.nanmedian(known)
    columns = np.full(cells, np.nan)
    marks = np.zeros(cells, bool)
    for cell, (start, stop) in enumerate(itertools.pairwise(edges)):
        marks[cell] = marked[start:stop].any()
        some = known[start:stop][marked[start:stop]] if marks[cell] else known[start:stop]
        some = some[np.isfinite(some)]
        if len(some):
            columns[cell] = some[np.abs(some - middle).argmax()]
    low, high = np.nanmin(columns), np.nanmax(columns)
    share = (columns - low) / (high - low) if high > low else np.where(np.isnan(columns), np.nan, 0.5)
    lines = [
        f"{_label(row, low, high):>{_LABEL}} {''.join(_block(each, row, plain=plain) for each in share)}".rstrip()
        for row in reversed(range(HEIGHT))
    ]
    if marks.any():
        below = "^" if plain else MARK
        lines.append(f"{'':{_LABEL}} {''.join(below if each else ' ' for each in marks)}".rstrip())
    return lines


def _label(row: int, low: float, high: float) -> str:
    if row == HEIGHT - 1:
        return f"{high:.4g}"
    return f"{low:.4g}" if row == 0 and high > low else ""


def _block(share: float, row: int, *, plain: bool) -> str:
    """What of a column stands in a line; the lowest value still has its foot in the lowest line."""
    if np.isnan(share):
        return " "
    eighths = max(round(share * HEIGHT * len(BLOCKS)), 1) - row * len(BLOCKS)
    if eighths <= 0:
        return " "
    if plain:
        return "#" if eighths >= len(BLOCKS) // 2 else ("_" if row == 0 else " ")
    return BLOCKS[min(eighths, len(BLOCKS)) - 1]
