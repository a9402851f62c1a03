"""Stretches without a sample, as incidents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomscan.backtest.asset import AssetScan
from anomscan.incidents.incident import Incident
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.outages import Outages
from anomscan.telemetry.series import Series


def gaps(result: AssetScan, silent_after: int, outages: Outages) -> list[Incident]:
    """Stretches without a sample: ``missing`` within the history, ``silent`` after its end.

    Parameters
    ----------
    silent_after
        So many samples missing in a row are an incident.
    outages
        Samples that are missing in one do not count.
    """
    series, step = result.series, result.series.cadence.step
    found = []
    stop = result.rows.stop
    absent = np.isnan(series.values[:stop]).all(axis=1)
    if absent.any():
        edges = np.flatnonzero(np.diff(np.concatenate([[False], absent, [False]]).astype(np.int8)))
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            # By the clock: of a long gap not all places have a row.
            after = series.timestamps[end] if end < len(series) else series.timestamps[-1] + step
            missed = _Missed.of(series, outages, series.timestamps[start], after)
            if len(missed) >= silent_after:
                found.append(_gap(missed, silent_after, "missing", end == stop))
    late = result.afterwards
    if late is not None and late.silent:
        missed = _Missed.of(series, outages, series.timestamps[-1] + step, late.ends + np.timedelta64(1, "us"))
        if len(missed) and (len(missed) > silent_after or not missed.in_outage):
            found.append(_gap(missed, silent_after, "silent", True))
    return found


@dataclass(frozen=True, slots=True)
class _Missed:
    """When samples were due that are not there, but for those in an outage."""

    first: np.datetime64
    cadence: Cadence
    places: list[range]
    in_outage: bool

    @classmethod
    def of(cls, series: Series, outages: Outages, first: np.datetime64, after: np.datetime64) -> _Missed:
        """From a time on until another, that one left out."""
        count = max(-int((first - after) // series.cadence.step), 0)
        places = outages.outside(series.asset, first, count, series.cadence)
        return cls(first, series.cadence, places, sum(map(len, places)) < count)

    def __len__(self) -> int:
        return sum(map(len, self.places))

    def text(self, number: int) -> str:
        """The timestamp of one of them, counted from 0."""
        for stretch in self.places:
            if number < len(stretch):
                return self.cadence.text(self.first + stretch[number] * self.cadence.step)
            number -= len(stretch)
        raise IndexError(number)


def _gap(missed: _Missed, silent_after: int, kind: str, is_open: bool) -> Incident:
    return Incident(
        id=None,
        kind=kind,
        since=missed.text(0),
        first_flagged=missed.text(min(silent_after, len(missed) - 1)),
        last=missed.text(len(missed) - 1),
        open=is_open,
        days=len(missed),
        peak=None,
        observed={},
        expected={},
        deviation={},
        loss={},
        variables=(),
        common=None,
    )
