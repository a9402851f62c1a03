"""One asset's measurements in time order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.cadence import Cadence

Instants = NDArray[np.datetime64]
Floats = NDArray[np.float64]

#: Half of the largest float32: no measurement gives more, and the difference of two values within it cannot overflow.
LARGEST = float(np.finfo(np.float32).max) / 2


class LongGaps(NamedTuple):
    """How long gaps are shortened on a calendar, so that memory follows the samples, not the years between them.

    Parameters
    ----------
    kept
        At least so many places of a gap stay.
    unit
        The others go in multiples of so many.
    """

    kept: int
    unit: int

    def left_out(self, missing: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many places go of gaps of so many missing samples.

        >>> LongGaps(kept=10, unit=4).left_out(np.array([0, 13, 14, 100]))
        array([ 0,  0,  4, 88])
        """
        return np.asarray(np.maximum(missing - self.kept, 0) // self.unit * self.unit)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One asset's samples.

    Parameters
    ----------
    asset
        The asset's id, as text.
    cadence
        The declared step; every difference of timestamps is a multiple of it.
    variables
        The d names of the columns of ``values``.
    timestamps
        (n,) datetime64[us], UTC (midnight where the cadence is whole days), strictly increasing.
    values
        (n, d) float64; NaN where a value is empty.
    health_codes
        (n,) int32 into ``health_names``; -1 where a sample has no health. All -1 if omitted.
    health_names
        The names that occur.
    arrived_at
        (n,) datetime64[us], UTC: when each row was learnt. None where that is not known.
    laid
        How long gaps were shortened when it was laid on its calendar; None where none was.
    """

    asset: str
    cadence: Cadence
    variables: tuple[str, ...]
    timestamps: Instants
    values: Floats
    health_codes: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    health_names: tuple[str, ...] = ()
    arrived_at: Instants | None = None
    laid: LongGaps | None = None

    def __post_init__(self) -> None:
        n = len(self.timestamps)
        if self.values.shape != (n, len(self.variables)):
            raise ValueError(f"values {self.values.shape} do not fit {n} timestamps of {len(self.variables)} variables")
        if len(self.health_codes) != n:
            object.__setattr__(self, "health_codes", np.full(n, -1, np.int32))

    def __len__(self) -> int:
        return len(self.timestamps)

    @property
    def regular(self) -> bool:
        """Whether each sample is one step after the one before it."""
        first, last = self.timestamps[[0, -1]].view(np.int64).tolist() if len(self) else (0, 0)
        return not len(self) or last - first == (len(self) - 1) * self.cadence.step_us

    def health(self, row: int) -> str | None:
        """The health of one sample; None if it has none."""
        code = int(self.health_codes[row])
        return None if code < 0 else self.health_names[code]

    def health_in(self, names: Collection[str], rows: slice = slice(None)) -> NDArray[np.bool_]:
        """(n,) bool: whose health is one of ``names``; case matters. Of all samples, or of some rows."""
        codes = self.health_codes[rows]
        found = np.zeros(len(codes), bool)
        for code, name in enumerate(self.health_names):
            if name in names:
                found |= codes == code
        return found

    def through(self, last: np.datetime64) -> Series:
        """The samples up to an instant, inclusive."""
        stop = int(np.searchsorted(self.timestamps, last, "right"))
        if stop == len(self):
            return self
        return replace(
            self,
            timestamps=self.timestamps[:stop],
            values=self.values[:stop],
            health_codes=self.health_codes[:stop],
            arrived_at=None if self.arrived_at is None else self.arrived_at[:stop],
        )

    def measured(self) -> Series:
        """The same samples without the values beyond ``LARGEST``, which are NaN instead."""
        wild = np.abs(self.values) > LARGEST
        return replace(self, values=np.where(wild, np.nan, self.values)) if wild.any() else self

    def on_calendar(self, gaps: LongGaps | None = None) -> Series:
        """The series on its calendar from its first sample to its last.

        A missing sample becomes a row of NaN without health. A series without gaps is returned as it is.

        Parameters
        ----------
        gaps
            How long gaps are shortened: of each the last places go. By default all stay.
        """
        if self.regular or (gaps is not None and self.laid == gaps):
            return self
        instants = self.timestamps.view(np.int64)
        places = (instants - instants[0]) // self.cadence.step_us
        n, length = len(self), int(places[-1]) + 1
        skipped, laid = np.zeros(1, np.int64), None
        if gaps is not None and length - n > gaps.kept:
            left_out = gaps.left_out(np.diff(places) - 1)
            if left_out.any():
                places[1:] -= np.cumsum(left_out)
                length, laid = int(places[-1]) + 1, gaps
                skipped = np.zeros(length, np.int64)
                skipped[places[1:]] = left_out
        values = np.full((length, len(self.variables)), np.nan)
        values[places] = self.values
        health_codes = np.full(length, -1, np.int32)
        health_codes[places] = self.health_codes
        arrived_at = None
        if self.arrived_at is not None:
            arrived_at = np.full(length, np.datetime64("NaT", "us"))
            arrived_at[places] = self.arrived_at
        return replace(
            self,
            timestamps=self.timestamps[0] + (np.arange(length) + skipped.cumsum()) * self.cadence.step,
            values=values,
            health_codes=health_codes,
            arrived_at=arrived_at,
            laid=laid,
        )

    def skips(self) -> tuple[tuple[int, int], ...]:
        """The rows that are more than a step after the row before them, and how many places lie between the two."""
        if self.regular:
            return ()
        between = np.diff(self.timestamps.view(np.int64)) // self.cadence.step_us - 1
        rows = np.flatnonzero(between)
        return tuple(zip((rows + 1).tolist(), between[rows].tolist(), strict=True))
