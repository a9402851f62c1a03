"""What the view of one asset draws, as its script reads it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anomscan.reports.asset.strips import health_runs, verdict_runs
from anomscan.reports.asset.thinning import thinned
from anomscan.reports.chartdata import hardly_watched, instant, step_of
from anomscan.reports.fleet.packing import packed
from anomscan.reports.fleet.told import Told
from anomscan.reports.records import DETECT_SCHEMA, Record
from anomscan.telemetry.series import Floats, Instants, Series

if TYPE_CHECKING:
    from anomscan.reports.scores import ScoreTable

_NORMAL = ("expected", "low", "high", "median")
#: The notebook's contributors of a sample: the first three, each its grey.
_CONTRIBUTORS = 3


def drawing(
    record: Record, incidents: Sequence[Told], series: Series | None, scores: ScoreTable | None
) -> dict[str, Any]:
    """Panels on one axis of time: one a variable, the score, the severity; strips of health and verdicts; the marks.

    Parameters
    ----------
    series, scores
        Either may be missing (None), neither may be empty.
    """
    step = step_of(series, scores, record)
    whole = all("T" not in each for each in (record.from_ or "", record.to or ""))
    places = {anomaly.timestamp: place for place, anomaly in enumerate(record.anomalies)}
    marks = np.array([instant(each) for each in places], "datetime64[us]")
    return {
        "asset": record.asset,
        "whole": whole,
        "step": _ms(step),
        "reported": None if record.from_ is None or record.to is None else [_at(record.from_), _at(record.to)],
        "panels": [*_variables(record, series, scores, marks, step), *_scores(record, scores, marks, step)],
        "marks": marks.astype("datetime64[ms]").astype(np.int64).tolist(),
        "incidents": [_incident(told) for told in incidents],
        "verdicts": verdict_runs(record, scores, step),
        "health": [] if series is None else health_runs(series),
        "inflated": []
        if scores is None
        else [[_epoch_ms(run.start), _epoch_ms(run.end)] for run in hardly_watched(scores)],
    }


def _variables(
    record: Record, series: Series | None, scores: ScoreTable | None, marks: Instants, step: np.timedelta64
) -> Iterator[dict[str, Any]]:
    known = dict.fromkeys(name for anomaly in record.anomalies for name in anomaly.values)
    for place, variable in enumerate(known if series is None else series.variables):
        values = np.array([anomaly.values.get(variable, math.nan) for anomaly in record.anomalies])
        if series is not None:
            at, lines = series.timestamps, {"value": series.values[:, place]}
        elif scores is not None:
            at, lines = scores.timestamps, {"value": _looked_up(scores.timestamps, marks, values)}
        else:
            at, lines = marks, {"value": values}
        if scores is not None:
            columns = {kind: scores.columns.get(f"{kind}_{variable}") for kind in _NORMAL}
            for kind, column in columns.items():
                if column is not None and np.isfinite(column).any():
                    lines[kind] = _looked_up(at, scores.timestamps, column)
        panel = _panel(at, lines, marks, step)
        yield {"title": variable, "kind": "value", "at": _floats(values), "grey": _greys(record, variable), **panel}


def _scores(
    record: Record, scores: ScoreTable | None, marks: Instants, step: np.timedelta64
) -> Iterator[dict[str, Any]]:
    score, cutoff = (np.array([getattr(each, name) for each in record.anomalies]) for name in ("score", "cutoff"))
    at, lines = marks, {"score": score, "cutoff": cutoff}
    if scores is not None:
        at, lines = scores.timestamps, {"score": scores.score, "cutoff": scores.cutoff}
    if len(at) and np.isfinite(lines["score"]).any():
        if not np.isfinite(lines["cutoff"]).any():
            del lines["cutoff"]
        title = "score and cut-off" if "cutoff" in lines else "score"
        yield {"title": title, "kind": "score", "at": _floats(score), **_panel(at, lines, marks, step)}
    if scores is not None and scores.severity is not None:
        severity = _looked_up(marks, scores.timestamps, scores.severity)
        panel = _panel(at, {"severity": scores.severity}, marks, step)
        yield {"title": "severity", "kind": "severity", "at": _floats(severity), **panel}


def _panel(at: Instants, lines: Mapping[str, Floats], marks: Instants, step: np.timedelta64) -> dict[str, Any]:
    """Lines over the same instants, broken where samples are missing, and thinned."""
    breaks = np.flatnonzero(np.diff(at) > step) + 1
    at = np.insert(at, breaks, at[breaks - 1] + step)
    lines = {name: np.insert(line.astype(np.float64), breaks, np.nan) for name, line in lines.items()}
    # Where something is amiss all points stay, with as many about them as show that they are.
    around = np.zeros(len(at), bool)
    for place in np.searchsorted(at, marks).tolist():
        around[max(place - 50, 0) : place + 50] = True
    main = next(iter(lines.values()))
    kept = thinned([main], around)
    return {
        **_instants(at[kept], step),
        "lines": {name: packed(_narrow(line[kept])) for name, line in lines.items()},
    }


def _instants(at: Instants, step: np.timedelta64) -> dict[str, Any]:
    """Instants as counts of steps where they are such, else as milliseconds."""
    if not len(at):
        return {"start": 0, "unit": 1, "x": ""}
    offsets = at - at[0]
    start = int(at[0].astype("datetime64[ms]").astype(np.int64))
    if not (offsets % step).any() and offsets[-1] // step < 1 << 32:
        return {"start": start, "unit": _ms(step), "x": packed((offsets // step).astype(np.uint32))}
    return {"start": start, "unit": 0, "x": packed((offsets / np.timedelta64(1, "ms")).astype(np.float64))}


def _looked_up(at: Instants, known: Instants, column: Floats) -> Floats:
    """A column at other instants; NaN at those it has not."""
    told = np.full(len(at), np.nan)
    if len(known):
        places = np.minimum(np.searchsorted(known, at), len(known) - 1)
        same = known[places] == at
        told[same] = column[places[same]]
    return told


def _narrow(line: Floats) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        narrow = line.astype(np.float32)
    return np.where(np.isfinite(narrow), narrow, np.float32(np.nan))


def _greys(record: Record, variable: str) -> list[int]:
    """Of each anomaly the rank of a variable among its contributors, from 1 on; 0 for none of the first three."""
    if record.schema != DETECT_SCHEMA:
        return []
    ranks = []
    for anomaly in record.anomalies:
        first = [name for name, _ in anomaly.contributions[:_CONTRIBUTORS]]
        ranks.append(first.index(variable) + 1 if len(anomaly.contributions) > 1 and variable in first else 0)
    return ranks if any(ranks) else []


def _incident(told: Told) -> dict[str, Any]:
    incident = told.incident
    shares = [[name, share] for name, share in incident.variables if math.isfinite(share)]
    return {
        "state": told.state,
        "words": told.words,
        "from": _at(incident.since),
        "to": _at(incident.last),
        "open": told.is_open,
        "shares": shares if len(shares) > 1 else [],
    }


def _floats(values: Iterable[float]) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def _at(timestamp: str) -> int:
    return _epoch_ms(instant(timestamp))


def _epoch_ms(at: np.datetime64) -> int:
    return int(at.astype("datetime64[ms]").astype(np.int64))


def _ms(step: np.timedelta64) -> float:
    return float(step / np.timedelta64(1, "ms"))
