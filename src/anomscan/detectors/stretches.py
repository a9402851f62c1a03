"""The samples for which exemplars were chosen, and their shingles, read on demand."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.series import Floats, Series
from anomscan.telemetry.shingles import shingles_at

#: Goes through a fleet from its beginning, in the same order each time, each asset once.
Fleet = Callable[[], Iterable[Sequence[Series]]]
#: The same rows with the values that a detector is given in place of those measured.
View = Callable[[Series], Series]


def as_it_is(series: Series) -> Series:
    """The view of what was measured."""
    return series


def known(series: Series, through: np.datetime64 | None) -> int:
    """How many samples are no later than ``through``; all of them without it."""
    return len(series) if through is None else int(np.searchsorted(series.timestamps, through, "right"))


def last_run(series: Series, rows: int, samples: int) -> NDArray[np.intp] | None:
    """(samples,) the last consecutive rows with finite values among the first rows; None if there are too few."""
    finite = np.flatnonzero(np.isfinite(series.values[:rows]).all(axis=1))
    if len(finite) < samples:
        return None
    # samples rows are consecutive where the first and the last lie samples - 1 steps apart
    spread = series.timestamps[finite[samples - 1 :]] - series.timestamps[finite[: len(finite) - samples + 1]]
    ends = np.flatnonzero(spread == (samples - 1) * series.cadence.step)
    if len(ends) == 0:
        return None
    end = int(ends[-1])
    return finite[end : end + samples]


@dataclass(frozen=True, slots=True, eq=False)
class StretchPoints:
    """The shingles of the exemplars' stretches, asset after asset: none is held, rows are gathered on demand.

    Parameters
    ----------
    fleet
        Where the exemplars are found again.
    view
        What the detector sees of each.
    assets
        Their ids, sorted by code point.
    variables
        d, how many values a sample has.
    samples
        Of a stretch.
    shingle
        L >= 1 samples.
    through
        Stretches end there at the latest; None for no limit.
    """

    fleet: Fleet
    view: View
    assets: Sequence[str]
    variables: int
    samples: int
    shingle: int
    through: np.datetime64 | None

    def __len__(self) -> int:
        return len(self.assets) * self._each

    def __getitem__(self, rows: NDArray[np.int64]) -> Floats:
        """(k, L * d) float64: the points at (k,) rows in any order, by going through the fleet once."""
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        # A row that is not found again must not be taken for a point.
        points = np.full((len(rows), self.shingle * self.variables), np.nan)
        for chunk in self.fleet():
            for series in chunk:
                place = bisect_left(self.assets, series.asset)
                if place == len(self.assets) or self.assets[place] != series.asset:
                    continue
                first = place * self._each
                start, stop = np.searchsorted(ordered, (first, first + self._each)).tolist()
                if start == stop:
                    continue
                seen = self.view(series)
                run = last_run(seen, known(seen, self.through), self.samples)
                if run is not None:
                    ends = ordered[start:stop] - first + (self.shingle - 1)
                    points[order[start:stop]] = shingles_at(seen.values[run], ends, self.shingle)
        return points

    @property
    def _each(self) -> int:
        """The shingles of a stretch."""
        return max(self.samples - self.shingle + 1, 0)
