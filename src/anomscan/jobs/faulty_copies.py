"""Copies of an asset's history with a fault in a calm place."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from anomscan.judging.faults import FAULTS, Place, scatter
from anomscan.judging.found import JudgedAsset, Span
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.cohorts import Cohorts
from anomscan.telemetry.series import Floats, Instants, Series

#: So many samples, or a day, a fault lasts that has a size.
_LASTS, _DAY_US = 30, 86_400_000_000
#: Before and after a fault so many samples are calm.
_CALM = 14
#: A level of fewer scales is too near to zero for shares of it.
_LEVEL = 3.0


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault to be put into the history of some asset."""

    kind: str
    size: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """A copy of an asset with a fault.

    Parameters
    ----------
    fault
        What was put into it.
    series
        The copy, by a name of its own.
    span
        Where the fault is.
    share
        Its size as a share of the level of the values; NaN where that means nothing.
    """

    fault: Planned
    series: Series
    span: Span
    share: float


def calm(series: Series, before: Sequence[JudgedAsset], known: Sequence[Span]) -> NDArray[np.bool_]:
    """(n,) bool: the samples that all set-ups judge, far from what they find and from what is known.

    Parameters
    ----------
    before
        What each set-up finds without faults, gaps included.
    known
        Spans of which somebody knows something.
    """
    at, margin = series.timestamps.view(np.int64), _CALM * series.cadence.step_us
    free: NDArray[np.bool_] = np.asarray(np.isfinite(series.values).all(axis=1))
    for span in (*known, *(each.flagged for one in before for each in one.found)):
        free &= (at < span.start - margin) | (at > span.end + margin)
    for one in before:
        free &= False if one.watched is None else (at >= one.watched.start) & (at <= one.watched.end)
    return free


def faulty(series: Series, free: NDArray[np.bool_], number: int, fault: Planned, after: int) -> Copy | None:
    """A copy of a series with a fault; None if there is no place for it.

    Parameters
    ----------
    free
        (n,) bool: where it may be.
    number
        Tells the copies of an asset apart.
    after
        So many samples after the fault the copy ends.
    """
    kind, random = FAULTS[fault.kind], np.random.default_rng([fault.seed, zlib.crc32(series.asset.encode())])
    length = int(fault.size) if kind.by_length else max(int(lasting(series.cadence) * kind.lasts), 1)
    if length >= len(series):
        return None
    busy = np.concatenate([[0], np.cumsum(~free)])
    starts = np.flatnonzero(busy[length:] == busy[:-length])
    starts = starts[starts > 0]
    if not len(starts):
        return None
    start = int(starts[random.integers(len(starts))])
    variable = int(random.integers(len(series.variables)))
    scale, level = scatter(series.values[:, variable], start)
    if not scale > 0:
        return None
    values = series.values[: min(start + length + after, len(series))].copy()
    side = 1.0 if random.random() < 0.5 else -1.0
    kind.put(Place(values, slice(start, start + length), variable, scale, side, random), fault.size)
    at = series.timestamps.view(np.int64)
    span = Span(int(at[start]), int(at[start + length - 1]), fault.kind)
    share = fault.size * scale / abs(level) if not kind.by_length and abs(level) > _LEVEL * scale else np.nan
    return Copy(fault, _cut(series, f"{series.asset} #{number}", values), span, share)


@dataclass(frozen=True, slots=True, eq=False)
class PeersOfOne(Cohorts):
    """The peers of one asset for all of its copies: the median of the others, as they were measured.

    Parameters
    ----------
    asset
        Whose peers they are.
    timestamps, median
        (n,) and (n, d): the median at each of its samples.
    """

    asset: str = ""
    timestamps: Instants = field(default_factory=lambda: np.empty(0, "datetime64[us]"))
    median: Floats = field(default_factory=lambda: np.empty((0, 0)))

    @classmethod
    def of(cls, cohorts: Cohorts, series: Series) -> PeersOfOne:
        """Those of a series."""
        return cls(
            cohorts.members,
            cohorts.middles,
            cohorts.shared,
            cohorts.how,
            series.asset,
            series.timestamps,
            cohorts.others(series),
        )

    def cohort(self, asset: str) -> str | None:
        """That of the asset itself."""
        return Cohorts.cohort(self, self.asset)

    def others(self, series: Series) -> Floats:
        """See :meth:`Cohorts.others`; the samples of a copy are among those of the asset."""
        median: Floats = self.median[np.searchsorted(self.timestamps, series.timestamps)]
        return median


def _cut(series: Series, name: str, values: Floats) -> Series:
    """The first rows of a series, with other values and by another name."""
    n = len(values)
    return replace(
        series,
        asset=name,
        timestamps=series.timestamps[:n],
        values=values,
        health_codes=series.health_codes[:n],
        arrived_at=None if series.arrived_at is None else series.arrived_at[:n],
    )


def lasting(cadence: Cadence) -> int:
    """How many samples a fault lasts that has a size."""
    return max(_LASTS, _DAY_US // cadence.step_us)
