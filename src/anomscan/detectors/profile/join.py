"""The unnormalised matrix profile of one asset, for several windows in one pass over its lags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.series import Floats


class Joined(NamedTuple):
    """What is most similar to each window.

    Parameters
    ----------
    least
        (m, n) float64, by window and its last row: the squared distance; inf where there is nothing to compare.
    lag
        (m, n) int64: how many rows back the most similar one ends, negative if it follows; 0 where there is none. None
        of a single variable.
    """

    least: Floats
    lag: NDArray[np.int64] | None


def joined(values: Floats, windows: Sequence[int], both_ways: int, blocked: Floats | None = None) -> Joined:
    """Find the window that is most similar to each, all variables together.

    Windows that overlap by more than three quarters are no match of each other. Behind the first ``both_ways`` rows
    what is said of a row depends on it and on earlier ones alone, to the bit.

    Parameters
    ----------
    values
        (d, n); NaN where one is missing, which differs from nothing.
    windows
        The lengths w, in rows, at least 1.
    both_ways
        Windows that end within the first so many rows are compared with later ones that end there, too.
    blocked
        (m, n): inf where the window that ends at a row takes no part, else 0; None if all do.

    Notes
    -----
    The cost is n^2 / 2 times (2 d + 1 + 3 m) operations on numbers that lie one behind the other. Sums of w squares are
    differences of running sums, as in Akbarinia and Cloez (2019), Efficient Matrix Profile Computation Using Different
    Distance Functions: they are exact to about 1e-16 times the sum of all squares of a lag.
    """
    variables, n = values.shape
    least = np.full((len(windows), n), np.inf)
    found = np.zeros((len(windows), n), np.int64) if variables > 1 else None
    nearest = [first_lag(window) for window in windows]
    square, total, room = np.empty((2, n)), np.zeros(n + 1), np.empty(n)
    gaps = bool(np.isnan(values).any())
    for lag in range(min(nearest, default=n), n):
        sums = total[: n - lag + 1]
        np.cumsum(_squares(values, lag, square[:, : n - lag], gaps=gaps), out=sums[1:])
        for place, window in enumerate(windows):
            count = n - lag - window + 1
            if lag < nearest[place] or count < 1:
                continue
            far = np.subtract(sums[window:], sums[:count], out=room[:count])
            earlier, later = slice(window - 1, n - lag), slice(window - 1 + lag, n)
            if blocked is not None:
                far += blocked[place, earlier]
                far += blocked[place, later]
            lags = None if found is None else found[place]
            _take(least[place], lags, later, far, lag)
            if (mutual := both_ways - (window - 1 + lag)) > 0:
                _take(least[place], lags, slice(window - 1, min(both_ways, n) - lag), far[:mutual], -lag)
    return Joined(np.maximum(least, 0.0), found)


def first_lag(window: int) -> int:
    """The smallest lag at which a window is compared with another one.

    >>> first_lag(1), first_lag(10)
    (1, 3)
    """
    return -(-window // 4)


def _squares(values: Floats, lag: int, room: Floats, *, gaps: bool) -> Floats:
    """Squared differences of each row to the one a lag before it, added up over the variables."""
    total: Floats = room[0]
    off: Floats = room[1]
    for place, variable in enumerate(values):
        square = off if place else total
        np.subtract(variable[lag:], variable[:-lag], out=square)
        np.multiply(square, square, out=square)
        if gaps:
            square[np.isnan(square)] = 0.0
        if place:
            np.add(total, square, out=total)
    return total


def _take(least: Floats, lags: NDArray[np.int64] | None, rows: slice, far: Floats, lag: int) -> None:
    """Keep what is nearer than all before."""
    if lags is not None:
        lags[rows][far < least[rows]] = lag
    np.minimum(least[rows], far, out=least[rows])
