"""Cut-offs by rank: a score is anomalous if so high a one was rarer so far than a budget of false ones."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    assets, samples = scores.shape
    known = np.where(np.isfinite(scores), scores, -np.inf)
    earlier = np.cumsum(np.isfinite(scores), axis=1) - np.isfinite(scores)
    before = np.concatenate([np.full((assets, 1), -np.inf), known[:, :-1]], axis=1)[:, :samples]
    highest = np.maximum.accumulate(before, axis=1)
    beyond = np.array([level - math.log10(count + 1) for count in range(samples + 1)])[earlier]
    cutoff = np.array(
        [_largest(line.tolist(), k.tolist()) for line, k in zip(known, _allowed(earlier, level), strict=True)]
    )
    cutoff = cutoff.reshape(scores.shape)
    higher = (beyond > 0) & (earlier > 0)
    cutoff[higher] = highest[higher] + beyond[higher] * np.abs(highest[higher])
    cutoff[earlier < fewest] = np.nan
    if refractory and samples:
        padded = np.concatenate([np.full((assets, refractory), -np.inf), known[:, :-1]], axis=1)
        recent = np.lib.stride_tricks.sliding_window_view(padded, refractory, axis=1).max(axis=2)
        np.maximum(cutoff, recent, out=cutoff, where=np.isfinite(cutoff))
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
    known = np.sort(scores[np.isfinite(scores)])
    cutoff = math.nan
    if count := len(known):
        beyond = level - math.log10(count + 1)
        cutoff = known[-1] + beyond * abs(known[-1]) if beyond > 0 else float(known[-_allowed(count, level)])
    return Cutoffs(np.full(len(scores), cutoff), np.full(len(scores), np.nan))


def _allowed(count: ArrayLike, level: float) -> NDArray[np.int64]:
    """A score is anomalous if fewer than so many of ``count`` earlier ones are as high; at least 1."""
    return np.maximum(np.ceil((np.asarray(count) + 1) * 10**-level - 1), 1).astype(np.int64)


def _largest(line: Sequence[float], k: Sequence[int]) -> list[float]:
    """The k-th largest of what lies before each sample, -inf where there are fewer; ``k`` never falls."""
    found = []
    top = [-math.inf, -math.inf]  # twice as many as are asked for, the highest last
    for t, (score, asked) in enumerate(zip(line, k, strict=True)):
        if asked > len(top):
            top = sorted([-math.inf] * (2 * asked) + list(line[:t]))[-2 * asked :]
        found.append(top[-asked])
        if score > top[0]:
            bisect.insort(top, score)
            del top[0]
    return found
