"""What a chart shows, apart from how it is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomscan.backtest.cutoff import inflated
from anomscan.reports.records import Record
from anomscan.telemetry.series import Floats, Instants, Series

if TYPE_CHECKING:  # imports pyarrow, which a plain listing does not need
    from anomscan.reports.scores import ScoreTable

#: Verdicts that are marked on the calendar; the others show in the score itself.
MARKED_VERDICTS = ("warming-up", "skipped", "no-data")
# A calendar with this many times more places than samples is not filled with NaN.
_SPARSE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Values over time, broken by NaN where samples are missing.

    Parameters
    ----------
    y
        (m,) float32 or float64.
    start, step_ms
        The first instant (ISO) and the even step between places, in milliseconds.
    x
        (m,) float64, milliseconds since 1970, where the places are not even; None where they are.
    """

    y: NDArray[np.float32] | Floats
    start: str
    step_ms: float
    x: Floats | None


@dataclass(frozen=True, slots=True)
class VerdictRun:
    """Consecutive samples of one verdict, ``start`` and ``end`` inclusive."""

    start: np.datetime64
    end: np.datetime64


@dataclass(frozen=True, slots=True, eq=False)
class Normal:
    """What was expected of one variable.

    Parameters
    ----------
    expected, low, high
        The expected value and the band about it.
    median
        The median of the other members of the cohort; None without peers.
    """

    expected: Curve
    low: Curve
    high: Curve
    median: Curve | None


@dataclass(frozen=True, slots=True, eq=False)
class ChartData:
    """One asset's chart.

    Parameters
    ----------
    step
        The step between samples: that of the series, else the smallest seen.
    values
        A line for each variable, in order; empty without a series.
    variables
        The variables that have a panel: those of the series, else those of the anomalies.
    score, cutoff
        Their lines; None without scores; the cut-off's also where there is none at all.
    severity
        Its line; None where the detector gave none.
    normal
        By variable what was expected, where the scores have it.
    runs
        By verdict of ``MARKED_VERDICTS``, where it was given.
    hardly_watched
        The stretches on which the cut-off was inflated.
    window
        The stretch to show first: what was reported and a little before it; None where nothing was.
    """

    record: Record
    step: np.timedelta64
    variables: tuple[str, ...]
    values: dict[str, Curve]
    score: Curve | None
    cutoff: Curve | None
    severity: Curve | None
    normal: dict[str, Normal]
    runs: dict[str, list[VerdictRun]]
    hardly_watched: list[VerdictRun]
    window: tuple[np.datetime64, np.datetime64] | None


def instant(timestamp: str) -> np.datetime64:
    """A record's timestamp as datetime64[us], UTC."""
    return np.datetime64(timestamp.removesuffix("Z"), "us")


def shares(contributions: Sequence[tuple[str, float]]) -> list[tuple[str, str]]:
    """Each variable's share of the score as text, the largest first; the numbers themselves where they have no sum.

    >>> shares([("wind", 1.0), ("power", 3.0)])
    [('power', '75%'), ('wind', '25%')]
    """
    known = [(name, 0.0 if math.isnan(share) else share) for name, share in contributions]
    known.sort(key=lambda each: -each[1])
    total = math.fsum(share for _, share in known)
    return [(name, f"{share / total:.0%}" if total > 0 else f"{share:.3g}") for name, share in known]


def chart_data(series: Series | None, scores: ScoreTable | None, record: Record) -> ChartData:
    """Gather what one asset's chart shows; either of series and scores may be missing (None), neither may be empty."""
    step = step_of(series, scores, record)
    values: dict[str, Curve] = {}
    variables = tuple(dict.fromkeys(name for anomaly in record.anomalies for name in anomaly.values))
    if series is not None:
        variables = series.variables
        lines = _lines(series.timestamps, [series.values[:, i] for i in range(len(variables))], step)
        values = dict(zip(variables, lines, strict=True))
    score = cutoff = severity = None
    if scores is not None:
        score, cutoff = _lines(scores.timestamps, [scores.score, scores.cutoff], step)
        cutoff = None if np.isnan(scores.cutoff).all() and scores.severity is not None else cutoff
        if scores.severity is not None:
            (severity,) = _lines(scores.timestamps, [scores.severity], step)
    return ChartData(
        record=record,
        step=step,
        variables=variables,
        values=values,
        score=score,
        cutoff=cutoff,
        severity=severity,
        normal={} if scores is None else _normal(scores, variables, step),
        runs={} if scores is None else _runs(scores, record, step),
        hardly_watched=[] if scores is None else hardly_watched(scores),
        window=_window(record, step),
    )


def hardly_watched(scores: ScoreTable) -> list[VerdictRun]:
    """The stretches on which what had happened before had inflated the cut-off."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inflated(scores.cutoff), [False]]).astype(np.int8)))
    return [
        VerdictRun(scores.timestamps[start], scores.timestamps[stop - 1])
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
    ]


def _normal(scores: ScoreTable, variables: Sequence[str], step: np.timedelta64) -> dict[str, Normal]:
    found = {}
    for variable in variables:
        columns = [scores.columns.get(f"{kind}_{variable}") for kind in ("expected", "low", "high", "median")]
        told = [column for column in columns if column is not None and np.isfinite(column).any()]
        if len(told) >= 3:
            expected, low, high, *median = _lines(scores.timestamps, told, step)
            found[variable] = Normal(expected, low, high, median[0] if median else None)
    return found


def step_of(series: Series | None, scores: ScoreTable | None, record: Record) -> np.timedelta64:
    """The step between samples: that of the series, else the smallest seen."""
    if series is not None:
        return series.cadence.step
    if scores is not None and len(scores.timestamps) > 1:
        return np.timedelta64(int(np.diff(scores.timestamps.astype(np.int64)).min()), "us")
    # There is only the record: dates are a day wide; only the series would tell the width of instants.
    dates = all(len(end) == len("2017-01-01") for span in record.spans for end in span)
    return np.timedelta64(86_400_000_000 if dates else 1_000_000, "us")


def _lines(timestamps: Instants, columns: Sequence[Floats], step: np.timedelta64) -> list[Curve]:
    """Place columns on the calendar, or break them if it is too sparse or the samples do not lie on it."""
    start = str(timestamps[0])
    step_ms = float(step / np.timedelta64(1, "ms"))
    offsets = timestamps - timestamps[0]
    places = (offsets // step).astype(np.int64)
    length = int(places[-1]) + 1
    if length <= _SPARSE * len(timestamps) and not (offsets % step).any():
        lines = []
        for column in columns:
            y = np.full(length, np.nan)
            y[places] = column
            lines.append(Curve(_compact(y), start, step_ms, None))
        return lines
    breaks = np.flatnonzero(np.diff(timestamps) > step) + 1
    x = timestamps.astype("datetime64[us]").astype(np.int64) / 1000.0
    x = np.insert(x, breaks, x[breaks])
    return [Curve(_compact(np.insert(column, breaks, np.nan)), start, step_ms, x) for column in columns]


def _compact(y: Floats) -> NDArray[np.float32] | Floats:
    """The same curve in half the bytes, if nobody could see the difference."""
    with np.errstate(over="ignore"):  # what becomes infinite is seen below
        narrow = y.astype(np.float32)
    finite = np.isfinite(y)
    if not finite.any():
        return narrow
    half = np.ptp(y[finite] / 2) or math.inf  # the whole range may be no float
    return narrow if np.abs(narrow[finite] - y[finite]).max() <= 2e-5 * half else y


def _runs(scores: ScoreTable, record: Record, step: np.timedelta64) -> dict[str, list[VerdictRun]]:
    verdicts = np.array(scores.verdicts)
    edges = np.flatnonzero((verdicts[1:] != verdicts[:-1]) | (np.diff(scores.timestamps) > step)) + 1
    runs: dict[str, list[VerdictRun]] = {}
    first_judged = scores.timestamps[0]
    # The file begins with the first full window, and leaves out what lies deep in long gaps.
    unlisted = {name: record.verdicts.get(name, 0) > int((verdicts == name).sum()) for name in MARKED_VERDICTS}
    if record.from_ is not None and instant(record.from_) < first_judged:
        before = "no-data" if unlisted["no-data"] and not unlisted["warming-up"] else "warming-up"
        runs[before] = [VerdictRun(instant(record.from_), first_judged - step)]
    for first, stop in zip([0, *edges], [*edges, len(verdicts)], strict=True):
        name = str(verdicts[first])
        if name in MARKED_VERDICTS:
            is_cut = name == "no-data" and unlisted[name] and stop < len(verdicts)
            end = scores.timestamps[stop] - step if is_cut else scores.timestamps[stop - 1]
            runs.setdefault(name, []).append(VerdictRun(scores.timestamps[first], end))
    return runs


def _window(record: Record, step: np.timedelta64) -> tuple[np.datetime64, np.datetime64] | None:
    if record.from_ is None or record.to is None:
        return None
    begun = [*(start for start, _ in record.spans), *(incident.since for incident in record.incidents)]
    start = min(map(instant, [record.from_, *begun]))
    end = max(map(instant, [record.to, *(end for _, end in record.spans)]))
    margin = max((end - start) // 50, step)
    return start - margin, end + margin
