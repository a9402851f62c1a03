"""The complete shingles of a batch of series as points, and scores of points back in their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.base import Scores
from anomscan.detectors.points import LARGEST
from anomscan.errors import AnomscanError, AssetError
from anomscan.telemetry.series import Floats, Series
from anomscan.telemetry.shingles import complete, shingles, shingles_at


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The points of one series to score, for a detector that takes float32.

    Parameters
    ----------
    series
        Where they come from.
    rows
        (m,) intp: the samples whose shingle is scored, in order of time; none where ``error`` is set.
    points
        (m, L * d) float64, all finite and in the range of a float32: those shingles.
    error
        Why this series cannot be scored, None where it can.
    """

    series: Series
    rows: NDArray[np.intp]
    points: Floats
    error: AssetError | None = None

    @classmethod
    def of(cls, series: Series, shingle: int, rows: NDArray[np.intp] | None = None) -> Points:
        """Take the complete shingles of a series that end at some rows, or all of them without ``rows``."""
        if rows is None:
            whole = complete(series.values, shingle)
            rows, points = np.flatnonzero(whole), shingles(series.values, shingle)[whole[shingle - 1 :]]
        else:
            points = shingles_at(series.values, rows, shingle)
        if (np.abs(points) > LARGEST).any():
            error = AssetError(f"asset '{series.asset}' has a value beyond {LARGEST:.3g}")
            return cls(series, rows[:0], points[:0], error)
        return cls(series, rows, points)

    def placed(self, scores: Floats) -> Scores | AnomscanError:
        """The (m,) scores of the points, each at the last sample of its shingle; NaN elsewhere."""
        if self.error is not None:
            return self.error
        score = np.full(len(self.series), np.nan)
        score[self.rows] = scores
        return Scores(self.series.timestamps, score)


def together(batch: Sequence[Points]) -> Floats:
    """(sum of m, L * d) float64: the points of a batch that is not empty, one after another."""
    return np.concatenate([one.points for one in batch])


def apart(scores: Floats, batch: Sequence[Points]) -> list[Floats]:
    """The scores of :func:`together`, asset by asset."""
    return np.split(scores, np.cumsum([len(one.points) for one in batch])[:-1])
