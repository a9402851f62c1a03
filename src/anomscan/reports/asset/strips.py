"""The verdicts and the health of an asset as stretches of the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from anomscan.reports.chartdata import instant
from anomscan.reports.fleet.cells import CODES, Stretch
from anomscan.reports.records import Record
from anomscan.telemetry.series import Instants, Series

if TYPE_CHECKING:
    from anomscan.reports.scores import ScoreTable

#: More stretches than this tell nothing in a strip.
_MOST = 4_000


def verdict_runs(record: Record, scores: ScoreTable | None, step: np.timedelta64) -> list[list[int]]:
    """[code of the verdict, first and last sample in milliseconds] of each stretch of what was reported."""
    if scores is None or record.from_ is None or record.to is None:
        return []
    stretch = Stretch.of(record)
    codes = np.array([CODES[verdict] for verdict in scores.verdicts])
    edges = np.flatnonzero((np.diff(codes) != 0) | (np.diff(scores.timestamps) > step)) + 1
    starts, stops = np.append(0, edges), np.append(edges, len(codes))
    runs: list[list[int]] = []
    at = scores.timestamps
    _put(runs, stretch.before, instant(record.from_), at[0] - step)
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if start:
            _put(runs, CODES["no-data"], at[start - 1] + step, at[start] - step)
        _put(runs, int(codes[start]), at[start], at[stop - 1])
    _put(runs, stretch.after, at[-1] + step, instant(record.to))
    return runs if len(runs) <= _MOST else []


def health_runs(series: Series) -> list[list[Any]]:
    """[health, first and last sample in milliseconds] of each stretch with the same; none is carried over a gap."""
    codes, at = series.health_codes, series.timestamps
    if not len(codes) or not (codes >= 0).any():
        return []
    edges = np.flatnonzero((np.diff(codes) != 0) | (np.diff(at) > series.cadence.step)) + 1
    starts, stops = np.append(0, edges), np.append(edges, len(codes))
    if len(starts) > _MOST:
        return []
    return [
        [series.health_names[codes[start]], *_ends(at, start, stop)]
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        if codes[start] >= 0
    ]


def _put(runs: list[list[int]], code: int, first: np.datetime64, last: np.datetime64) -> None:
    if last >= first:
        ends = np.array([first, last], "datetime64[us]").astype("datetime64[ms]").astype(np.int64)
        runs.append([code, *ends.tolist()])


def _ends(at: Instants, start: int, stop: int) -> list[int]:
    ends: list[int] = at[[start, stop - 1]].astype("datetime64[ms]").astype(np.int64).tolist()
    return ends
