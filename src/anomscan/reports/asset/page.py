"""The view of one asset: what its text tells, and what its script draws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from anomscan.reports.asset.coarse import MOST
from anomscan.reports.asset.drawing import drawing
from anomscan.reports.asset.near import NearMiss, near_misses
from anomscan.reports.chartdata import VerdictRun, hardly_watched, instant
from anomscan.reports.fleet.packing import script_json
from anomscan.reports.fleet.rows import Row
from anomscan.reports.fleet.told import Told
from anomscan.reports.links import chart_stem
from anomscan.reports.records import Anomaly, Record
from anomscan.telemetry.series import Series

if TYPE_CHECKING:
    from anomscan.reports.scores import ScoreTable

#: Of more anomalies, spans or stretches only the last are listed, and of more numbers in a table fewer rows.
MOST_LISTED, MOST_NUMBERS = 1_000, 10_000
#: Of more incidents the worst and the latest are told, as many of each; of more variables those that are most amiss.
MOST_INCIDENTS, MOST_VARIABLES = 200, 40
#: So many variables are told of an incident or an anomaly, and so many stretches in a sentence.
MOST_NAMED, MOST_STRETCHES = 5, 20
_NO_VALUES = (
    "Values are missing: the store has none of this asset. "
    "The chart shows only those of the anomalies, from the record."
)
_NO_SCORES = (
    "Scores are missing: this run has no file of scores, or nothing about this asset in it. "
    "The chart shows only those of the anomalies, from the record."
)


@dataclass(frozen=True, slots=True)
class AssetPage:
    """What the view of an asset shows.

    Parameters
    ----------
    record, row
        The asset.
    stem
        The name of its view.
    drawing
        JSON that the script reads; it cannot end the element around it.
    missing
        What is not there, a sentence each.
    hardly_watched
        (first, last) of the stretches on which the cut-off was inflated, as timestamps are written.
    near
        Samples near the cut-off.
    incidents, variables
        Those that it shows, incidents the worst first.
    left_out
        What was left out for the size of the page, a sentence each.
    image
        The name of its image; None without one.
    """

    record: Record
    row: Row
    stem: str
    drawing: str
    missing: list[str]
    hardly_watched: list[tuple[str, str]]
    near: list[NearMiss]
    incidents: list[Told]
    variables: list[str]
    left_out: list[str]
    image: str | None = None

    @classmethod
    def of(cls, record: Record, row: Row, series: Series | None, scores: ScoreTable | None) -> AssetPage:
        """That of a record; either of series and scores may be missing (None), neither may be empty."""
        incidents = _worst_and_latest(row.incidents)
        known = list(
            dict.fromkeys(name for anomaly in record.anomalies for name in anomaly.values)
            if series is None
            else series.variables
        )
        variables = _most_amiss(known, incidents)
        content = drawing(record, incidents, variables, series, scores)
        return cls(
            record,
            row,
            chart_stem(record.asset),
            script_json(content),
            [*([] if series is not None else [_NO_VALUES]), *([] if scores is not None else [_NO_SCORES])],
            [] if scores is None else [_text(run, record) for run in hardly_watched(scores)],
            near_misses(scores),
            incidents,
            variables,
            [
                *_fewer(len(row.incidents), len(incidents), "incidents are told, the worst and the latest"),
                *_fewer(len(known), len(variables), "variables are drawn, those that are most amiss"),
                *_coarse(scores, series),
            ],
        )

    def with_image(self, name: str) -> AssetPage:
        """The same with a link to its image."""
        return replace(self, image=name)

    @property
    def latest(self) -> list[Anomaly]:
        """The anomalies that the page lists, the last of them where there are many."""
        return self.record.anomalies[-min(MOST_LISTED, MOST_NUMBERS // max(len(self.variables), 1)) :]

    @property
    def latest_spans(self) -> list[tuple[str, str]]:
        """The spans that it lists, likewise."""
        return self.record.spans[-MOST_LISTED:]

    @property
    def unit(self) -> str:
        """What a sample is called."""
        return "sample" if any("T" in timestamp for timestamp in _timestamps(self.record)) else "day"

    @property
    def latest_stretches(self) -> list[tuple[str, str]]:
        """The stretches on which it was hardly watched, likewise."""
        return self.hardly_watched[-MOST_STRETCHES:]

    @property
    def shares(self) -> bool:
        """Whether anomalies have several contributors."""
        return any(len(anomaly.contributions) > 1 for anomaly in self.latest)

    @property
    def contributors(self) -> bool:
        """Whether incidents have."""
        return any(len(told.incident.variables) > 1 for told in self.incidents)

    @property
    def losses(self) -> bool:
        """Whether anything was lost."""
        return any(value > 0 for told in self.incidents for value in told.incident.loss.values())

    @property
    def remarks(self) -> bool:
        """Whether anybody wrote anything."""
        return any(told.remarks for told in self.incidents)

    @property
    def in_sample(self) -> bool:
        """Whether the model was trained on any of the anomalies that are listed."""
        return any(anomaly.in_sample for anomaly in self.latest)


def _worst_and_latest(incidents: list[Told]) -> list[Told]:
    """The incidents that a page tells of, in the order in which they came, the worst first."""
    if len(incidents) <= MOST_INCIDENTS:
        return incidents
    half = MOST_INCIDENTS // 2
    worst, others = incidents[:half], incidents[half:]
    latest = {id(told) for told in sorted(others, key=lambda told: instant(told.incident.last))[-half:]}
    return [*worst, *(told for told in others if id(told) in latest)]


def _most_amiss(variables: list[str], incidents: Sequence[Told]) -> list[str]:
    """The variables that have a panel, in their own order."""
    if len(variables) <= MOST_VARIABLES:
        return variables
    amiss = (name for told in incidents for name, _ in told.incident.variables if name in variables)
    kept = set(list(dict.fromkeys([*amiss, *variables]))[:MOST_VARIABLES])
    return [name for name in variables if name in kept]


def _coarse(scores: ScoreTable | None, series: Series | None) -> Iterator[str]:
    verdicts = np.empty(0) if scores is None else np.array(scores.verdicts)
    health = np.empty(0) if series is None else series.health_codes
    if any(np.count_nonzero(told[1:] != told[:-1]) >= MOST for told in (verdicts, health)):
        yield "Away from the latest incident, strips tell the worst verdict and rarest health of many samples at once."


def _fewer(all_: int, shown: int, what: str) -> Iterator[str]:
    if shown < all_:
        yield f"For the size of this page, {shown:,} of {all_:,} {what}; the results have all."


def _timestamps(record: Record) -> Iterable[str]:
    yield from (anomaly.timestamp for anomaly in record.anomalies)
    yield from (start for start, _ in record.spans)
    yield from (end for end in (record.from_, record.to) if end is not None)


def _text(run: VerdictRun, record: Record) -> tuple[str, str]:
    """The ends of a stretch as the record writes timestamps."""
    instants = "T" in (record.from_ or "")
    start, end = (f"{str(at)[:19]}Z" if instants else str(at)[:10] for at in (run.start, run.end))
    return start, end
