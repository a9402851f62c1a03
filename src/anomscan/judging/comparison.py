"""Set-ups side by side: what each finds, how much of it others find, and how it stands to what is known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from anomscan.judging.agreement import agreement, with_common_cause
from anomscan.judging.events import Labels, caught
from anomscan.judging.found import JudgedAsset, Span, common_stretches
from anomscan.judging.intervals import Interval, bootstrap, mean, middle, ratio, wilson
from anomscan.judging.vus import chance, vus_pr
from anomscan.telemetry.series import Floats

_WEEK_US = 7 * 86_400_000_000
#: A set-up that judges a smaller share of the assets than the best one is not compared.
_LEAST = 0.5


@dataclass(frozen=True, slots=True)
class Setup:
    """A detector with a view and a cut-off, and what it found.

    Parameters
    ----------
    detector, view, cutoff
        What it is.
    judged
        Its assets, in order.
    failed
        Asset -> why it could not be judged.
    samples_to_false
        How many samples it says there are to a false one; None if it does not say.
    trained_through
        Microseconds since 1970: the end of what it has learnt from; None if nothing was trained.
    scoring_s, judging_s
        CPU seconds. Scores are shared by the cut-offs of a detector and view.
    """

    detector: str
    view: str
    cutoff: str
    judged: Sequence[JudgedAsset]
    failed: Mapping[str, str] = field(default_factory=dict)
    samples_to_false: float | None = None
    trained_through: int | None = None
    scoring_s: float = 0.0
    judging_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, what it lies between with 90 % confidence, and what chance gives; None where it is not known."""

    value: float | None
    interval: Interval | None = None
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One set-up.

    Parameters
    ----------
    detector, view, cutoff
        What it is.
    left_out
        Why it is not compared; None if it is. Then all that follows is empty.
    incidents, per_week
        How many there are, and a week of the whole fleet.
    kinds
        How many of each kind.
    common
        How many begin when those of many others of their cohort do.
    agreement
        By place among the rows, the share of the incidents of both that meet one of the other.
    expected_false
        How many false incidents the cut-off allows for on the same days.
    in_sample
        Whether the model has learnt from days that are judged.
    events
        Known bad spans in what was watched.
    recall, delay, off, false, vus_pr
        Against them: the share caught; samples from their start to the first flag, and to the onset told; false
        incidents a week of the whole fleet; and how well scores tell them, whatever the cut-off.
    recall_by_kind
        By kind of the spans, where these have kinds: how many were caught, of how many.
    """

    detector: str
    view: str
    cutoff: str
    failed: int
    scoring_s: float
    judging_s: float
    left_out: str | None = None
    incidents: int = 0
    per_week: Figure = Figure(None)
    kinds: Mapping[str, int] = field(default_factory=dict)
    common: int = 0
    agreement: tuple[float | None, ...] = ()
    expected_false: float | None = None
    in_sample: bool = False
    events: int = 0
    recall: Figure = Figure(None)
    delay: Figure = Figure(None)
    off: Figure = Figure(None)
    false: Figure = Figure(None)
    vus_pr: Figure = Figure(None)
    recall_by_kind: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The set-up in one text."""
        return f"{self.detector}, {self.view}, {self.cutoff}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All set-ups on the same days of the same assets.

    Parameters
    ----------
    rows
        The set-ups.
    assets
        Those that every set-up judged.
    left_out
        How many others there are.
    asset_weeks
        How much was watched of them.
    first, last
        Microseconds since 1970: the outermost samples.
    labelled
        Whether anything is known of them.
    alerts
        How many incidents a week somebody would look at; None if nobody says.
    """

    rows: tuple[Row, ...]
    assets: int
    left_out: int
    asset_weeks: float
    first: int
    last: int
    labelled: bool
    alerts: float | None


def compared(
    setups: Sequence[Setup],
    known: Labels | None,
    step_us: int,
    cohort: Callable[[str], str | None],
    *,
    slack: int,
    alerts: float | None = None,
) -> Comparison:
    """Hold set-ups against each other on the days that all of them judged.

    Parameters
    ----------
    known
        Spans that are known to be bad; None if nothing is known.
    step_us
        From one sample to the next.
    cohort
        Of an asset; None if it has none.
    slack
        In samples: how far apart incidents with a common cause begin, and half the margin of VUS-PR.
    """
    watched = [sum(each.watched is not None for each in setup.judged) for setup in setups]
    fit = [many > _LEAST * max(watched) for many in watched]
    stretches = common_stretches([setup.judged for setup, good in zip(setups, fit, strict=True) if good])
    ground = _Ground(
        [_within(setup.judged, stretches) if good else [] for setup, good in zip(setups, fit, strict=True)],
        np.array([(span.end - span.start + step_us) / _WEEK_US for _, span in sorted(stretches.items())]),
        step_us,
        slack,
        cohort,
    )
    rows = [_row(setup, assets, ground) for setup, assets in zip(setups, ground.setups, strict=True)]
    if known is not None:
        scores: dict[tuple[str, str], Figure] = {}
        for place, (row, assets) in enumerate(zip(rows, ground.setups, strict=True)):
            if row.left_out is None:
                key = row.detector, row.view
                scores[key] = scores.get(key) or _quality(assets, known, 2 * slack)
                rows[place] = replace(_against(row, assets, known, ground), vus_pr=scores[key])
    named = {each.asset for setup in setups for each in setup.judged} | {a for setup in setups for a in setup.failed}
    first, last = (
        choose((getattr(span, end) for span in stretches.values()), default=0)
        for choose, end in ((min, "start"), (max, "end"))
    )
    left, weeks = len(named) - len(stretches), float(ground.weeks.sum())
    return Comparison(tuple(rows), len(stretches), left, weeks, first, last, known is not None, alerts)


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """What set-ups are compared on.

    Parameters
    ----------
    setups
        By set-up the assets within the stretches that all judged; none of a set-up that is left out.
    weeks
        (a,) float64: how long each was watched.
    """

    setups: Sequence[Sequence[JudgedAsset]]
    weeks: Floats
    step_us: int
    slack: int
    cohort: Callable[[str], str | None]

    def weekly(self, counts: Floats, by_chance: float | None = None) -> Figure:
        """Incidents a week of the whole fleet, from those of each asset."""
        assets, cases = len(self.weeks), np.column_stack([counts, self.weeks])
        interval = bootstrap(cases, ratio)
        scaled = None if interval is None else (interval[0] * assets, interval[1] * assets)
        return Figure(_number(ratio(cases) * assets), scaled, by_chance)


def _within(assets: Sequence[JudgedAsset], stretches: Mapping[str, Span]) -> list[JudgedAsset]:
    return [each.within(stretches[each.asset]) for each in assets if each.asset in stretches]


def _why(setup: Setup) -> str:
    if setup.failed:
        return next(iter(setup.failed.values()))
    return "it judges no day of most assets: too little history, or nothing to compare with"


def _row(setup: Setup, assets: Sequence[JudgedAsset], ground: _Ground) -> Row:
    row = Row(setup.detector, setup.view, setup.cutoff, len(setup.failed), setup.scoring_s, setup.judging_s)
    if not assets:
        return replace(row, left_out=_why(setup))
    counts = np.array([len(each.found) for each in assets], float)
    samples = ground.weeks.sum() * _WEEK_US / ground.step_us
    starts = [each.watched.start for each in assets if each.watched is not None]
    return replace(
        row,
        incidents=int(counts.sum()),
        per_week=ground.weekly(counts),
        kinds=dict(Counter(found.flagged.kind for each in assets for found in each.found).most_common()),
        common=with_common_cause(assets, ground.cohort, ground.slack * ground.step_us),
        agreement=tuple(
            _number(agreement(assets, other)) if other and other is not assets else None for other in ground.setups
        ),
        expected_false=float(samples / setup.samples_to_false) if setup.samples_to_false else None,
        in_sample=setup.trained_through is not None and min(starts) <= setup.trained_through,
    )


def _against(row: Row, assets: Sequence[JudgedAsset], known: Labels, ground: _Ground) -> Row:
    found = caught(assets, known, ground.step_us)
    events, hits = len(found.met.hit), int(found.met.hit.sum())
    of = Counter(found.kinds)
    hit = Counter(kind for kind, each in zip(found.kinds, found.met.hit, strict=True) if each)

    def median(own: Floats, others: Floats) -> Figure:
        interval = bootstrap(own / ground.step_us, middle)
        return Figure(_number(middle(own) / ground.step_us), interval, _number(middle(others) / ground.step_us))

    weekly = ratio(np.column_stack([found.false[:, 1], ground.weeks])) * len(ground.weeks)
    return replace(
        row,
        events=events,
        recall=Figure(hits / events if events else None, wilson(hits, events), _number(mean(found.chance.hit))),
        delay=median(found.met.delay, found.chance.delay),
        off=median(found.met.off, found.chance.off),
        false=ground.weekly(found.false[:, 0], _number(weekly)),
        recall_by_kind={kind: (hit[kind], many) for kind, many in of.items() if kind},
    )


def _quality(assets: Sequence[JudgedAsset], known: Labels, window: int) -> Figure:
    """The mean VUS-PR of the assets that have a known bad span."""
    values, by_chance = [], []
    for each in assets:
        if each.timestamps is None or each.score is None or each.asset not in known.bad:
            continue
        label = np.zeros(len(each.timestamps), bool)
        at = each.timestamps.view(np.int64)
        for span in known.bad[each.asset]:
            label |= (at >= span.start) & (at <= span.end)
        value = vus_pr(label, each.score, window)
        if math.isfinite(value):
            values.append(value)
            by_chance.append(chance(label, each.score, window))
    found = np.array(values)
    return Figure(_number(mean(found)), bootstrap(found, mean), _number(mean(np.array(by_chance))))


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
