"""A summary of a fleet's results, gathered while its records are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from anomscan.errors import InputError
from anomscan.incidents.words import in_words
from anomscan.reports.records import DETECT_SCHEMA, VERDICTS, Anomaly, Record
from anomscan.telemetry.names import PREFIX


@dataclass(frozen=True, slots=True)
class AssetFindings:
    """One asset's findings, as one row.

    Parameters
    ----------
    spans
        As in the record.
    anomalous
        How many samples are anomalous.
    worst_sigma
        The largest sigma; None where no anomaly has one.
    in_sample
        How many of the anomalies the model was trained on.
    """

    asset: str
    spans: list[tuple[str, str]]
    anomalous: int
    worst_sigma: float | None
    in_sample: int

    @classmethod
    def of(cls, record: Record) -> AssetFindings:
        """The row of one record."""
        anomalies = record.anomalies
        in_sample = sum(anomaly.in_sample for anomaly in anomalies)
        return cls(record.asset, record.spans, len(anomalies), worst_sigma(anomalies), in_sample)


class Summary:
    """Counts over records; memory holds a row per asset, never a record.

    Attributes
    ----------
    findings
        The assets and cohorts with findings, as they came.
    failed
        (asset, reason) of those that failed.
    open
        (asset, in words) of the open incidents, as they came.
    quiet
        The ids without findings or open incidents.
    verdicts
        The counts over all assets.
    first, last
        The first and last reported sample of any; None where nothing was reported.
    detectors, schemas
        The names that occur.
    """

    def __init__(self) -> None:
        self.findings: list[AssetFindings] = []
        self.failed: list[tuple[str, str]] = []
        self.open: list[tuple[str, str]] = []
        self.quiet: list[str] = []
        self.verdicts = dict.fromkeys(VERDICTS, 0)
        self.first: str | None = None
        self.last: str | None = None
        self.detectors: set[str] = set()
        self.schemas: set[str] = set()
        self._seen: set[str] = set()
        self._instants = False

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Pass records on and count them.

        Raises
        ------
        InputError
            If an asset comes twice: its counts would be told twice, and one of its charts would be lost.
        """
        for record in records:
            if record.asset in self._seen:
                raise InputError(
                    f"asset '{record.asset}' has two records", hint="report on the results of one run at a time"
                )
            self._count(record)
            yield record

    @property
    def assets(self) -> int:
        """How many assets were counted; cohorts are not."""
        return sum(not name.startswith(PREFIX) for name in self._seen)

    @property
    def with_findings(self) -> int:
        """How many of them have findings."""
        return sum(not finding.asset.startswith(PREFIX) for finding in self.findings)

    @property
    def samples(self) -> int:
        """How many samples were reported."""
        return sum(self.verdicts.values())

    @property
    def unit(self) -> str:
        """What a sample is called: a day if all timestamps are dates."""
        return "sample" if self._instants else "day"

    @property
    def command(self) -> str:
        """The command that wrote the records."""
        return "detect" if self.schemas == {DETECT_SCHEMA} else "scan"

    def ranked(self) -> list[AssetFindings]:
        """The findings, the worst sigma first; those without sigma by the number of anomalous samples."""

        def rank(finding: AssetFindings) -> tuple[bool, float, int, str]:
            sigma = finding.worst_sigma
            return sigma is None, -(sigma or 0.0), -finding.anomalous, finding.asset

        return sorted(self.findings, key=rank)

    def _count(self, record: Record) -> None:
        self._seen.add(record.asset)
        self.detectors.add(record.detector)
        self.schemas.add(record.schema)
        is_cohort = record.asset.startswith(PREFIX)
        for verdict, count in ({} if is_cohort else record.verdicts).items():
            self.verdicts[verdict] += count
        ends = [end for end in (self.first, self.last, record.from_, record.to) if end is not None]
        if ends:
            self._instants = self._instants or any("T" in end for end in ends)
            self.first, self.last = min(ends, key=_instant), max(ends, key=_instant)
        if record.error is not None:
            self.failed.append((record.asset, record.error))
        is_open = [incident for incident in record.incidents if incident.open]
        self.open += [(record.asset, in_words(incident)) for incident in is_open]
        if record.has_findings:
            self.findings.append(AssetFindings.of(record))
        elif record.error is None and not is_open and not is_cohort:
            self.quiet.append(record.asset)


def worst_sigma(anomalies: Iterable[Anomaly]) -> float | None:
    """The largest sigma; None if there is none."""
    return max((anomaly.sigma for anomaly in anomalies if anomaly.sigma is not None), default=None)


def in_span(anomalies: Iterable[Anomaly], span: tuple[str, str]) -> list[Anomaly]:
    """The anomalies of one span, both ends inclusive."""
    start, end = map(_instant, span)
    return [anomaly for anomaly in anomalies if start <= _instant(anomaly.timestamp) <= end]


def _instant(timestamp: str) -> datetime:
    """A record's timestamp, UTC; without NumPy, which takes long to import for a list."""
    return datetime.fromisoformat(timestamp.removesuffix("Z"))
