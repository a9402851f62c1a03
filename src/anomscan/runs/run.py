"""A run from beginning to end: cut the fleet, let an engine do the units, keep what is finished."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anomscan import __version__
from anomscan.backtest.engines import Engine, Lost
from anomscan.backtest.fleet import Backtest, Failure
from anomscan.config import Settings
from anomscan.detectors.base import Detector, FrozenDetector
from anomscan.detectors.kept import Keeper
from anomscan.errors import AssetError
from anomscan.runs.finished import Finished
from anomscan.runs.job import Job, rules_of
from anomscan.runs.journal import Journal
from anomscan.runs.tally import Tally
from anomscan.runs.work import Away, Sent, Work
from anomscan.telemetry.snapshot import Snapshot
from anomscan.telemetry.units import Cut, Unit

#: Samples of a unit: at most; a small fleet is cut into so many units, but not into units of less than the least.
MOST_ROWS, UNITS, LEAST_ROWS = 262_144, 64, 16_384

#: So many units make one in a nightly run.
NIGHTLY = 4

#: The unit that stands for assets that are not in the store.
_NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is ready to go.

    Parameters
    ----------
    job
        What was asked for.
    work
        What is done with each unit.
    cut
        The assets that are in the store.
    missing
        The assets asked for that are not.
    facts
        All that decides the results, beside the data and the model.
    """

    job: Job
    work: Work
    cut: Cut
    missing: Sequence[str]
    facts: dict[str, Any]

    @classmethod
    def of(cls, settings: Settings, job: Job, snapshot: Snapshot, detector: Detector) -> Run:
        """Make it ready.

        Raises
        ------
        ConfigError
            If what was asked for makes no sense.
        StoreError
            If the store is damaged.
        """
        least = job.severity_above(settings)
        backtest = Backtest(detector, rules_of(settings.scan), job.stretch, job.whole, least)
        horizon = job.horizon
        cut = snapshot.cut(assets=job.assets, as_of=horizon.as_of)
        missing = sorted(set(job.assets) - set(cut.assets)) if job.assets is not None else []
        work = Work(snapshot, horizon, backtest, job.schema, _keeper(job, snapshot, backtest))
        return cls(job, work, cut, missing, job.facts(settings))

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
        return _hash(decisive)

    def units(self) -> list[Unit]:
        """How the fleet is cut; the same fleet always in the same way."""
        if self.job.assets is not None:
            return self.cut.single()
        if self.work.backtest.detector.capabilities.remote:
            return self.cut.units(MOST_ROWS)  # fewer and larger calls
        # Half as much again, so that buckets that are a little larger than others are not cut.
        rows = min(max(self.cut.rows * 3 // (2 * UNITS), LEAST_ROWS), MOST_ROWS)
        units = self.cut.units(rows)
        if not self._is_nightly:
            return units
        # Where little is reported of each asset, there is little to do for it, and a batch should hold more of them.
        return [Unit.of(units[start : start + NIGHTLY]) for start in range(0, len(units), NIGHTLY)]

    @property
    def _is_nightly(self) -> bool:
        """Whether a few days are reported of a long history."""
        return self.job.days is not None and self.job.days * len(self.cut) * 32 <= self.cut.rows

    def go(self, engine: Engine, journal: Journal, watch: Callable[[Tally], None]) -> None:
        """Do all units that the journal does not have yet.

        Parameters
        ----------
        watch
            Called with the counts of each unit that is finished.

        Raises
        ------
        AnomscanError
            If no asset can be scanned at all, or results cannot be kept. What is finished stays in the journal.
        """

        def keep(name: str, finished: Finished, unit: Unit | None) -> None:
            if finished.known is not None and unit is not None:
                self.work.keep(unit, finished.known)
            journal.add(name, finished, unit)
            watch(finished.tally)

        if self.missing and _NOWHERE not in journal.tallies:
            keep(_NOWHERE, self._nowhere(self.missing), None)
        waiting = [left for unit in self.units() for left in self._left(unit, journal)]
        away: list[Unit] = []
        while waiting or away:
            given = self._given(waiting, away)
            waiting, away = [], []
            for unit, result in engine.map(self.work, given):
                plain = unit.unit if isinstance(unit, Sent) else unit
                if isinstance(result, Away):
                    away.append(plain)
                elif not isinstance(result, Lost):
                    # An asset asked for by name may begin after all that the run may know.
                    late = self.job.assets is not None and not result.results
                    keep(plain.name, self._nowhere([plain.low[1]]) if late else result, plain)
                elif plain.assets > 1:
                    waiting += self.cut.halves(plain)
                else:
                    keep(plain.name, self.work.failed(plain.low[1], result.reason), plain)
        if self.work.keeper is not None:
            self.work.keeper.tidy(piece for unit in self.units() for piece in unit.pieces)

    def _given(self, waiting: Sequence[Unit], away: Sequence[Unit]) -> Iterator[Unit | Sent]:
        """What the engine gets: units that workers read, and those that are read here for them."""
        yield from waiting
        for unit in away:
            yield self.work.sent(unit)

    def _left(self, unit: Unit, journal: Journal) -> Iterator[Unit]:
        """What of a unit is not in the journal: it may have been halved before the run was interrupted."""
        if unit.name in journal.tallies:
            return
        if unit.assets > 1 and any(unit.meets(done) for done in journal.units):
            for half in self.cut.halves(unit):
                yield from self._left(half, journal)
        else:
            yield unit

    def _nowhere(self, assets: Sequence[str]) -> Finished:
        source = self.facts["source"]
        results = [
            Failure(asset, AssetError(f"source '{source}' has no asset '{asset}' in the store")) for asset in assets
        ]
        return self.work.finished(results)

    def report(self, tally: Tally, started: datetime) -> dict[str, Any]:
        """The facts of the run when it is done."""
        return {
            "anomscan": __version__,
            "schema": self.job.schema,
            **self.facts,
            "run": self.key,
            "config_hash": _hash(self.facts),
            "data_hash": self.work.snapshot.revision,
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "assets": tally.assets,
            "with_findings": tally.findings,
            "failed": tally.failed,
            "verdicts": dict(tally.verdicts),
            "stages_s": {stage: round(spent, 3) for stage, spent in tally.stages.items()},
        }


def _keeper(job: Job, snapshot: Snapshot, backtest: Backtest) -> Keeper | None:
    """Where the scores of a run are kept: beside the telemetry, if that lies in a folder."""
    if backtest.whole or not isinstance(snapshot.folder, Path) or not isinstance(backtest.detector, FrozenDetector):
        return None
    whole = job.assets is None and job.as_of is None and job.through is None
    return Keeper.of(
        snapshot.folder / "scores",
        fingerprint=backtest.detector.fingerprint,
        shingle=backtest.rules.shingle,
        calendar=backtest.rules.calendar,
        reads=not job.rescore,
        writes=whole,
    )


def _hash(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
