"""The use case behind ``compare``: detectors, views and cut-offs over the same history, side by side."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from anomscan.backtest.asset import AssetScan, Stretch
from anomscan.backtest.fleet import Backtest
from anomscan.backtest.verdicts import Verdict
from anomscan.config import Settings
from anomscan.errors import ConfigError, InputError, StoreError
from anomscan.incidents.explained import Explained, explained
from anomscan.incidents.incident import SILENT_KINDS
from anomscan.incidents.joining import Joining
from anomscan.jobs.engines import Engine, Lost
from anomscan.jobs.expecting import silent_after
from anomscan.jobs.job import Job, Known, samples_to_false
from anomscan.jobs.scan import ScanConsole
from anomscan.jobs.setups import Choice, CutoffChoice, Entrant, ScoredOnce, current_of, entrants
from anomscan.jobs.views import asset_list
from anomscan.judging.comparison import Comparison, Setup, compared
from anomscan.judging.events import Labels
from anomscan.judging.found import Found, JudgedAsset, Span
from anomscan.memory import rows_at_a_time
from anomscan.store.asset_list import members_of
from anomscan.store.partitions import Cut, Partition
from anomscan.store.snapshot import Snapshot
from anomscan.store.store import Store
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.names import FLEET

#: The most samples of a partition, and the fewest; how many partitions a small fleet is cut into.
_MOST_ROWS, _LEAST_ROWS, _PARTITIONS = 131_072, 8_192, 32
_JUDGED = (int(Verdict.OK), int(Verdict.ANOMALOUS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be compared.

    Parameters
    ----------
    job
        Which assets and days of which source.
    detectors, views, cutoffs
        As :class:`anomscan.jobs.setups.Choice` has them.
    alerts
        How many incidents a week of the whole fleet somebody would look at; None if nobody says.
    """

    job: Job
    detectors: Sequence[str] = ()
    views: Sequence[str] = ()
    cutoffs: Sequence[str] = ()
    alerts: float | None = None


@dataclass(slots=True)
class Part:
    """What was found about a part of the fleet.

    Parameters
    ----------
    judged
        By entrant and cut-off, the assets that could be judged.
    failed
        By entrant and cut-off, the assets that failed and why.
    scoring_s, judging_s
        CPU seconds by entrant, and by entrant and cut-off.
    """

    judged: defaultdict[tuple[int, int], list[JudgedAsset]] = field(default_factory=lambda: defaultdict(list))
    failed: defaultdict[tuple[int, int], dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    scoring_s: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    judging_s: defaultdict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(float))

    def add(self, other: Part) -> None:
        """Take in another part."""
        for key, assets in other.judged.items():
            self.judged[key] += assets
        for key, reasons in other.failed.items():
            self.failed[key] |= reasons
        for entrant, spent in other.scoring_s.items():
            self.scoring_s[entrant] += spent
        for key, spent in other.judging_s.items():
            self.judging_s[key] += spent


@dataclass(frozen=True, slots=True)
class Comparing:
    """Everything that decides what is found about a partition.

    Parameters
    ----------
    snapshot, known
        The telemetry, and how much of it exists.
    tried
        The set-ups.
    stretch
        The days that count.
    joining
        What makes one incident of several days.
    labelled
        The assets whose scores are kept.
    """

    snapshot: Snapshot
    known: Known
    tried: Sequence[Entrant]
    stretch: Stretch
    joining: Joining
    labelled: frozenset[str]

    def __call__(self, partition: Partition) -> Part:
        """Score the assets of a partition once with each detector, and judge them with each cut-off.

        Raises
        ------
        AnomscanError
            If the store or a detector cannot be used.
        """
        series = self.snapshot.whole(partition, as_of=self.known.as_of)
        if self.known.through is not None:
            series = [known for each in series if len(known := each.through(self.known.through))]
        part = Part()
        for place, entrant in enumerate(self.tried):
            detector = ScoredOnce(entrant.detector)
            for at, (_, rules) in enumerate(entrant.cutoffs):
                began, scored = time.thread_time(), detector.cpu_s
                backtest = Backtest(detector, rules, self.stretch)
                joining = replace(self.joining, shingle=rules.shingle)
                for each in explained(backtest, backtest.scan(series), joining, entrant.cohorts):
                    if isinstance(each.result, AssetScan):
                        part.judged[place, at].append(judged(each, each.result, scores=each.asset in self.labelled))
                    else:
                        part.failed[place, at][each.asset] = str(each.result.error)
                part.judging_s[place, at] += time.thread_time() - began - (detector.cpu_s - scored)
            part.scoring_s[place] += detector.cpu_s
        return part


def judged(told: Explained, result: AssetScan, *, scores: bool, gaps: bool = False) -> JudgedAsset:
    """What a scan found about an asset, as far as others can be held against it.

    Parameters
    ----------
    scores
        Whether its scores are kept.
    gaps
        Whether gaps are among its incidents: they are the same whatever scores.
    """
    rows = result.rows.start + np.flatnonzero(np.isin(result.judged.verdict, _JUDGED))
    at = result.series.timestamps
    watched = Span(_micros(at[rows[0]]), _micros(at[rows[-1]])) if len(rows) else None
    found = sorted(
        (
            Found(_instant(each.since), Span(_instant(each.first_flagged), _instant(each.last), each.kind))
            for each in told.incidents
            if gaps or each.kind not in SILENT_KINDS
        ),
        key=lambda each: each.flagged.start,
    )
    kept = (at[result.rows], result.score) if scores else (None, None)
    return JudgedAsset(result.asset, watched, tuple(found), *kept)


@dataclass(frozen=True, slots=True)
class Tried:
    """What all set-ups found on the stored history.

    Parameters
    ----------
    setups
        Each with its assets.
    current
        Which of them the settings have: detector, view and cut-off; None if none of them is tried.
    cadence
        Of the source.
    shingle
        Samples.
    cohort
        Of an asset; None if it has none.
    assets
        How many there are.
    """

    setups: Sequence[Setup]
    current: tuple[str, str, str] | None
    cadence: Cadence
    shingle: int
    cohort: Callable[[str], str | None]
    assets: int

    def compared(self, setups: Sequence[Setup], labels: Labels | None, alerts: float | None) -> Comparison:
        """Some of the set-ups, or parts of them, side by side."""
        return compared(setups, labels, self.cadence.step_us, self.cohort, slack=self.shingle, alerts=alerts)


def compare(
    settings: Settings, asked: Asked, labels: Labels | None, engine: Engine, console: ScanConsole
) -> Comparison:
    """Try all set-ups on the stored history, side by side.

    Parameters
    ----------
    labels
        What is known of the assets; None if nothing.

    Raises
    ------
    ConfigError
        If what was asked for makes no sense, or no set-up judges anything.
    StoreError
        If the store is damaged.
    AnomscanError
        If a detector cannot be used.
    """
    found = tried(settings, asked, labels, engine, console)
    return found.compared(found.setups, labels, asked.alerts)


def tried(settings: Settings, asked: Asked, labels: Labels | None, engine: Engine, console: ScanConsole) -> Tried:
    """Let all set-ups judge the stored history; as :func:`compare`, without holding them against each other."""
    job, (source, source_settings) = asked.job, settings.source(asked.job.source)
    snapshot = Store.open(settings.store.path).snapshot(source)
    known, cadence = job.known(settings), snapshot.layout.cadence
    cut = snapshot.cut(assets=job.assets, as_of=known.as_of)
    if not len(cut):
        raise StoreError("none of the assets is in the store", hint="fetch first, or name others with --asset")
    _check_labels(labels, set(cut.assets))
    shingle = settings.scan.shingle
    steps = silent_after(source_settings, cadence)
    joining = Joining(shingle, settings.incidents.close_after, steps, settings.scan.direction)
    with entrants(settings, snapshot, known, console, choice_of(asked, len(cut))) as entering:
        labelled = frozenset() if labels is None else frozenset(labels.bad)
        work = Comparing(snapshot, known, entering, job.stretch(settings), joining, labelled)
        whole = done(work, cut, job, engine, console)
        setups = list(_setups(entering, whole, cadence.step_us))
        current = current_of(settings, entering)
    members = members_of(asset_list(settings, snapshot, known))
    cohort = (lambda asset: FLEET) if members is None else members.get
    return Tried(setups, current, cadence, shingle, cohort, len(cut))


def choice_of(asked: Asked, assets: int) -> Choice:
    """The set-ups that are tried on a fleet of so many assets.

    Raises
    ------
    ConfigError
        If ``alerts`` is not above 0.
    """
    more = [] if asked.alerts is None else [_budget_of(asked.alerts, assets)]
    return Choice(asked.detectors, asked.views, asked.cutoffs, more)


def done(work: Comparing, cut: Cut, job: Job, engine: Engine, console: ScanConsole) -> Part:
    """Do the work on all assets.

    Raises
    ------
    AnomscanError
        If the store or a detector cannot be used.
    """
    whole = Part()
    most = rows_at_a_time(_MOST_ROWS, len(work.snapshot.layout.variables))
    rows = min(max(cut.rows // _PARTITIONS, _LEAST_ROWS), most)
    parts = cut.single() if job.assets is not None else cut.partitions(rows)
    with console.progress("comparing", len(cut)) as advance, engine:
        for partition, result in engine.map(work, parts):
            if isinstance(result, Lost):
                raise StoreError(f"a part of the fleet was lost: {result.reason}")
            whole.add(result)
            advance(partition.assets)
    return whole


def _setups(tried: Sequence[Entrant], whole: Part, step_us: int) -> Iterator[Setup]:
    for place, entrant in enumerate(tried):
        trained = entrant.detector.trained_through
        for at, (choice, rules) in enumerate(entrant.cutoffs):
            yield Setup(
                entrant.name,
                entrant.view,
                choice.text,
                sorted(whole.judged[place, at], key=lambda each: each.asset),
                failed=dict(sorted(whole.failed[place, at].items())),
                samples_to_false=samples_to_false(rules, entrant.settings, step_us),
                trained_through=None if trained is None else _micros(trained),
                scoring_s=whole.scoring_s[place],
                judging_s=whole.judging_s[place, at],
            )


def _budget_of(alerts: float, assets: int) -> CutoffChoice:
    """The rank by which a fleet has so many false alerts a week."""
    if not alerts > 0:
        raise ConfigError("--alerts is how many incidents a week somebody looks at", hint="give more than 0")
    return CutoffChoice("rank", f"1/{max(round(7 * assets / alerts), 1)}d")


def _check_labels(labels: Labels | None, assets: set[str]) -> None:
    if labels is None:
        return
    named = {*labels.bad, *labels.fine}
    if not named & assets:
        some = min(named)
        raise InputError(
            f"the labels name no asset that is compared: the first of theirs is '{some}'",
            hint="check the ids, and --asset",
        )


def _micros(at: np.datetime64) -> int:
    return int(at.astype("datetime64[us]").astype(np.int64))


def _instant(text: str) -> int:
    return _micros(np.datetime64(text.removesuffix("Z"), "us"))
