"""The unnormalised matrix profile of one asset, for several windows in one pass over its lags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.kernel import native
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
    kernel = native()
    if kernel is None:
        from anomscan.detectors.profile import steps

        least, lag = steps.joined(values, windows, both_ways, blocked)
    else:
        (variables, n), m = values.shape, len(windows)
        least, lag = np.empty((m, n)), np.empty((m, n), np.int64) if variables > 1 else None
        nearest = [first_lag(window) for window in windows]
        counts = [n, variables, m, both_ways, min(nearest, default=n)]
        kernel.join(counts, windows, nearest, values, blocked, least, lag)
    return Joined(np.maximum(least, 0.0), lag)


def first_lag(window: int) -> int:
    """The smallest lag at which a window is compared with another one.

    >>> first_lag(1), first_lag(10)
    (1, 3)
    """
    return -(-window // 4)
