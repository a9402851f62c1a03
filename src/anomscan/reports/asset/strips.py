"""The verdicts and the health of an asset as stretches of the same."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from anomscan.reports.asset.coarse import coarse
from anomscan.reports.chartdata import instant
from anomscan.reports.fleet.cells import CODES, TELLING, Reported
from anomscan.reports.records import Record
from anomscan.telemetry.series import Instants, Series

if TYPE_CHECKING:
    from anomscan.reports.scores import ScoreTable


def verdict_runs(
    record: Record, scores: ScoreTable | None, step: np.timedelta64, focus: tuple[int, int] | None
) -> list[list[int]]:
    """[code of the verdict, first and last sample in milliseconds] of each stretch of what was reported.

    Of very many stretches the worst verdict of each cell is told, and all those in ``focus``.
    """
    if scores is None or record.from_ is None or record.to is None:
        return []
    stretch = Reported.of(record)
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
    return coarse(runs, step / np.timedelta64(1, "ms"), focus, lambda code: float(TELLING[code]))


def health_runs(series: Series, focus: tuple[int, int] | None) -> list[list[Any]]:
    """[health, first and last sample in milliseconds] of each stretch with the same; none is carried over a gap.

    Of very many stretches the rarest health of each cell is told, and all those in ``focus``.
    """
    codes, at = series.health_codes, series.timestamps
    if not len(codes) or not (codes >= 0).any():
        return []
    edges = np.flatnonzero((np.diff(codes) != 0) | (np.diff(at) > series.cadence.step)) + 1
    starts, stops = np.append(0, edges), np.append(edges, len(codes))
    runs = [
        [series.health_names[codes[start]], *_ends(at, start, stop)]
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        if codes[start] >= 0
    ]
    counts = Counter(codes.tolist())
    often = {name: counts[code] for code, name in enumerate(series.health_names)}
    return coarse(runs, series.cadence.step / np.timedelta64(1, "ms"), focus, lambda health: -often[health])


def _put(runs: list[list[int]], code: int, first: np.datetime64, last: np.datetime64) -> None:
    if last >= first:
        ends = np.array([first, last], "datetime64[us]").astype("datetime64[ms]").astype(np.int64)
        runs.append([code, *ends.tolist()])


def _ends(at: Instants, start: int, stop: int) -> list[int]:
    ends: list[int] = at[[start, stop - 1]].astype("datetime64[ms]").astype(np.int64).tolist()
    return ends
