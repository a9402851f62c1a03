"""The last year of a fleet in cells of a day: one verdict and one value for each asset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.reports.chartdata import instant
from anomscan.reports.records import VERDICTS, Record
from anomscan.telemetry.series import Floats, Instants

_DAY_US = 86_400_000_000
_YEAR = 365
#: A stretch shorter than so many days is told in smaller cells, of which there are at most as many as days of a year.
_SHORT = 30
_STEPS_US = tuple(1_000_000 * each for each in (1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 21_600))
#: What a cell may hold beside a verdict: nothing was reported of it.
NOTHING = 0
CODES = {verdict: place for place, verdict in enumerate(VERDICTS, start=1)}
#: Of the verdicts of one cell the one of the highest rank is told: the worst, and one of judged samples before others.
TELLING = np.zeros(len(CODES) + 1, np.uint8)
for _rank, _verdict in enumerate(("warming-up", "skipped", "no-data", "silent", "ok", "anomalous"), start=1):
    TELLING[CODES[_verdict]] = _rank


@dataclass(frozen=True, slots=True)
class Cells:
    """A calendar.

    Parameters
    ----------
    start_us, step_us
        The start of the first cell, microseconds since 1970, UTC, and the width of each.
    count
        How many there are.
    """

    start_us: int
    step_us: int
    count: int

    @classmethod
    def of(cls, first: str | None, last: str | None) -> Cells:
        """The cells that end with the newest sample reported: a year of days, or less where less is known.

        Parameters
        ----------
        first, last
            The first and the last sample that is known of, as timestamps are written; None where nothing is.
        """
        if first is None or last is None:
            return cls(0, _DAY_US, 0)
        begin, end = (int(instant(each).astype(np.int64)) for each in (first, last))
        step = _DAY_US
        if "T" in last and end - begin < _SHORT * _DAY_US:
            step = next((each for each in _STEPS_US if (end - begin) // each < _YEAR), _DAY_US)
        newest = end // step
        count = int(min(newest - begin // step + 1, _YEAR))
        return cls(int(newest - count + 1) * step, step, count)

    @property
    def unit(self) -> str:
        """What a cell is called."""
        return "day" if self.step_us == _DAY_US else f"{self.step_us // 1_000_000:,} s"

    def places(self, timestamps: Instants) -> NDArray[np.int64]:
        """(n,) int64, the cell of each timestamp; some lie outside."""
        return (timestamps.astype("datetime64[us]").astype(np.int64) - self.start_us) // self.step_us

    def place(self, timestamp: str) -> int:
        """The cell of a timestamp as it is written; it may lie outside."""
        return int((int(instant(timestamp).astype(np.int64)) - self.start_us) // self.step_us)

    def verdicts(self, record: Reported, timestamps: Instants, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """One code a cell; nothing is carried on over what was not told.

        Parameters
        ----------
        record
            What was reported of the asset.
        timestamps, codes
            (n,) its judged samples in time order, and of each the code of its verdict.
        """
        told = np.full(self.count, NOTHING, np.uint8)
        if record.from_ is None or record.to is None:
            return told
        first, last = self.place(record.from_), self.place(record.to)
        if len(timestamps):
            began, ended = self.places(timestamps[[0, -1]]).tolist()
        else:
            began, ended = last + 1, last
        # What the scores leave out: before the first full window, deep in long gaps, and after the last sample.
        self._fill(told, first, began - 1, record.before)
        self._fill(told, began, ended, CODES["no-data"] if len(timestamps) else NOTHING)
        self._fill(told, ended + 1, last, record.after)
        places = self.places(timestamps)
        inside = (places >= 0) & (places < self.count)
        places, codes = places[inside], codes[inside]
        order = np.argsort(TELLING[codes], kind="stable")
        told[places[order]] = codes[order]
        return told

    def values(self, timestamps: Instants, values: Floats) -> Floats:
        """(count,) float64, the mean of each cell's values; NaN where it has none."""
        places = self.places(timestamps)
        known = np.isfinite(values) & (places >= 0) & (places < self.count)
        places, values = places[known], values[known]
        held = np.bincount(places, minlength=self.count)
        with np.errstate(over="ignore", invalid="ignore"):
            sums = np.bincount(places, weights=values, minlength=self.count)
            return np.where(held > 0, sums / np.maximum(held, 1), np.nan)

    def _fill(self, told: NDArray[np.uint8], first: int, last: int, code: int) -> None:
        if last >= first:
            told[max(first, 0) : max(last + 1, 0)] = code


@dataclass(frozen=True, slots=True)
class Reported:
    """What was reported of an asset.

    Parameters
    ----------
    from_, to
        Its first and last reported sample; None where there is none.
    before, after
        The codes of samples before the first and after the last of which there is a score.
    """

    from_: str | None
    to: str | None
    before: int
    after: int

    @classmethod
    def of(cls, record: Record) -> Reported:
        """That of a record."""
        counts = record.verdicts
        return cls(
            record.from_,
            record.to,
            CODES[_first(counts, ("warming-up", "no-data", "silent"))],
            CODES[_first(counts, ("silent", "no-data", "warming-up"))],
        )


def _first(counts: dict[str, int], verdicts: Sequence[str]) -> str:
    return next((each for each in verdicts if counts.get(each, 0)), "no-data")
