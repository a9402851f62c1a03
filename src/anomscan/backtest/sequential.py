"""Cut-offs one day after another, for rules under which a verdict has a say in those after it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anomscan.backtest.cutoff import Cutoffs, exceeds
from anomscan.telemetry.baseline import LEFT_OUT, NORMAL, UNTOLD
from anomscan.telemetry.robust import MAD_TO_STD
from anomscan.telemetry.series import Floats

#: Scores that are worked on at once where no verdict has a say in later cut-offs.
_NUMBERS = 32_768
#: (a, w) scores of a window, NaN where one is missing or left out, to their centre and scale, (a,) each.
Statistic = Callable[[Floats], tuple[Floats, Floats]]


def mean_and_std(window: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation (ddof = 1)."""
    known = np.isfinite(window)
    count = known.sum(axis=1)
    values = np.where(known, window, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = values.sum(axis=1) / count
        squares = np.where(known, np.square(values - mean[:, None]), 0.0).sum(axis=1)
        return mean, np.sqrt(squares / (count - 1))


def median_and_mad(window: Floats) -> tuple[Floats, Floats]:
    """Median, and the standard deviation as the median of absolute deviations tells it.

    References
    ----------
    Rousseeuw and Croux (1993), Alternatives to the median absolute deviation.
    """
    median = _median(window)
    return median, MAD_TO_STD * _median(np.abs(window - median[:, None]))


def sequential(
    scores: Floats,
    skipped: NDArray[np.bool_],
    statistic: Statistic,
    *,
    width: int,
    k: float,
    fewest: int,
    fewest_kept: int,
    include_newest: bool,
    lead: int,
    clean: bool,
    forget_after: int | None,
    told: NDArray[np.uint8] | None = None,
) -> Cutoffs:
    """Cut-offs of many assets at once, each from the scores of a sliding window.

    Parameters
    ----------
    scores, skipped
        (a, n) float64 and bool, one row an asset from its first sample on.
    statistic
        Of the scores of a window.
    width, k, fewest, include_newest, lead
        As for :func:`anomscan.backtest.mean_std.cutoffs`.
    fewest_kept
        With fewer scores that are not left out there is no cut-off.
    clean
        Whether the scores of anomalous days are left out of later windows.
    forget_after
        From so many anomalous days in a row on they all enter again: they are the new normal. None for never.
    told
        (a, n): with ``clean``, what :mod:`anomscan.telemetry.baseline` tells of each day; None for nothing.

    Returns
    -------
    Arrays of shape (a, n); the entries at t depend on what lies up to t alone, bit for bit.
    """
    assets, n = scores.shape
    cutoff, sigma = np.full((assets, n), np.nan), np.full((assets, n), np.nan)
    finite = np.isfinite(scores)
    kept = scores.copy()
    if told is None or not clean:
        told = np.full(scores.shape, UNTOLD)
    kept[told == LEFT_OUT] = np.nan
    in_row = np.zeros(assets, np.int64)
    back = width - 1 if include_newest else width
    first = lead + back
    days = 1 if clean else max(_NUMBERS // max(assets * width, 1), 1)
    windows, all_held = (
        (sliding_window_view(each, width, axis=1) for each in (kept, finite)) if first < n else (kept, finite)
    )
    for t in range(first, n, days):
        at = slice(t, min(t + days, n))
        of = slice(at.start - back, at.stop - back)
        values, newest = windows[:, of].reshape(-1, width), scores[:, at].ravel()
        centre, scale = statistic(values)
        equal = ~(np.fmax.reduce(values, axis=1) > np.fmin.reduce(values, axis=1))
        scale = np.where(equal, 0.0, scale)
        held = all_held[:, of].reshape(-1, width).sum(axis=1)
        enough = (held >= fewest) & (np.isfinite(values).sum(axis=1) >= fewest_kept)
        bound = np.where(enough, np.where(equal, np.fmax.reduce(values, axis=1), centre + k * scale), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            off = np.where(enough & (scale > 0), (newest - centre) / scale, np.nan)
        cutoff[:, at], sigma[:, at] = bound.reshape(assets, -1), off.reshape(assets, -1)
        if not clean:
            continue
        flagged = exceeds(scores[:, t], bound) & ~skipped[:, t] & (told[:, t] != NORMAL)
        kept[flagged, t] = np.nan
        judged = finite[:, t] & ~skipped[:, t] & (told[:, t] != LEFT_OUT)
        in_row = np.where(judged, np.where(flagged, in_row + 1, 0), in_row)
        if forget_after is not None:
            for line in np.flatnonzero(flagged & (in_row >= forget_after)).tolist():
                past = finite[line, : t + 1] & ~skipped[line, : t + 1] & (told[line, : t + 1] != LEFT_OUT)
                since = np.flatnonzero(past)[-in_row[line] :]
                kept[line, since] = scores[line, since]
    return Cutoffs(cutoff, sigma)


def median_mad_of_all(scores: Floats, k: float) -> Cutoffs:
    """One cut-off for a whole history: median + k times the scaled median of absolute deviations.

    Parameters
    ----------
    scores
        (n,) float64; NaN where there is no score.
    """
    known = scores[np.isfinite(scores)]
    centre = scale = np.nan
    if len(known):
        (centre,), (scale,) = median_and_mad(known[None])
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma = (scores - centre) / scale if scale > 0 else np.full(len(scores), np.nan)
    return Cutoffs(np.full(len(scores), centre + k * scale), sigma)


def _median(window: Floats) -> Floats:
    ordered, line = np.sort(window, axis=1), np.arange(len(window))
    count = np.isfinite(window).sum(axis=1)
    low, high = ordered[line, np.maximum(count - 1, 0) // 2], ordered[line, np.minimum(count // 2, window.shape[1] - 1)]
    middle: Floats = (low + high) / 2
    return middle
