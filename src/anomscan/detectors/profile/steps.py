"""The matrix profile on NumPy: what the kernel does, lag by lag, to be read; ``kernel/join.c`` gives the same bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.profile.join import Joined, first_lag
from anomscan.telemetry.series import Floats


def joined(values: Floats, windows: Sequence[int], both_ways: int, blocked: Floats | None) -> Joined:
    """Find the window that is most similar to each; see :func:`anomscan.detectors.profile.join.joined`."""
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
    return Joined(least, found)


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
