"""The volume under the surface of precision and recall: how well scores tell bad samples, whatever the cut-off."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.series import Floats

_THRESHOLDS = 250
#: Scores are turned round their stretch so often to see what chance would reach.
_TURNS = 8


def vus_pr(label: NDArray[np.bool_], score: Floats, window: int) -> float:
    """VUS-PR: the area under precision and recall, averaged over soft margins of 0 to ``window`` samples.

    A margin of w lets samples up to w // 2 beside a bad stretch count in part, and recall counts stretches as well as
    samples, so that a detector that is a little early or late is not punished.

    Parameters
    ----------
    label
        (n,) bad samples.
    score
        (n,) float64; one that is missing counts as the lowest.

    Returns
    -------
    Between 0 and 1; NaN if no sample is bad, or all are. Scores at random reach about the share of bad samples.

    References
    ----------
    Paparrizos et al. (2022), Volume under the surface; Boniol et al. (2025) for this variant, which TSB-AD uses.
    """
    n, bad = len(label), int(label.sum())
    if bad in (0, n):
        return math.nan
    score = np.where(np.isfinite(score), score, -np.inf)
    levels = np.sort(score)[::-1][np.linspace(0, n - 1, _THRESHOLDS).astype(int)]
    # The first threshold at which a sample is called bad; one more, of nothing, ends the last stretch.
    reached = np.searchsorted(-levels, -score, side="left")
    ending = np.append(reached, _THRESHOLDS)
    called = np.bincount(reached, minlength=_THRESHOLDS).cumsum()[:_THRESHOLDS].astype(float)
    truly = np.bincount(reached[label], minlength=_THRESHOLDS).cumsum()[:_THRESHOLDS]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], label, [False]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    near = _with_margin(starts, stops, window, n)
    there = np.concatenate([np.arange(start, stop) for start, stop in near])
    total = 0.0
    for margin in range(window + 1):
        weight = _softened(label, starts, stops, margin)
        hits = np.bincount(reached[there], weights=weight[there], minlength=_THRESHOLDS).cumsum()[:_THRESHOLDS]
        stretches = _with_margin(starts, stops, margin, n)
        earliest = np.minimum.reduceat(ending, stretches.ravel())[::2]
        touched = np.bincount(earliest, minlength=_THRESHOLDS).cumsum()[:_THRESHOLDS] / len(stretches)
        recall = np.minimum(hits / (bad + (hits - truly) / 2), 1.0) * touched
        total += float(np.dot(np.diff(recall, prepend=0.0), hits / called))
    return total / (window + 1)


def chance(label: NDArray[np.bool_], score: Floats, window: int) -> float:
    """The mean VUS-PR of the same scores at other times: turned round the stretch by equal steps."""
    steps = ((np.arange(_TURNS) + 0.5) * len(score) / _TURNS).astype(int).tolist()
    return float(np.mean([vus_pr(label, np.roll(score, step), window) for step in steps]))


def _with_margin(starts: NDArray[np.intp], stops: NDArray[np.intp], margin: int, n: int) -> NDArray[np.intp]:
    """(s, 2) first row, and the one behind the last, of bad stretches with a margin, merged where they meet."""
    merged: list[list[int]] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        low, high = max(start - margin // 2, 0), min(stop + margin // 2, n)
        if merged and low < merged[-1][1]:
            merged[-1][1] = high
        else:
            merged.append([low, high])
    return np.array(merged, np.intp)


def _softened(label: NDArray[np.bool_], starts: NDArray[np.intp], stops: NDArray[np.intp], margin: int) -> Floats:
    """The labels with margins whose weight falls from 1 with the root of the distance."""
    weight, half, n = label.astype(float), margin // 2, len(label)
    if half:
        fall = np.sqrt(1 - np.arange(1, half + 1) / margin)
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            after, before = min(half, n - stop), min(half, start)
            weight[stop : stop + after] += fall[:after]
            weight[start - before : start] += fall[:before][::-1]
        np.minimum(weight, 1.0, out=weight)
    return weight
