"""The cut-off of each day: mean + k std over the scores of its window."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.series import Floats

#: A score this close to the cut-off, relative to the larger of the two, is not above it.
TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What sets of scores amount to, elementwise.

    Parameters
    ----------
    count
        (n, a) float64: finite scores; (1, 1) where it is the same throughout.
    mean
        (n, a) float64; 0 where there is none.
    squares
        (n, a) float64: the sum of squared deviations from the mean; 0 just where all scores are equal.
    """

    count: Floats
    mean: Floats
    squares: Floats

    @classmethod
    def of(cls, scores: Floats) -> Moments:
        """Each score as a set of one; NaN as the empty set."""
        finite = np.isfinite(scores)
        if finite.all():
            return cls(np.ones((1, 1)), scores, np.zeros_like(scores))
        return cls(finite.astype(np.float64), np.where(finite, scores, 0.0), np.zeros_like(scores))

    def __getitem__(self, rows: slice) -> Moments:
        """Those of some rows."""
        count = self.count if self.count.size == 1 else self.count[rows]
        return Moments(count, self.mean[rows], self.squares[rows])

    def __or__(self, other: Moments) -> Moments:
        """The union of disjoint sets.

        References
        ----------
        Chan, Golub, LeVeque (1979), Updating formulae and a pairwise algorithm for computing sample variances: no
        difference of large sums is taken, so a constant added to every score costs no precision.
        """
        count = self.count + other.count
        share = other.count / np.maximum(count, 1.0)
        # in place, for this is where a scan spends its time
        squares = other.mean - self.mean
        mean = squares * share
        squares *= mean
        squares *= self.count
        squares += self.squares
        squares += other.squares
        mean += self.mean
        return Moments(count, mean, squares)


@dataclass(frozen=True, slots=True, eq=False)
class Cutoffs:
    """The cut-off of each sample.

    Parameters
    ----------
    cutoff
        (n, a) float64; NaN where too few scores enter the mean, or the window is not full.
    sigma
        (n, a) float64: (score - mean) / std; NaN where there is no cut-off or all scores of the window are equal.
    """

    cutoff: Floats
    sigma: Floats


def cutoffs(scores: Floats, *, width: int, k: float, fewest: int, include_newest: bool) -> Cutoffs:
    """Cut-offs of many assets at once.

    Parameters
    ----------
    scores
        (n, a) float64, one column an asset: time runs down, so that a stretch of it is one piece of memory. NaN where
        there is no score.
    width
        Places of the scores that enter the mean: the newest and those before it, or those before it alone.
    k
        Standard deviations (ddof = 1) above the mean.
    fewest
        With fewer finite scores there is no cut-off.
    include_newest
        Whether a sample's own score enters its mean.

    Returns
    -------
    Arrays of shape (n, a). The entries of a column at t depend on its scores at t and before alone, bit for bit.
    """
    cutoff = np.full(scores.shape, np.nan)
    sigma = np.full(scores.shape, np.nan)
    first = width - 1 if include_newest else width
    if len(scores) > first:
        window = _windows(Moments.of(scores), width)
        if not include_newest:
            window = window[:-1]
        equal = window.squares == 0
        enough = window.count >= fewest
        with np.errstate(invalid="ignore", divide="ignore"):
            std = np.sqrt(window.squares / (window.count - 1.0))
            above = (scores[first:] - window.mean) / std
        cutoff[first:] = np.where(enough, np.where(equal, window.mean, window.mean + k * std), np.nan)
        sigma[first:] = np.where(enough & ~equal, above, np.nan)
    return Cutoffs(cutoff, sigma)


def exceeds(scores: Floats, cutoff: Floats) -> NDArray[np.bool_]:
    """Elementwise: which scores lie above their cut-off, strictly and by more than rounding.

    >>> exceeds(np.array([1.0, 1.0 + 1e-13, 1.1, np.nan]), np.array([1.0, 1.0, 1.0, 1.0]))
    array([False, False,  True, False])
    """
    with np.errstate(invalid="ignore"):
        return scores - cutoff > TOLERANCE * np.maximum(np.abs(scores), np.abs(cutoff))


def _windows(single: Moments, width: int) -> Moments:
    """Moments of every run of ``width`` places, (n - width + 1, a), by doubling: O(log width) passes."""
    count = len(single.mean) - width + 1
    runs, length, covered = single, 1, 0
    parts = []
    while length <= width:
        if width & length:
            parts.append(runs[covered : covered + count])
            covered += length
        if length * 2 <= width:
            runs = runs[:-length] | runs[length:]
        length *= 2
    return functools.reduce(operator.or_, parts)
