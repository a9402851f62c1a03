"""What a run amounts to, whatever its size: counts, the worst assets, the failures."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from anomscan.errors import ExitCode, worst
from anomscan.incidents.incident import SILENT_KINDS, Incident
from anomscan.incidents.words import in_words
from anomscan.jobs.excused import Excused
from anomscan.reports.records import Record
from anomscan.telemetry.names import PREFIX

#: Assets that are named before the rest becomes a count.
NAMED = 20
#: Spans of an asset that are told; the records have all.
SPANS = 20
#: The rank of an asset that sends nothing, before all others; JSON has it, too.
SILENT = -sys.float_info.max


@dataclass(slots=True)
class Tally:
    """Counts of some assets; those of several partitions are merged in any order.

    Parameters
    ----------
    assets
        All that were tried.
    verdicts
        How many reported samples have each verdict.
    unit
        What a verdict is given to: ``days``, or ``samples`` at cadences finer than a day.
    findings, failed
        Assets with anomalies; assets with an error.
    counting
        Assets with anomalies on the side that counts, see ``[scan] direction``, and in no planned outage.
    ranked
        (anomalous days, asset, its last spans) of the assets with most, at most ``NAMED``.
    failures
        (asset, reason), the first ``NAMED`` by asset.
    notes
        What else a person should know, the first ``NAMED``; ``unshown_notes`` counts the others.
    incidents
        How many there are, those that are over among them.
    open_incidents, new_incidents
        Those that are open, and those first flagged on a reported day.
    muted_findings, muted_silent
        Assets whose anomalous days are all of incidents that somebody acknowledged or snoozed; silent samples of such,
        or in a planned outage.
    most
        The largest sigma and severity of an anomalous day that counts, where there is one.
    stale
        Why the source is stale, in one line; empty if it is not.
    hardly_watched
        Assets with days on which their cut-off was inflated by what their windows held.
    open
        (less the largest score, asset, in words, the values as a line of blocks) of the open incidents, the worst
        ``NAMED``: first the silent ones, ``SILENT``, up to half of them; ``unshown_open`` counts the others.
    expected_false
        How many false incidents the cut-off allows for on the samples that were judged; None if it does not say.
    stages
        Seconds that workers spent on each stage of the work, summed over the workers.
    """

    assets: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    unit: str = "days"
    findings: int = 0
    counting: int = 0
    failed: int = 0
    ranked: list[tuple[int, str, str]] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unshown_notes: int = 0
    incidents: int = 0
    open_incidents: int = 0
    new_incidents: int = 0
    muted_findings: int = 0
    muted_silent: int = 0
    most: dict[str, float] = field(default_factory=dict)
    stale: str = ""
    hardly_watched: int = 0
    open: list[tuple[float, str, str, str]] = field(default_factory=list)
    unshown_open: int = 0
    expected_false: float | None = None
    stages: dict[str, float] = field(default_factory=dict)

    def add(
        self,
        record: Record,
        notes: Iterable[str] = (),
        lines: Sequence[str] = (),
        likeness: tuple[str, str] | None = None,
        *,
        direction: str = "both",
        excused: Excused | None = None,
    ) -> None:
        """Count one asset; a cohort's record is not one.

        Parameters
        ----------
        notes
            What a person should know about it.
        lines
            The values about each of its open incidents as a line of blocks; none where they are not at hand.
        likeness
            A sample and what it resembles, in words: told with the open incident that it belongs to.
        direction
            If it is not ``both``, only anomalous days in one of the incidents count.
        excused
            What planned outages excuse; None for nothing.
        """
        is_open = [each for each in record.incidents if each.open]
        day, like = likeness or ("", "")
        words = [
            f"{in_words(each)}; {like}" if each.peak and each.first_flagged <= day <= each.last else in_words(each)
            for each in is_open
        ]
        self.open += [
            (_rank(each), record.asset, told, line)
            for each, told, line in zip(is_open, words, lines or [""] * len(is_open), strict=True)
        ]
        self.incidents += len(record.incidents)
        if excused is None or excused.now(record.asset) is None:
            self.open_incidents += sum(each.open for each in record.incidents)
            self.new_incidents += sum(each.first_flagged >= (record.from_ or "") for each in record.incidents)
        if record.asset.startswith(PREFIX):
            return
        self.muted_silent += 0 if excused is None else excused.silent(record)
        self.assets += 1
        for verdict, count in record.verdicts.items():
            self.verdicts[verdict] += count
        self.notes += notes
        if record.from_ is not None and "T" in record.from_:
            self.unit = "samples"
        if record.error is not None:
            self.failed += 1
            self.failures.append((record.asset, record.error))
        elif record.has_findings:
            self.findings += 1
            counting = [
                anomaly
                for anomaly in record.anomalies
                if (direction == "both" or _told(record, anomaly.timestamp))
                and not (excused is not None and excused.day(record.asset, anomaly.timestamp))
            ]
            self.counting += bool(counting)
            sigmas = [anomaly.sigma for anomaly in counting if anomaly.sigma is not None]
            if sigmas:
                self.most["sigma"] = max(self.most.get("sigma", sigmas[0]), *sigmas)
            self.ranked.append((record.verdicts["anomalous"], record.asset, _latest(record.spans)))

    def merge(self, other: Tally) -> None:
        """Count what another one did."""
        self.assets += other.assets
        self.verdicts.update(other.verdicts)
        self.unit = max(self.unit, other.unit)
        self.findings += other.findings
        self.counting += other.counting
        self.failed += other.failed
        for stage, spent in other.stages.items():
            self.stages[stage] = self.stages.get(stage, 0.0) + spent
        self.unshown_notes += other.unshown_notes
        self.incidents += other.incidents
        self.open_incidents += other.open_incidents
        self.new_incidents += other.new_incidents
        self.muted_findings += other.muted_findings
        self.muted_silent += other.muted_silent
        self.stale = self.stale or other.stale
        for name, number in other.most.items():
            self.most[name] = max(self.most.get(name, number), number)
        self.hardly_watched += other.hardly_watched
        self.unshown_open += other.unshown_open
        self.open += other.open
        self.ranked += other.ranked
        self.failures += other.failures
        self.notes += other.notes
        self.shorten()

    def shorten(self) -> None:
        """Keep the names of those that are to be named."""
        self.ranked = sorted(self.ranked, key=lambda entry: (-entry[0], entry[1]))[:NAMED]
        self.failures = sorted(self.failures)[:NAMED]
        self.unshown_notes += max(len(self.notes) - NAMED, 0)
        self.notes = sorted(self.notes)[:NAMED]
        ordered = sorted(self.open)
        silent = sum(rank == SILENT for rank, *_ in ordered)
        # However many send nothing, half of the room is left for the others.
        self.open = (ordered[: min(silent, NAMED // 2)] + ordered[silent:])[:NAMED]
        self.unshown_open += len(ordered) - len(self.open)

    def allow_for_false(self, samples_to_false: float | None) -> None:
        """Tell how many incidents of those that were found may be false, by how rare the cut-off means them to be."""
        judged = self.verdicts["ok"] + self.verdicts["anomalous"]
        self.expected_false = judged / samples_to_false if samples_to_false and judged else None

    @property
    def judged_nothing(self) -> bool:
        """Whether the assets that were scanned have no day with a verdict: all are warming up or lack data."""
        unjudged = self.verdicts["warming-up"] + self.verdicts["no-data"]
        return self.assets > self.failed and self.verdicts.total() == unjudged

    def code(self, *, fails: bool = False) -> ExitCode:
        """The exit code these results call for."""
        codes = [ExitCode.ASSETS_FAILED] if self.failed or self.judged_nothing else []
        if fails:
            codes.append(ExitCode.FINDINGS)
        return worst(codes)


def _rank(incident: Incident) -> float:
    """The smaller, the worse: an asset that sends nothing has lost all there is to lose."""
    if incident.kind in SILENT_KINDS:
        return SILENT
    return -abs(incident.peak.score if incident.peak else 0.0)


def _told(record: Record, timestamp: str) -> bool:
    return any(each.since <= timestamp <= each.last for each in record.incidents)


def _latest(spans: Sequence[tuple[str, str]]) -> str:
    """Spans in words, the last ``SPANS`` of them.

    >>> _latest([("2026-01-01", "2026-01-01"), ("2026-02-01", "2026-02-03")])
    '2026-01-01, 2026-02-01..2026-02-03'
    >>> _latest([("2026-01-01", "2026-01-01")] * 1_500).startswith("1,480 earlier, 2026-01-01, ")
    True
    """
    earlier = [f"{len(spans) - SPANS:,} earlier"] if len(spans) > SPANS else []
    return ", ".join([*earlier, *(start if start == end else f"{start}..{end}" for start, end in spans[-SPANS:])])
