"""Stretches without a sample, as incidents."""

from __future__ import annotations

import numpy as np

from anomscan.backtest.asset import AssetScan
from anomscan.incidents.incident import Incident
from anomscan.telemetry.outages import Outages
from anomscan.telemetry.series import Instants, Series


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
            if after - series.timestamps[start] >= silent_after * step:
                times, _ = _missed(series, outages, series.timestamps[start], after)
                if len(times) >= silent_after:
                    found.append(_gap(series, times, silent_after, "missing", end == stop))
    late = result.afterwards
    if late is not None and late.silent:
        times, in_outage = _missed(series, outages, series.timestamps[-1] + step, late.ends + np.timedelta64(1, "us"))
        if len(times) and (len(times) > silent_after or not in_outage):
            found.append(_gap(series, times, silent_after, "silent", True))
    return found


def _missed(series: Series, outages: Outages, first: np.datetime64, after: np.datetime64) -> tuple[Instants, bool]:
    """When samples were due from a time on until another, that one left out; and whether others lie in an outage."""
    due: Instants = np.arange(first, after, series.cadence.step)
    mask = outages.mask(series.asset, due, series.cadence)
    return due[~mask], bool(mask.any())


def _gap(series: Series, times: Instants, silent_after: int, kind: str, is_open: bool) -> Incident:
    text = series.cadence.text
    return Incident(
        id=None,
        kind=kind,
        since=text(times[0]),
        first_flagged=text(times[min(silent_after, len(times) - 1)]),
        last=text(times[-1]),
        open=is_open,
        days=len(times),
        peak=None,
        observed={},
        expected={},
        deviation={},
        loss={},
        variables=(),
        common=None,
    )
