"""A run from beginning to end: divide the fleet, let an engine do the partitions, keep what is finished."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anomscan import __version__
from anomscan.backtest.fleet import Backtest, Failure
from anomscan.config import Settings
from anomscan.detectors.base import Detector, is_frozen
from anomscan.detectors.score_cache import ScoreCache
from anomscan.errors import AssetError, ConfigError, StoreError
from anomscan.incidents.explained import Explained
from anomscan.incidents.joining import Joining
from anomscan.incidents.ledger import Entry
from anomscan.jobs.checkpoint import Checkpoint
from anomscan.jobs.cohort_records import cohort_results
from anomscan.jobs.engines import Engine, Lost
from anomscan.jobs.expecting import expectations, silent_after
from anomscan.jobs.finished import Finished
from anomscan.jobs.job import Job, rules_of
from anomscan.jobs.labels import labels_of
from anomscan.jobs.outages import outages
from anomscan.jobs.tally import Tally
from anomscan.jobs.views import in_view
from anomscan.jobs.work import Work
from anomscan.memory import MOST_VALUES, lacking, rows_at_a_time
from anomscan.store.partitions import Cut, Partition
from anomscan.store.snapshot import Snapshot
from anomscan.telemetry.baseline import Baseline
from anomscan.telemetry.cadence import instant_text
from anomscan.wording import counted

#: The most samples of a partition; how many partitions a small fleet is cut into; the fewest samples of one.
MOST_ROWS, PARTITIONS, LEAST_ROWS = 262_144, 64, 16_384

#: The memory that a value takes while it is scanned, as measured: 200 bytes with a forest, 300 with control charts.
VALUE_BYTES = 300

#: How many partitions are joined into one in a nightly run.
NIGHTLY = 4

#: The partition that stands for assets that are not in the store.
_NOWHERE = "nowhere"
#: The partition that stands for the cohorts.
_COHORTS = "cohorts"


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is ready to go.

    Parameters
    ----------
    job
        What was asked for.
    work
        What is done with each partition.
    cut
        The assets that are in the store.
    missing
        The assets asked for that are not.
    of_cohorts
        The results of the cohorts, where the detector compares with peers.
    facts
        All that decides the results, beside the data and the model.
    """

    job: Job
    work: Work
    cut: Cut
    missing: Sequence[str]
    of_cohorts: Sequence[Explained]
    facts: dict[str, Any]

    @classmethod
    def of(
        cls, settings: Settings, job: Job, snapshot: Snapshot, detector: Detector, labelled: Iterable[Entry] = ()
    ) -> Run:
        """Prepare a run.

        Parameters
        ----------
        labelled
            Incidents of which people have said what they were.

        Raises
        ------
        ConfigError
            If what was asked for makes no sense.
        StoreError
            If the store is damaged, or everything in it was dropped.
        """
        least = job.severity_above(settings)
        known = job.known(settings)
        _, chosen = settings.detector(job.detector)
        baseline = Baseline(outages(settings, job, snapshot), labels_of(labelled, settings, job, snapshot))
        _refuse_hindsight(detector, job)
        detector, cohorts = in_view(detector, chosen, settings, snapshot, known, baseline=baseline)
        rules = rules_of(settings.scan, snapshot.layout.cadence, detector.capabilities, chosen.cutoff)
        backtest = Backtest(detector, rules, job.stretch(settings), job.whole, least)
        joining = Joining(
            rules.shingle,
            settings.incidents.close_after,
            silent_after(settings.source(job.source)[1], snapshot.layout.cadence),
            settings.scan.direction,
        )
        backtest = replace(
            backtest, expectations=expectations(settings, job, snapshot, joining.silent_after), baseline=baseline
        )
        cut = snapshot.cut(assets=job.assets, as_of=known.as_of)
        if len(cut) == 0 and job.assets is None and known.as_of is None:
            raise StoreError("all samples of the source were dropped from the store", hint="run anomscan fetch")
        missing = sorted(set(job.assets) - set(cut.assets)) if job.assets is not None else []
        of_cohorts = (
            []
            if cohorts is None
            else cohort_results(backtest, joining, cohorts, snapshot.layout, settings.scan, chosen, job.assets)
        )
        common = {each.asset: each.incidents for each in of_cohorts}
        work = Work(snapshot, known, backtest, job.schema, _cache(job, snapshot, backtest), joining, cohorts, common)
        return cls(job, work, cut, missing, of_cohorts, job.facts(settings))

    @property
    def assets(self) -> int:
        """How many assets it has to do with."""
        return len(self.cut) + len(self.missing)

    @property
    def key(self) -> str:
        """Changes when the results may."""
        decisive = {
            "anomscan": __version__,
            "schema": self.job.schema,
            "facts": self.facts,
            "data": self.work.snapshot.revision,
            "model": self.work.backtest.detector.fingerprint,
            "assets": None if self.job.assets is None else sorted(set(self.job.assets)),
        }
        if labels := self.work.backtest.baseline.labels:
            decisive["labels"] = {asset: repr(own) for asset, own in labels.items()}
        return _hash(decisive)

    def partitions(self) -> list[Partition]:
        """The partitions of the fleet; the same for the same fleet."""
        if self.job.assets is not None:
            return self.cut.single()
        if self.work.backtest.detector.capabilities.remote:
            return self.cut.partitions(MOST_ROWS)  # fewer and larger calls
        # Half as much again, so that buckets that are a little larger than others are not cut.
        most = rows_at_a_time(MOST_ROWS, len(self.work.snapshot.layout.variables))
        rows = min(max(self.cut.rows * 3 // (2 * PARTITIONS), LEAST_ROWS), most)
        partitions = self.cut.partitions(rows)
        if not self._is_nightly:
            return partitions
        # If few days are reported, there is little to do for each asset, and a batch should hold more assets.
        return [Partition.of(partitions[start : start + NIGHTLY]) for start in range(0, len(partitions), NIGHTLY)]

    @property
    def _is_nightly(self) -> bool:
        """Whether a few days are reported of a long history."""
        return self.job.days is not None and self.job.days * len(self.cut) * 32 <= self.cut.rows

    def go(self, engine: Engine, checkpoint: Checkpoint, watch: Callable[[Tally], None]) -> None:
        """Do all partitions that the checkpoint does not have yet.

        Parameters
        ----------
        watch
            Called with the counts of each partition that is finished.

        Raises
        ------
        AnomscanError
            If no asset can be scanned at all, or results cannot be kept. What is finished stays in the checkpoint.
        """

        def keep(name: str, finished: Finished, partition: Partition | None) -> None:
            if finished.known is not None and partition is not None:
                self.work.keep(partition, finished.known)
            checkpoint.add(name, finished, partition)
            watch(finished.tally)

        if self.of_cohorts and _COHORTS not in checkpoint.tallies:
            keep(_COHORTS, self.work.finished(self.of_cohorts), None)
        if self.missing and _NOWHERE not in checkpoint.tallies:
            keep(_NOWHERE, self._nowhere(self.missing), None)
        waiting = [left for partition in self.partitions() for left in self._left(partition, checkpoint)]
        while waiting:
            given, waiting = waiting, []
            for partition in given:
                if (lack := self._lacking(partition)) is not None:
                    keep(partition.name, self.work.failed(partition.low[1], lack), partition)
            given = [partition for partition in given if partition.name not in checkpoint.tallies]
            for partition, result in engine.map(self.work, given, self.work.load):
                if not isinstance(result, Lost):
                    # An asset asked for by name may begin after all that the run may know.
                    late = self.job.assets is not None and not result.results
                    keep(partition.name, self._nowhere([partition.low[1]]) if late else result, partition)
                elif partition.assets > 1:
                    waiting += self.cut.halves(partition)
                else:
                    keep(partition.name, self.work.failed(partition.low[1], result.reason), partition)
        if self.work.cache is not None:
            self.work.cache.tidy(piece for partition in self.partitions() for piece in partition.pieces)

    def _lacking(self, partition: Partition) -> str | None:
        """Why there is not enough memory for an asset that is alone in its partition; None if there is.

        Partitions of several assets are small.
        """
        variables, rows = len(self.work.snapshot.layout.variables), self.cut.rows_of(partition)
        if partition.assets > 1 or rows * variables <= MOST_VALUES:
            return None
        lack = lacking(rows * variables * VALUE_BYTES)
        return None if lack is None else f"to scan {rows:,} samples of {counted(variables, 'variable')} {lack}"

    def _left(self, partition: Partition, checkpoint: Checkpoint) -> Iterator[Partition]:
        """What of a partition is not in the checkpoint: it may have been halved before the run was interrupted."""
        if partition.name in checkpoint.tallies:
            return
        if partition.assets > 1 and any(partition.meets(done) for done in checkpoint.partitions):
            for half in self.cut.halves(partition):
                yield from self._left(half, checkpoint)
        else:
            yield partition

    def _nowhere(self, assets: Sequence[str]) -> Finished:
        source = self.facts["source"]
        results = [
            Failure(asset, AssetError(f"source '{source}' has no asset '{asset}' in the store")) for asset in assets
        ]
        return self.work.finished([Explained(each) for each in results])

    def report(self, tally: Tally, started: datetime) -> dict[str, Any]:
        """The facts of the run when it is done."""
        arrived, threshold = self.work.snapshot.arrived, self.work.backtest.rules.threshold
        return {
            "anomscan": __version__,
            "schema": self.job.schema,
            **self.facts,
            "run": self.key,
            "config_hash": _hash(self.facts),
            "data_hash": self.work.snapshot.revision,
            "data_arrived": None if arrived is None else instant_text(arrived),
            **({} if threshold is None else {"threshold": threshold}),
            **({"retrospective": True} if self.work.backtest.detector.capabilities.retrospective else {}),
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "assets": tally.assets,
            "with_findings": tally.findings,
            "failed": tally.failed,
            "verdicts": dict(tally.verdicts),
            **self._cohort_facts(),
            "stages_s": {stage: round(spent, 3) for stage, spent in tally.stages.items()},
        }

    def _cohort_facts(self) -> dict[str, Any]:
        cohorts = self.work.cohorts
        if cohorts is None:
            return {}
        return {
            "without_cohort": sum(cohorts.cohort(asset) is None for asset in self.cut.assets),
            "cohorts": {
                name: {
                    "assets": int(middles.count.max(initial=0)),
                    "shared": None if math.isnan(share := cohorts.shared.get(name, math.nan)) else round(share, 4),
                }
                for name, middles in cohorts.middles.items()
            },
        }


def _refuse_hindsight(detector: Detector, job: Job) -> None:
    """Refuse a detector that looks ahead where only what was known on a day may count.

    Raises
    ------
    ConfigError
        If it does.
    """
    if detector.capabilities.retrospective and not (job.whole or job.retrospective):
        raise ConfigError(
            f"detector '{detector.name}' looks at what came later: its verdict on a day was not to be had then",
            hint="run detect, set causal = true for the detector, or add --retrospective to have it all the same",
        )


def _cache(job: Job, snapshot: Snapshot, backtest: Backtest) -> ScoreCache | None:
    """Where the scores of a run are kept: beside the telemetry, if that lies in a folder."""
    if backtest.whole or not isinstance(snapshot.folder, Path) or not is_frozen(backtest.detector):
        return None
    whole = job.assets is None and job.as_of is None and job.through is None
    return ScoreCache.of(
        snapshot.folder / "scores",
        fingerprint=backtest.detector.fingerprint,
        shingle=backtest.rules.shingle,
        gaps=backtest.rules.long_gaps,
        reads=not job.rescore,
        writes=whole,
    )


def _hash(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
