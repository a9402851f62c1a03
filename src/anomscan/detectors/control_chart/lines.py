"""Series of the same variables laid out as charts take them: a line for each variable of each series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.control_chart.chart import chart
from anomscan.detectors.control_chart.season import Season
from anomscan.detectors.control_chart.settings import Charted, Settings
from anomscan.telemetry.baseline import UNTOLD, Told
from anomscan.telemetry.series import Floats, Series

_YEAR_US = 365.25 * 86_400e6


@dataclass(frozen=True, slots=True)
class Lines:
    """What is charted of a batch, r lines as long as its longest series, n.

    Parameters
    ----------
    variables
        How many lines each series has.
    raw, values
        (r, n) float64: as measured, and as charted; NaN beyond the end of a series.
    usable
        (r, n) bool: finite values that may be judged.
    years, waves
        (r, n) and (r, n, w) float64: time since the first sample, and the season's waves.
    """

    variables: int
    raw: Floats
    values: Floats
    usable: NDArray[np.bool_]
    years: Floats
    waves: Floats

    @classmethod
    def of(
        cls,
        batch: Sequence[Series],
        raw: Sequence[Floats],
        values: Sequence[Floats],
        may_be_used: Sequence[NDArray[np.bool_]],
    ) -> Lines:
        """Lay out a batch of at least one series; of each its values, (n, d), and which samples may be used, (n,)."""
        d, longest = len(batch[0].variables), max(len(series) for series in batch)
        season = Season.of(batch[0].cadence)
        shape = len(batch) * d, longest
        laid = cls(
            d,
            np.full(shape, np.nan),
            np.full(shape, np.nan),
            np.zeros(shape, bool),
            np.zeros(shape),
            np.zeros((*shape, 2 * len(season.periods_us))),
        )
        for place, series in enumerate(batch):
            own = laid.at(place, len(series))
            laid.raw[own], laid.values[own] = raw[place].T, values[place].T
            laid.usable[own] = np.isfinite(laid.values[own]) & may_be_used[place]
            laid.waves[own] = season.waves(series.timestamps)
            if len(series):
                laid.years[own] = (series.timestamps - series.timestamps[0]).astype(np.int64) / _YEAR_US
        return laid

    def at(self, place: int, length: int) -> tuple[slice, slice]:
        """The lines and columns of a series."""
        return slice(place * self.variables, (place + 1) * self.variables), slice(length)

    def told(self, said: Sequence[Told]) -> NDArray[np.uint8] | None:
        """(r, n) uint8: what people say of the samples of each series; None if they say nothing."""
        if all(each is None for each in said):
            return None
        told = np.full(self.raw.shape, UNTOLD)
        for place, each in enumerate(said):
            if each is not None:
                told[self.at(place, len(each))] = each
        return told

    def charted(self, settings: Settings, told: NDArray[np.uint8] | NDArray[np.bool_] | None = None) -> Charted:
        """Chart them; see :func:`anomscan.detectors.control_chart.chart.chart`."""
        return chart(self.raw, self.values, self.usable, self.years, self.waves, settings, told)
