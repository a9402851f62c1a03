"""What the view of one asset draws, as its script reads it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anomscan.reports.asset.coarse import coarse
from anomscan.reports.asset.strips import health_runs, verdict_runs
from anomscan.reports.asset.thinning import thinned
from anomscan.reports.chartdata import hardly_watched, instant, step_of
from anomscan.reports.fleet.packing import packed
from anomscan.reports.fleet.told import Told
from anomscan.reports.records import DETECT_SCHEMA, Anomaly, Record
from anomscan.telemetry.series import Floats, Instants, Series

if TYPE_CHECKING:
    from anomscan.reports.scores import ScoreTable

_NORMAL = ("expected", "low", "high", "median")
#: The notebook's contributors of a sample: the first three, each its grey.
_CONTRIBUTORS = 3
#: Of more contributors of an incident the rest is one bar.
MOST_SHARES = 12
#: An incident is seen first with as much about it: twice as long, and as many steps at least. The script does likewise.
_ABOUT = 2, 30
#: Lines stay whole for as many steps before and after an anomalous sample.
_WHOLE = 50
#: Of more variables the score comes first.
_FEW = 3


def drawing(
    record: Record,
    incidents: Sequence[Told],
    variables: Sequence[str],
    series: Series | None,
    scores: ScoreTable | None,
) -> dict[str, Any]:
    """Panels on one axis of time: one a variable, the score, the severity; strips of health and verdicts; the marks.

    Its size depends on neither how many samples there are nor how many of them are anomalous.

    Parameters
    ----------
    incidents, variables
        Those that are drawn.
    series, scores
        Either may be missing (None), neither may be empty.
    """
    sketch = _Sketch(record, incidents, step_of(series, scores, record))
    # Below many variables nobody would look for the score.
    above, below = ([*sketch.scores(scores)], []) if len(variables) > _FEW else ([], [*sketch.scores(scores)])
    return {
        "asset": record.asset,
        "whole": all("T" not in each for each in (record.from_ or "", record.to or "")),
        "step": _ms(sketch.step),
        "reported": None if record.from_ is None or record.to is None else [_at(record.from_), _at(record.to)],
        "panels": [*above, *sketch.variables(variables, series, scores), *below],
        "marks": _instants(sketch.marks, sketch.step),
        "anomalous": len(record.anomalies),
        "incidents": [_incident(told) for told in incidents],
        "verdicts": verdict_runs(record, scores, sketch.step, sketch.ends),
        "health": [] if series is None else health_runs(series, sketch.ends),
        "inflated": [] if scores is None else sketch.inflated(scores),
    }


class _Sketch:
    """What the panels of an asset share: the stretch that is seen first, and the anomalous samples that are marked."""

    def __init__(self, record: Record, incidents: Sequence[Told], step: np.timedelta64) -> None:
        self.record, self.step = record, step
        self.anomalous = np.array([instant(each.timestamp) for each in record.anomalies], "datetime64[us]")
        self.focus = _focus(incidents, step)
        score = np.array([each.score for each in record.anomalies])
        kept = thinned(score, self._focus_in(self.anomalous), np.zeros(len(score), bool))
        self.marked = [record.anomalies[place] for place in kept.tolist()]
        self.marks = self.anomalous[kept]

    def variables(
        self, names: Sequence[str], series: Series | None, scores: ScoreTable | None
    ) -> Iterator[dict[str, Any]]:
        """A panel for each."""
        for variable in names:
            if series is not None:
                at, lines = series.timestamps, {"value": series.values[:, series.variables.index(variable)]}
            elif scores is not None:
                every = _of(variable, self.record.anomalies)
                at, lines = scores.timestamps, {"value": _looked_up(scores.timestamps, self.anomalous, every)}
            else:
                at, lines = self.marks, {"value": _of(variable, self.marked)}
            if scores is not None:
                columns = {kind: scores.columns.get(f"{kind}_{variable}") for kind in _NORMAL}
                for kind, column in columns.items():
                    if column is not None and np.isfinite(column).any():
                        lines[kind] = _looked_up(at, scores.timestamps, column)
            told = {"at": _numbers(_of(variable, self.marked)), "grey": self._greys(variable)}
            yield {"title": variable, "kind": "value", **told, **self._panel(at, lines)}

    def scores(self, scores: ScoreTable | None) -> Iterator[dict[str, Any]]:
        """That of the score and the cut-off, and that of the severity."""
        score, cutoff = (np.array([getattr(each, name) for each in self.marked]) for name in ("score", "cutoff"))
        at, lines = self.marks, {"score": score, "cutoff": cutoff}
        if scores is not None:
            at, lines = scores.timestamps, {"score": scores.score, "cutoff": scores.cutoff}
        if len(at) and np.isfinite(lines["score"]).any():
            if not np.isfinite(lines["cutoff"]).any():
                del lines["cutoff"]
            title = "score and cut-off" if "cutoff" in lines else "score"
            yield {"title": title, "kind": "score", "at": _numbers(score), **self._panel(at, lines)}
        if scores is not None and scores.severity is not None:
            severity = _looked_up(self.marks, scores.timestamps, scores.severity)
            panel = self._panel(at, {"severity": scores.severity})
            yield {"title": "severity", "kind": "severity", "at": _numbers(severity), **panel}

    def inflated(self, scores: ScoreTable) -> list[list[int]]:
        """The ends of the stretches on which the cut-off was inflated."""
        runs = [[1, _epoch_ms(run.start), _epoch_ms(run.end)] for run in hardly_watched(scores)]
        return [ends for _, *ends in coarse(runs, _ms(self.step), self.ends, float)]

    @property
    def ends(self) -> tuple[int, int] | None:
        """The ends of what is seen first, in milliseconds; None for all."""
        first, last = self.focus
        return None if np.isnat(first) else (_epoch_ms(first), _epoch_ms(last))

    def _panel(self, at: Instants, lines: Mapping[str, Floats]) -> dict[str, Any]:
        """Lines over the same instants, broken where samples are missing, and thinned."""
        breaks = np.flatnonzero(np.diff(at) > self.step) + 1
        at = np.insert(at, breaks, at[breaks - 1] + self.step)
        lines = {name: np.insert(line.astype(np.float64), breaks, np.nan) for name, line in lines.items()}
        # Where something is amiss all points stay, with as many about them as show that they are.
        edges = np.zeros(len(at) + 1, np.int64)
        places = np.searchsorted(at, self.anomalous)
        np.add.at(edges, np.maximum(places - _WHOLE, 0), 1)
        np.add.at(edges, np.minimum(places + _WHOLE, len(at)), -1)
        main = next(iter(lines.values()))
        kept = thinned(main, self._focus_in(at), np.cumsum(edges[:-1]) > 0)
        return {
            **_instants(at[kept], self.step),
            "lines": {name: packed(_narrow(line[kept])) for name, line in lines.items()},
        }

    def _focus_in(self, at: Instants) -> slice:
        return slice(*np.searchsorted(at, self.focus).tolist())

    def _greys(self, variable: str) -> str:
        """Of each mark the rank of a variable among its contributors, from 1 on; 0 for none of the first three."""
        if self.record.schema != DETECT_SCHEMA:
            return ""
        ranks = np.zeros(len(self.marked), np.uint8)
        for place, anomaly in enumerate(self.marked):
            first = [name for name, _ in anomaly.contributions[:_CONTRIBUTORS]]
            if len(anomaly.contributions) > 1 and variable in first:
                ranks[place] = first.index(variable) + 1
        return packed(ranks) if ranks.any() else ""


def _focus(incidents: Sequence[Told], step: np.timedelta64) -> Instants:
    """The ends of what is seen first: the latest incident, with as much about it as shows what is unusual in it."""
    if not incidents:
        return np.array(["NaT", "NaT"], "datetime64[us]")
    latest = max(incidents, key=lambda told: (told.is_open, instant(told.incident.last)))
    first, last = instant(latest.incident.since), instant(latest.incident.last)
    margin = max(_ABOUT[0] * (last - first), _ABOUT[1] * step)
    return np.array([first - margin, last + margin], "datetime64[us]")


def _of(variable: str, anomalies: Sequence[Anomaly]) -> Floats:
    return np.array([anomaly.values.get(variable, math.nan) for anomaly in anomalies], np.float64)


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


def _numbers(values: Floats) -> str:
    return packed(_narrow(values))


def _incident(told: Told) -> dict[str, Any]:
    incident = told.incident
    shares = [(name, share) for name, share in incident.variables if math.isfinite(share)]
    if len(shares) > MOST_SHARES:
        others = math.fsum(share for _, share in shares[MOST_SHARES:])
        shares = [*shares[:MOST_SHARES], (f"{len(shares) - MOST_SHARES} others", others)]
    return {
        "state": told.state,
        "words": told.words,
        "from": _at(incident.since),
        "to": _at(incident.last),
        "open": told.is_open,
        "shares": shares if len(shares) > 1 else [],
    }


def _at(timestamp: str) -> int:
    return _epoch_ms(instant(timestamp))


def _epoch_ms(at: np.datetime64) -> int:
    return int(at.astype("datetime64[ms]").astype(np.int64))


def _ms(step: np.timedelta64) -> float:
    return float(step / np.timedelta64(1, "ms"))
