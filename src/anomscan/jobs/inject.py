"""The use case behind ``inject``: faults put into copies of calm history, and which of them set-ups catch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anomscan.backtest.asset import AssetScan, Stretch
from anomscan.backtest.fleet import Backtest
from anomscan.config import Settings
from anomscan.detectors.peers import with_cohorts
from anomscan.detectors.registry import kind_of
from anomscan.errors import ConfigError, StoreError
from anomscan.incidents.explained import explained
from anomscan.incidents.joining import Joining
from anomscan.jobs.compare import Asked, choice_of, judged
from anomscan.jobs.engines import Engine, Lost
from anomscan.jobs.expecting import silent_after
from anomscan.jobs.faulty_copies import Copy, PeersOfOne, Planned, calm, faulty
from anomscan.jobs.job import Job, Known
from anomscan.jobs.scan import ScanConsole
from anomscan.jobs.setups import Choice, Entrant, ScoredOnce, entrants
from anomscan.jobs.views import asset_list
from anomscan.judging.comparison import Comparison
from anomscan.judging.events import Labels
from anomscan.judging.faults import FAULTS
from anomscan.judging.found import JudgedAsset
from anomscan.judging.injection import Sensitivity, Trial, sensitivity
from anomscan.store.asset_list import members_of
from anomscan.store.partitions import Partition
from anomscan.store.snapshot import Snapshot
from anomscan.store.store import Store
from anomscan.telemetry.series import Series

#: How large faults are: in scales, and in samples.
SIZES, LENGTHS = (1.0, 2.0, 4.0, 8.0), (1.0, 3.0, 7.0, 14.0, 30.0)
#: The most assets whose history is used.
_MOST_ASSETS = 60


@dataclass(frozen=True, slots=True)
class Injected:
    """What became of the faults.

    Parameters
    ----------
    setups
        Detector, view and cut-off of each.
    trials
        Each fault under each set-up.
    assets
        How many assets lent their history.
    unplaced
        How many faults found no calm place.
    """

    setups: Sequence[tuple[str, str, str]]
    trials: Sequence[Trial]
    assets: int
    unplaced: int

    @property
    def found(self) -> list[Sensitivity]:
        """What each set-up catches."""
        return [sensitivity(each for each in self.trials if each.setup == place) for place in range(len(self.setups))]


@dataclass(frozen=True, slots=True)
class Injecting:
    """Everything that decides what becomes of the faults of an asset.

    Parameters
    ----------
    planned
        By asset.
    labels
        Where no fault is put, beside all places of incidents; None if nothing is known.
    members
        Asset -> its cohort; None where all are one.
    """

    snapshot: Snapshot
    known: Known
    tried: Sequence[Entrant]
    joining: Joining
    planned: Mapping[str, Sequence[Planned]]
    labels: Labels | None
    members: Mapping[str, str] | None

    def __call__(self, partition: Partition) -> tuple[list[Trial], int]:
        """The trials on one asset, and how many faults found no place.

        Raises
        ------
        AnomscanError
            If the store or a detector cannot be used.
        """
        (series,) = self.snapshot.whole(partition, as_of=self.known.as_of)
        if self.known.through is not None:
            series = series.through(self.known.through)
        planned = self.planned[series.asset]
        if self.tried[0].cutoffs[0][1].calendar:
            series = series.on_calendar()
        before = [each for entrant in self.tried for each in self._judged(entrant, [series], None)]
        labels = () if self.labels is None else (self.labels.bad, self.labels.fine)
        known = [span for spans in labels for span in spans.get(series.asset, ())]
        free = calm(series, [each[0] for each in before if each], known)
        if not all(before) or not free.any():
            return [], len(planned)
        after = self.joining.close_after + 1
        copies = [faulty(series, free, number, each, after) for number, each in enumerate(planned)]
        there = [each for each in copies if each is not None]
        return list(self._trials(series, there)), len(copies) - len(there)

    def _judged(self, entrant: Entrant, batch: Sequence[Series], original: Series | None) -> list[list[JudgedAsset]]:
        """By cut-off, what is found about some series; the copies of an asset have its peers."""
        detector, cohorts = entrant.detector, entrant.cohorts
        if original is not None and cohorts is not None:
            cohorts = PeersOfOne.of(cohorts, original)
            detector = with_cohorts(detector, cohorts)
        once = ScoredOnce(detector)
        found = []
        for _, rules in entrant.cutoffs:
            backtest = Backtest(once, rules, Stretch())
            joining = replace(self.joining, shingle=rules.shingle)
            told = explained(backtest, backtest.scan(batch), joining, cohorts)
            found.append(
                [
                    judged(each, each.result, scores=False, gaps=True)
                    for each in told
                    if isinstance(each.result, AssetScan)
                ]
            )
        return found

    def _trials(self, series: Series, copies: Sequence[Copy]) -> Iterator[Trial]:
        cohort = None if self.members is None else self.members.get(series.asset)
        place = 0
        for entrant in self.tried:
            for results in self._judged(entrant, [each.series for each in copies], series):
                found = {each.asset: each for each in results}
                for copy in copies:
                    one = found.get(copy.series.asset)
                    met = [] if one is None else [each.flagged for each in one.found if each.flagged.meets(copy.span)]
                    first = min((each.start for each in met), default=None)
                    late = np.nan if first is None else max(first - copy.span.start, 0) / series.cadence.step_us
                    yield Trial(
                        place,
                        copy.fault.kind,
                        copy.fault.size,
                        cohort,
                        bool(met),
                        float(late),
                        copy.share,
                        copy.span.start,
                    )
                place += 1


def inject(
    settings: Settings,
    job: Job,
    choice: Choice,
    labels: Labels | None,
    engine: Engine,
    console: ScanConsole,
    *,
    trials: int,
    seed: int,
    kinds: Sequence[str] = (),
) -> Injected:
    """Put faults into copies of the calm history of some assets, and tell which of them set-ups catch.

    Parameters
    ----------
    trials
        How many faults there are of each kind and size.
    kinds
        Names of faults; by default all.

    Raises
    ------
    ConfigError
        If what was asked for makes no sense.
    StoreError
        If the store is damaged, or holds none of the assets.
    AnomscanError
        If a detector cannot be used.
    """
    source, source_settings = settings.source(job.source)
    snapshot = Store.open(settings.store.path).snapshot(source)
    known, layout = job.known(settings), snapshot.layout
    wanted = _kinds(kinds, len(layout.variables))
    members = members_of(asset_list(settings, snapshot, known))
    everyone = list(snapshot.cut(assets=job.assets, as_of=known.as_of).assets)
    if not everyone:
        raise StoreError("none of the assets is in the store", hint="fetch first, or name others with --asset")
    plan = planned(_drawn(everyone, members, seed), wanted, trials, seed)
    steps = silent_after(source_settings, layout.cadence)
    joining = Joining(settings.scan.shingle, settings.incidents.close_after, steps, settings.scan.direction)
    with entrants(settings, snapshot, known, console, choice) as entering:
        _check(entering)
        work = Injecting(snapshot, known, entering, joining, plan, labels, members)
        found, unplaced = _done(work, engine, console)
        setups = [(each.name, each.view, one.text) for each in entering for one, _ in each.cutoffs]
    if not found:
        raise StoreError(
            "no asset has a calm stretch that is long enough for a fault",
            hint="fetch more history, or name other assets",
        )
    return Injected(setups, found, len(plan), unplaced)


def caught_by(
    settings: Settings,
    asked: Asked,
    compared: Comparison,
    labels: Labels | None,
    engine: Engine,
    console: ScanConsole,
    *,
    trials: int,
    seed: int,
) -> dict[str, Sensitivity]:
    """By name, what the set-ups of a comparison catch of made-up faults; without those whose scores are recorded.

    Raises
    ------
    StoreError
        If no asset has calm history that is long enough.
    AnomscanError
        If a detector cannot be used.
    """
    recorded = {name for name, each in settings.detectors.items() if kind_of(each).recorded}
    here = {
        (row.detector, row.view, row.cutoff): row.name
        for row in compared.rows
        if row.left_out is None and row.detector not in recorded
    }
    choice = replace(choice_of(asked, compared.assets + compared.left_out), among=here)
    found = inject(settings, asked.job, choice, labels, engine, console, trials=trials, seed=seed)
    return {here[setup]: each for setup, each in zip(found.setups, found.found, strict=True)}


def _check(entering: Sequence[Entrant]) -> None:
    for entrant in entering:
        kind = kind_of(entrant.settings)
        if kind.recorded or kind.remote:
            raise ConfigError(
                f"detector '{entrant.name}' does not score here, so it cannot score made-up faults",
                hint="name another with --detector",
            )


def _done(work: Injecting, engine: Engine, console: ScanConsole) -> tuple[list[Trial], int]:
    """All trials in the order of the assets, whichever was finished first, and how many faults found no place."""
    done: dict[Partition, tuple[list[Trial], int]] = {}
    parts = work.snapshot.cut(assets=list(work.planned), as_of=work.known.as_of).single()
    with console.progress("injecting", len(parts)) as advance, engine:
        for partition, result in engine.map(work, parts):
            if isinstance(result, Lost):
                raise StoreError(f"a part of the fleet was lost: {result.reason}")
            done[partition] = result
            advance(1)
    ordered = [done[partition] for partition in parts]
    return [trial for trials, _ in ordered for trial in trials], sum(unplaced for _, unplaced in ordered)


def _kinds(named: Sequence[str], variables: int) -> list[str]:
    unknown = next((each for each in named if each not in FAULTS), None)
    if unknown is not None:
        raise ConfigError(f"there is no kind of fault '{unknown}'", hint=f"choose among {', '.join(FAULTS)}")
    found = [each for each in named or FAULTS if FAULTS[each].variables <= variables]
    if not found:
        raise ConfigError(f"a fault of kind {named[0]} needs {FAULTS[named[0]].variables} variables")
    return found


def _drawn(assets: Sequence[str], members: Mapping[str, str] | None, seed: int) -> list[str]:
    """Some assets, those of all cohorts by turns."""
    random = np.random.default_rng(seed)
    order = sorted(assets)
    random.shuffle(order)
    if members is not None:
        turns: dict[str | None, int] = {}
        place = {}
        for asset in order:
            name = members.get(asset)
            place[asset] = turns[name] = turns.get(name, 0) + 1
        order.sort(key=lambda asset: place[asset])
    return order[:_MOST_ASSETS]


def planned(assets: Sequence[str], kinds: Sequence[str], trials: int, seed: int) -> dict[str, list[Planned]]:
    """The faults by asset: as many of each kind and size, the assets by turns."""
    found: dict[str, list[Planned]] = {}
    turn = 0
    for kind in kinds:
        for size in LENGTHS if FAULTS[kind].by_length else SIZES:
            for number in range(trials):
                found.setdefault(assets[turn % len(assets)], []).append(Planned(kind, size, seed + number))
                turn += 1
    return found
