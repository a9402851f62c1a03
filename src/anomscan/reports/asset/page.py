"""The view of one asset: what its text tells, and what its script draws."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anomscan.reports.asset.drawing import drawing
from anomscan.reports.asset.near import NearMiss, near_misses
from anomscan.reports.chartdata import VerdictRun, hardly_watched
from anomscan.reports.fleet.packing import script_json
from anomscan.reports.fleet.rows import Row
from anomscan.reports.links import chart_stem
from anomscan.reports.records import Anomaly, Record
from anomscan.telemetry.series import Series

if TYPE_CHECKING:
    from anomscan.reports.scores import ScoreTable

#: Of more anomalies or spans only the last are listed; the charts and the records have all.
MOST_LISTED = 1_000
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
    image: str | None = None

    @classmethod
    def of(cls, record: Record, row: Row, series: Series | None, scores: ScoreTable | None) -> AssetPage:
        """That of a record; either of series and scores may be missing (None), neither may be empty."""
        return cls(
            record,
            row,
            chart_stem(record.asset),
            script_json(drawing(record, row.incidents, series, scores)),
            [*([] if series is not None else [_NO_VALUES]), *([] if scores is not None else [_NO_SCORES])],
            [] if scores is None else [_text(run, record) for run in hardly_watched(scores)],
            near_misses(scores),
        )

    def with_image(self, name: str) -> AssetPage:
        """The same with a link to its image."""
        return replace(self, image=name)

    @property
    def latest(self) -> list[Anomaly]:
        """The anomalies that the page lists, the last of them where there are many."""
        return self.record.anomalies[-MOST_LISTED:]

    @property
    def latest_spans(self) -> list[tuple[str, str]]:
        """The spans that it lists, likewise."""
        return self.record.spans[-MOST_LISTED:]

    @property
    def unit(self) -> str:
        """What a sample is called."""
        return "sample" if any("T" in timestamp for timestamp in _timestamps(self.record)) else "day"

    @property
    def variables(self) -> list[str]:
        """Those of the anomalies."""
        return list(dict.fromkeys(name for anomaly in self.record.anomalies for name in anomaly.values))

    @property
    def shares(self) -> bool:
        """Whether anomalies have several contributors."""
        return any(len(anomaly.contributions) > 1 for anomaly in self.record.anomalies)

    @property
    def contributors(self) -> bool:
        """Whether incidents have."""
        return any(len(told.incident.variables) > 1 for told in self.row.incidents)

    @property
    def losses(self) -> bool:
        """Whether anything was lost."""
        return any(value > 0 for told in self.row.incidents for value in told.incident.loss.values())

    @property
    def remarks(self) -> bool:
        """Whether anybody wrote anything."""
        return any(told.remarks for told in self.row.incidents)

    @property
    def in_sample(self) -> bool:
        """Whether the model was trained on any of the anomalies."""
        return any(anomaly.in_sample for anomaly in self.record.anomalies)


def _timestamps(record: Record) -> Iterable[str]:
    yield from (anomaly.timestamp for anomaly in record.anomalies)
    yield from (start for start, _ in record.spans)
    yield from (end for end in (record.from_, record.to) if end is not None)


def _text(run: VerdictRun, record: Record) -> tuple[str, str]:
    """The ends of a stretch as the record writes timestamps."""
    instants = "T" in (record.from_ or "")
    start, end = (f"{str(at)[:19]}Z" if instants else str(at)[:10] for at in (run.start, run.end))
    return start, end
