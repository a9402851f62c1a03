"""What is done with a partition: read it, score it, judge it, record what was found; possibly on another machine."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from anomscan.backtest.asset import AssetScan
from anomscan.backtest.failures import Failure, surviving
from anomscan.backtest.fleet import Backtest
from anomscan.detectors.base import is_frozen
from anomscan.detectors.cohorts import cohorts_of
from anomscan.detectors.peers import with_cohorts
from anomscan.detectors.score_cache import CachedDetector, CachedScores, ScoreCache, continued
from anomscan.errors import AssetError
from anomscan.incidents.explained import Explained, explained
from anomscan.incidents.incident import Incident
from anomscan.incidents.joining import Joining
from anomscan.incidents.sparkline import sparkline
from anomscan.jobs.excused import Excused
from anomscan.jobs.finished import Finished
from anomscan.jobs.job import Known
from anomscan.jobs.tally import Tally
from anomscan.reports.findings import likeness_of, notes_of, record_of
from anomscan.reports.records import Record
from anomscan.reports.results import EncodedRecord, expected_columns
from anomscan.store.partitions import Partition, key_of
from anomscan.store.snapshot import FileId, Snapshot
from anomscan.telemetry.cohorts import Cohorts
from anomscan.telemetry.series import Series


@dataclass(frozen=True, slots=True)
class PartitionData:
    """The telemetry of a partition whose scores are kept in one file.

    Parameters
    ----------
    partition
        Which one.
    series
        Its assets' telemetry.
    kept
        What scores are kept of them.
    files
        The store's files that they go by; None if that is not known.
    end
        The checksum at the end of the file they are kept in; None if there is none that could be continued.
    """

    partition: Partition
    series: Sequence[Series]
    kept: Mapping[str, CachedScores] = field(default_factory=dict)
    files: frozenset[FileId] | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """Everything that decides the results of a partition.

    Parameters
    ----------
    snapshot
        The telemetry.
    known
        How much of it exists.
    backtest
        The detector and the rules.
    schema
        Of the records.
    cache
        Where scores are kept; None for nowhere.
    joining
        What makes one incident of several days.
    cohorts
        The peers of the assets; None where they play no part.
    common
        By the name of a cohort's record, its incidents.
    """

    snapshot: Snapshot
    known: Known
    backtest: Backtest
    schema: str
    cache: ScoreCache | None
    joining: Joining
    cohorts: Cohorts | None = None
    common: Mapping[str, Sequence[Incident]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """What the scores say of each day beside score, cut-off and verdict."""
        variables = self.snapshot.layout.variables
        return (
            *self.backtest.detector.capabilities.columns,
            *expected_columns(variables, peers=self.cohorts is not None),
        )

    @property
    def excused(self) -> Excused | None:
        """What planned outages excuse; None where there are none."""
        outages, expected = self.backtest.baseline.outages, self.backtest.expectations
        if not outages.by_asset:
            return None
        return Excused(outages, self.snapshot.layout.cadence, None if expected is None else expected.run_end)

    def __call__(self, partition: Partition, loaded: Sequence[PartitionData] | None = None) -> Finished:
        """Process a partition, which is read here unless it was loaded elsewhere.

        Raises
        ------
        AwayError, StoreError
            As for ``load``.
        """
        clock = _Clock()
        with clock.of("read"):
            pieces = self.load(partition) if loaded is None else loaded
        with clock.of("scan"):
            detector = self.backtest.detector
            if is_frozen(detector) and not self.backtest.whole:
                kept = {asset: each for piece in pieces for asset, each in piece.kept.items()}
                detector = CachedDetector(detector, kept)
            backtest = replace(self.backtest, detector=detector)
            results = backtest.scan([series for piece in pieces for series in piece.series])
        with clock.of("explain"):
            explained = self.explained(backtest, results)
        with clock.of("record"):
            finished = self.finished(explained)
            if isinstance(detector, CachedDetector) and self.cache is not None and self.cache.writes:
                news = [(piece, known) for piece in pieces if (known := self._news(piece, detector))]
                if loaded is not None:
                    finished = replace(
                        finished, known={asset: each for _, known in news for asset, each in known.items()}
                    )
                else:
                    for piece, known in news:
                        self.cache.keep(piece.partition, known, self.snapshot.files, piece.end)
        finished.tally.stages = dict(clock.spent)
        return finished

    def load(self, partition: Partition) -> list[PartitionData]:
        """Read everything that a partition takes.

        Raises
        ------
        AwayError
            If this process does not see the store.
        StoreError
            If it is damaged.
        """
        return [self._piece(piece) for piece in partition.pieces]

    def _piece(self, partition: Partition) -> PartitionData:
        if self.cache is None:
            return PartitionData(partition, self.read(partition))
        columns = self.cache.read(partition)
        # Only on the calendar is a series the same whatever parts of it come when.
        gaps = self.backtest.rules.long_gaps
        if self.known == Known() and gaps is not None:
            grown = continued(columns, self.snapshot, partition, gaps)
            if grown is not None:
                kept = grown.kept()
                series = [each.series(asset, self.snapshot.layout, gaps) for asset, each in kept.items()]
                return PartitionData(partition, series, kept, columns.files, columns.end)
        return PartitionData(partition, self.read(partition), columns.kept(), columns.files, columns.end)

    def _news(self, piece: PartitionData, detector: CachedDetector) -> dict[str, CachedScores]:
        """The scores of a piece to keep; nothing if they are kept already."""
        assets = [series.asset for series in piece.series]
        as_before = piece.end is not None and piece.files == self.snapshot.files
        if as_before and detector.changed.isdisjoint(assets):
            return {}
        return {asset: detector.known[asset] for asset in assets if asset in detector.known}

    def keep(self, partition: Partition, known: Mapping[str, CachedScores]) -> None:
        """Keep the scores of a partition that was processed elsewhere."""
        for piece in partition.pieces:
            own = {asset: each for asset, each in known.items() if piece.holds(key_of(asset))}
            if own and self.cache is not None:
                self.cache.keep(piece, own, self.snapshot.files)

    def read(self, partition: Partition) -> list[Series]:
        """A partition's telemetry, as far as it exists for this run.

        Raises
        ------
        AwayError
            If this process does not see the store.
        StoreError
            If it is damaged.
        """
        series = self.snapshot.whole(partition, as_of=self.known.as_of)
        if self.known.through is not None:
            series = [known for each in series if len(known := each.through(self.known.through))]
        return series

    def known_by(self, at: np.datetime64) -> Work:
        """The same work with the peers of an earlier time: their medians computed again, only from rows up to then."""
        if self.cohorts is None:
            return self
        cohorts = cohorts_of(self.snapshot, self.cohorts.members, as_of=self.known.as_of, through=at)
        cohorts = replace(cohorts, how=self.cohorts.how)
        detector = with_cohorts(self.backtest.detector, cohorts)
        return replace(self, backtest=replace(self.backtest, detector=detector), cohorts=cohorts)

    def failed(self, asset: str, reason: str) -> Finished:
        """The result of an asset that could not be scanned."""
        return self.finished([Explained(Failure(asset, AssetError(reason)))])

    def explained(self, backtest: Backtest, results: Sequence[AssetScan | Failure]) -> list[Explained]:
        """Results with what is wrong with the assets, and what was expected of those.

        Such an asset is judged as a whole, however few of its days are reported: what is wrong with it
        may have begun before them.
        """
        return explained(backtest, results, self.joining, self.cohorts, self.common)

    def finished(self, results: Sequence[Explained]) -> Finished:
        """Results in the form in which they are kept; one that cannot be encoded is a failure, too."""
        packed, tally = [], Tally()
        for told in surviving(self._told, results):
            (one,) = self._told([Explained(told)]) if isinstance(told, Failure) else (told,)
            record, result, notes, lines, likeness = one
            packed.append(result)
            tally.add(record, notes, lines, likeness, direction=self.joining.direction, excused=self.excused)
        if self.backtest.rules.threshold is None and not self.backtest.whole:
            scans = [each.result for each in results if isinstance(each.result, AssetScan)]
            tally.hardly_watched = sum(bool(scan.inflated.any()) for scan in scans)
        worst = [severity for result in packed for severity in result.severities if severity is not None]
        if worst:
            tally.most["severity"] = max(worst)
        tally.shorten()
        return Finished(packed, tally)

    def _told(
        self, results: Sequence[Explained]
    ) -> list[tuple[Record, EncodedRecord, list[str], list[str], tuple[str, str] | None]]:
        told = []
        for each in results:
            record = record_of(
                each, schema=self.schema, detector=self.backtest.detector.name, shingle=self.backtest.rules.shingle
            )
            notes = notes_of(each.result, self.backtest.min_severity)
            lines = []
            if isinstance(each.result, AssetScan):
                lines = [sparkline(each.result.series, incident) for incident in each.incidents if incident.open]
            likeness = likeness_of(each.result)
            told.append((record, EncodedRecord.of(record, each, self.columns), notes, lines, likeness))
        return told


class _Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent[stage] += time.perf_counter() - began
