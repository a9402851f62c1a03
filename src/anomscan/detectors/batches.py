"""The complete shingles of a batch of series as points, and scores of points back in their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.base import Scores
from anomscan.telemetry.series import LARGEST, Floats, Series
from anomscan.telemetry.shingles import complete, shingles, shingles_at


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The points of one series to score, for a detector that takes float32.

    Parameters
    ----------
    series
        Where they come from.
    rows
        (m,) intp: the samples whose shingle is scored, in order of time.
    points
        (m, L * d) float64, all finite and within ``LARGEST``: those shingles. Others have no score.
    scored
        (k,) bool: which of the samples that were asked for are ``rows``.
    """

    series: Series
    rows: NDArray[np.intp]
    points: Floats
    scored: NDArray[np.bool_]

    @classmethod
    def of(cls, series: Series, shingle: int, rows: NDArray[np.intp] | None = None) -> Points:
        """Take the complete shingles of a series that end at some rows, or all of them without ``rows``."""
        if rows is None:
            whole = complete(series.values, shingle)
            rows, points = np.flatnonzero(whole), shingles(series.values, shingle)[whole[shingle - 1 :]]
        else:
            points = shingles_at(series.values, rows, shingle)
        scored = np.asarray((np.abs(points) <= LARGEST).all(axis=1))
        return cls(series, rows, points, scored) if scored.all() else cls(series, rows[scored], points[scored], scored)

    def placed(self, scores: Floats) -> Scores:
        """The (m,) scores of the points, each at the last sample of its shingle; NaN elsewhere."""
        score = np.full(len(self.series), np.nan)
        score[self.rows] = scores
        return Scores(self.series.timestamps, score)


def together(batch: Sequence[Points]) -> Floats:
    """(sum of m, L * d) float64: the points of a batch that is not empty, one after another."""
    return np.concatenate([one.points for one in batch])


def apart(scores: Floats, batch: Sequence[Points]) -> list[Floats]:
    """The scores of :func:`together`, asset by asset."""
    return np.split(scores, np.cumsum([len(one.points) for one in batch])[:-1])
