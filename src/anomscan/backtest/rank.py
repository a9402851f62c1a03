"""Cut-offs by rank: a score is anomalous if so high a one was rarer so far than a budget of false ones."""

from __future__ import annotations

import heapq
import math

import numpy as np

from anomscan.backtest.cutoff import Cutoffs
from anomscan.telemetry.series import Floats

#: How far beyond the highest score of a window a budget may reach: one in so many times as many scores as it has.
BEYOND = 10.0


def ranks_above(scores: Floats, *, level: float, fewest: int, refractory: int) -> Cutoffs:
    """The cut-off of each sample by the scores before it, from the first one on.

    The rank of a score is -log10((j + 1) / (m + 1)), where j of m earlier ones are as high; by how much it exceeds the
    highest is added, as a share of that. The cut-off is the score whose rank is ``level``.

    Parameters
    ----------
    scores
        (a, n) float64, one row an asset from its first sample on; NaN where there is no score.
    level
        log10 of how many samples there are to a false one.
    fewest
        With fewer earlier scores there is no cut-off.
    refractory
        Only what is higher than the last so many scores is above the cut-off; 0 for no such condition.

    Returns
    -------
    Arrays of shape (a, n); the entries at t depend on what lies before t alone. There is no sigma.
    """
    cutoff = np.full(scores.shape, np.nan)
    for line, bounds in zip(scores, cutoff, strict=True):
        past = _Past(level)
        for t, score in enumerate(line.tolist()):
            if past.count >= fewest:
                bounds[t] = past.cutoff()
            if math.isfinite(score):
                past.add(score)
        if refractory:
            known = np.where(np.isfinite(line), line, -np.inf)
            padded = np.concatenate([np.full(refractory, -np.inf), known[:-1]]) if len(line) else known
            recent = np.lib.stride_tricks.sliding_window_view(padded, refractory).max(axis=1) if len(line) else known
            np.maximum(bounds, recent, out=bounds, where=np.isfinite(bounds))
    return Cutoffs(cutoff, np.full(scores.shape, np.nan))


def rank_of_all(scores: Floats, level: float) -> Cutoffs:
    """One cut-off for a whole history: as many scores lie above it as the budget allows.

    Parameters
    ----------
    scores
        (n,) float64; NaN where there is no score.
    level
        log10 of how many samples there are to a false one.
    """
    past = _Past(level)
    for score in scores[np.isfinite(scores)].tolist():
        past.add(score)
    cutoff = past.cutoff() if past.count else math.nan
    return Cutoffs(np.full(len(scores), cutoff), np.full(len(scores), np.nan))


class _Past:
    """Scores so far: those that may still be exceeded, and the rest.

    Parameters
    ----------
    level
        log10 of how many samples there are to a false one.
    """

    def __init__(self, level: float) -> None:
        self._level, self._share = level, 10**-level
        self._top: list[float] = []  # the largest ones, the smallest of them first
        self._rest: list[float] = []  # less the others, the largest of them first
        self._highest = -math.inf

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._top) + len(self._rest)

    def add(self, score: float) -> None:
        """Take in a score."""
        self._highest = max(self._highest, score)
        heapq.heappush(self._rest, -heapq.heappushpop(self._top, score))
        while self._rest and len(self._top) < self._allowed:
            heapq.heappush(self._top, -heapq.heappop(self._rest))

    @property
    def _allowed(self) -> int:
        """A score is anomalous if fewer than so many earlier ones are as high; at least 1."""
        return max(math.ceil((self.count + 1) * self._share - 1), 1)

    def cutoff(self) -> float:
        """The score whose rank is the level."""
        beyond = self._level - math.log10(self.count + 1)
        if beyond > 0:
            return self._highest + beyond * abs(self._highest)
        return self._top[0]
