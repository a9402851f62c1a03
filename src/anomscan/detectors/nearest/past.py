"""The nearest past of one series: distances to the most similar stretch before each row, and where that lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.kernel import native
from anomscan.detectors.points import Floats32

#: The squared difference to a missing value: that of two independent values of variance 1.
MISSING = np.float32(2.0)


@dataclass(frozen=True, slots=True)
class Past:
    """What decides the nearest past beside the values.

    Parameters
    ----------
    half_lives
        In rows, each at least 1: a row so far back counts half as much as the newest.
    trusted
        The first so many rows are normal: there a match may lie later, too, and no match is strange.
    max_lag
        How many rows a match behind the trusted part may lie back.
    inherit
        The share of a match's own strangeness below which no distance to it lies, 0 to 1.
    """

    half_lives: tuple[float, ...]
    trusted: int
    max_lag: int
    inherit: np.float32

    @property
    def missing(self) -> np.float32:
        """See :data:`MISSING`."""
        return MISSING

    def lags(self, row: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """The lags at which a row is compared, from and up to: the last ones, and all that lead to the trusted part."""
        reach = min(row, self.max_lag)
        return (1, reach + 1), (max(reach, row - self.trusted) + 1, row + 1)

    @property
    def keep(self) -> Floats32:
        """By half-life: what is left of a distance a row later."""
        return np.array([0.5 ** (1 / half) for half in self.half_lives], np.float32)

    @property
    def first(self) -> NDArray[np.int64]:
        """By half-life: the smallest lag; a stretch is not compared with itself."""
        return np.array([_first(half) for half in self.half_lives], np.int64)

    @property
    def fewest(self) -> NDArray[np.int64]:
        """By half-life: the rows that a match has before it."""
        return np.array([_fewest(half) for half in self.half_lives], np.int64)

    @staticmethod
    def reach(half_life: float) -> int:
        """The first row that there is something to compare with.

        >>> Past.reach(16.0)
        80
        """
        return _first(half_life) + _fewest(half_life)


def _first(half_life: float) -> int:
    return max(2, round(2 * half_life))


def _fewest(half_life: float) -> int:
    return round(3 * half_life)


class Matches(NamedTuple):
    """The nearest past of each row.

    Parameters
    ----------
    least
        (h, n) float32 by half-life: the sum of squared differences to it; inf where there is none, or no value.
    lag
        (h, n) int32: how many rows back it ends; 0 where there is none, and in the trusted part.
    """

    least: Floats32
    lag: NDArray[np.int32]


def matches(values: Floats32, past: Past) -> Matches:
    """Find the nearest past of each row of one series.

    For each lag k, D_k(t) = keep D_k(t-1) + (x_t - x_{t-k})^2, and ``least`` is the smallest over the lags of
    max(D_k(t), inherit least(t-k)): what resembles a strange stretch is strange, or a long fault would be normal soon.
    Where a value is missing, distances stay as they are; a missing one in the past counts as a random one. Behind the
    trusted part, what is said of a row depends on it and on earlier ones.

    Parameters
    ----------
    values
        (n,) float32, scaled to a variance of about 1; NaN where one is missing.
    past
        What else decides.

    Notes
    -----
    The cost is n times the number of lags, of which there are ``max_lag`` and as many as there are trusted rows.
    """
    kernel = native()
    if kernel is None:
        from anomscan.detectors.nearest import steps

        return steps.matches(values, past)
    halves, n = len(past.half_lives), len(values)
    least, lag = np.empty((halves, n), np.float32), np.empty((halves, n), np.int32)
    counts = np.array([n, past.trusted, past.max_lag, halves], np.int64)
    bounds = past.first, past.fewest
    kernel.nearest(counts, bounds, past.keep, past.inherit, past.missing, values, (least, lag))
    return Matches(least, lag)
