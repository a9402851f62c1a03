"""One asset's scan: its reported days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomscan.backtest.cutoff import inflated
from anomscan.backtest.spans import spans
from anomscan.backtest.verdicts import Judged, Verdict
from anomscan.errors import ConfigError
from anomscan.telemetry.cadence import days_before
from anomscan.telemetry.series import Floats, Instants, Series

_ANOMALOUS = np.int8(Verdict.ANOMALOUS)
_TEXTS = tuple(verdict.text for verdict in Verdict)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The days to report; earlier history still fills windows.

    Parameters
    ----------
    start, end
        datetime64[us], both inclusive; None for no bound.
    days
        Only so many days up to the run's end, or to the asset's last sample where there is none.
    timezone
        IANA name; by whose clocks these days are told.

    Raises
    ------
    ConfigError
        If the start is after the end, or there is less than a day.
    """

    start: np.datetime64 | None = None
    end: np.datetime64 | None = None
    days: int | None = None
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.start > self.end:
            raise ConfigError(f"--from {self.start} is after --to {self.end}", hint="swap them")
        if self.days is not None and self.days < 1:
            raise ConfigError(f"--days {self.days} is too few", hint="give 1 or more")
        if self.days is not None and self.start is not None:
            raise ConfigError("--days and --from exclude each other", hint="give one of them")

    def rows(self, series: Series, run_end: np.datetime64 | None = None) -> slice:
        """The rows of a series within the stretch.

        Parameters
        ----------
        run_end
            datetime64[us]: up to which samples are expected; None for the series' own last sample.
        """
        if len(series) == 0 or (self.start is None and self.end is None and self.days is None):
            return slice(0, len(series))
        start, end = self._bounds(series, run_end)
        low, high = int(series.timestamps.searchsorted(start)), int(series.timestamps.searchsorted(end, "right"))
        return slice(low, max(low, high))

    def ends(self, series: Series, run_end: np.datetime64 | None = None) -> tuple[np.datetime64, np.datetime64] | None:
        """The first and the last day within the stretch of a series on its calendar, whether or not they have a row."""
        if len(series) == 0:
            return None
        origin, step = series.timestamps[0], series.cadence.step
        start, end = self._bounds(series, run_end)
        first, last = origin - (origin - start) // step * step, origin + (end - origin) // step * step
        return None if first > last else (first, last)

    def _bounds(self, series: Series, run_end: np.datetime64 | None) -> tuple[np.datetime64, np.datetime64]:
        """The stretch as far as it lies within a series, both ends inclusive; the end is first where it does not."""
        start, end = series.timestamps[0], series.timestamps[-1]
        if self.end is not None:
            end = min(end, self.end)
        if self.start is not None:
            start = max(start, self.start)
        if self.days is not None:
            # N days end at the run's end: the instant N days before it is just outside.
            last = series.timestamps[-1] if run_end is None else run_end
            start = max(start, self._before_days(last) + np.timedelta64(1, "us"))
        return start, end

    def after(self, series: Series, run_end: np.datetime64 | None) -> tuple[np.datetime64, int]:
        """The expected samples within the stretch after the last one of a series: the first of them, and how many."""
        last, step = series.timestamps[-1], series.cadence.step
        if run_end is None or run_end <= last:
            return last, 0
        end = run_end if self.end is None else min(self.end, run_end)
        begin = last + step
        start = self.start
        if self.days is not None:
            start = self._before_days(run_end) + np.timedelta64(1, "us")
        if start is not None and start > begin:
            begin += -((begin - start) // step) * step  # whole steps on, to the first one no earlier
        return begin, max(int((end - begin) // step) + 1, 0)

    def _before_days(self, last: np.datetime64) -> np.datetime64:
        """The instant just before the last N days: N days end with the last sample, a day before the first is out."""
        end = last if self.end is None else min(self.end, last)
        return days_before(end, self.days or 0, self.timezone)


@dataclass(frozen=True, slots=True)
class Afterwards:
    """The time after an asset's last sample.

    Parameters
    ----------
    first, count
        Of the samples that were expected in it, of those that are reported: the first, and how many.
    silent
        Whether the asset is silent: they are ``silent`` then, else ``no-data``.
    ends
        Up to when samples are expected of it.
    """

    first: np.datetime64
    count: int
    silent: bool
    ends: np.datetime64


@dataclass(frozen=True, slots=True, eq=False)
class AssetScan:
    """What a scan found about one asset.

    Parameters
    ----------
    series
        As it was judged: laid on its calendar, or its rows as they stood.
    rows
        The m rows reported.
    ends
        The first and the last reported day; None if there is none.
    unlisted
        Reported days deep in long gaps, which have no row: all of them are without data.
    score
        (m,) float64: theirs; NaN where there is none, or where the shingle is not whole.
    judged
        Their verdicts, cut-offs and sigmas, each (m,).
    anomalous
        (k,) intp: those of them that are anomalous.
    full
        The row of the first day judged from a full window.
    trained_through
        The end of the detector's training, None where there was none.
    contributions
        (k, d) float64, one row for each anomalous row reported; None if the detector gives none.
    columns
        By name (m,) float64: what else the detector gave, such as ``severity``; NaN where there is no score.
    too_mild
        The rows reported that would be anomalous but for their severity.
    notes
        What the detector had to say beside its scores.
    afterwards
        The time after the last sample; None where nothing more was expected.
    """

    series: Series
    rows: slice
    ends: tuple[np.datetime64, np.datetime64] | None
    unlisted: int
    score: Floats
    judged: Judged
    anomalous: NDArray[np.intp]
    full: int
    trained_through: np.datetime64 | None = None
    contributions: Floats | None = None
    columns: Mapping[str, Floats] = field(default_factory=dict)
    too_mild: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    notes: tuple[str, ...] = ()
    afterwards: Afterwards | None = None

    @property
    def asset(self) -> str:
        """The asset's id."""
        return self.series.asset

    @property
    def inflated(self) -> NDArray[np.bool_]:
        """(m,) bool: days on which it was hardly watched; see :func:`anomscan.backtest.cutoff.inflated`."""
        return inflated(self.judged.cutoff)

    @property
    def severity(self) -> Floats | None:
        """(m,) float64; None if the detector gives none."""
        return self.columns.get("severity")

    @property
    def counts(self) -> dict[str, int]:
        """How many reported days have each verdict."""
        counts = np.bincount(self.judged.verdict, minlength=len(_TEXTS))
        counts[int(Verdict.NO_DATA)] += self.unlisted
        if self.afterwards is not None:
            counts[Verdict.SILENT if self.afterwards.silent else Verdict.NO_DATA] += self.afterwards.count
        return dict(zip(_TEXTS, counts.tolist(), strict=True))

    def in_sample(self, row: int) -> bool:
        """Whether a row's day is no later than the end of the detector's training."""
        return self.trained_through is not None and bool(self.series.timestamps[row] <= self.trained_through)

    def spans(self, shingle: int) -> Instants:
        """(s, 2) datetime64[us]: the anomalous days reported, widened to their shingles and merged on the calendar."""
        if len(self.anomalous) == 0:
            return np.empty((0, 2), "datetime64[us]")
        instants = self.series.timestamps[self.anomalous].view(np.int64)
        return spans(instants, shingle, self.series.cadence.step_us).view("datetime64[us]")


def anomalous_rows(judged: Judged, rows: slice) -> NDArray[np.intp]:
    """The reported rows that are anomalous."""
    found: NDArray[np.intp] = (judged.verdict == _ANOMALOUS).nonzero()[0]
    found += rows.start
    return found
