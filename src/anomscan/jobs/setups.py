"""Set-ups: a detector, what it sees, and a cut-off; to be tried side by side on the same history."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomscan.backtest.rules import Rules
from anomscan.config import (
    ControlChartSettings,
    DetectorSettings,
    NearestSettings,
    ScanSettings,
    Settings,
)
from anomscan.detectors.base import Capabilities, Detector, Scores
from anomscan.detectors.cohorts import cohorts_of
from anomscan.detectors.kind import Console
from anomscan.detectors.registry import kind_of, opened
from anomscan.errors import AnomscanError, ConfigError
from anomscan.jobs.job import OWN_THRESHOLD, Known, rules_of
from anomscan.jobs.views import asset_list, in_view
from anomscan.store.asset_list import members_of
from anomscan.store.snapshot import Snapshot
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.cohorts import FEWEST_OTHERS, Cohorts
from anomscan.telemetry.series import Floats, LongGaps, Series

_DAY_US = 86_400_000_000
_VIEWS = ("own", "peers")
#: Samples to a false one, of the ranks that are tried unless cut-offs are named.
_RARE = (90, 365, 1826)


@dataclass(frozen=True, slots=True)
class CutoffChoice:
    """A cut-off by its rule and level, such as ``mean-std:4``, ``rank:1/1y`` or ``threshold``.

    Parameters
    ----------
    rule
        The name of a cut-off rule; ``threshold`` for that of the detector.
    level
        Sigmas, or a budget; empty for what ``[scan]`` says.
    """

    rule: str
    level: str = ""

    @classmethod
    def parse(cls, text: str) -> CutoffChoice:
        """Read it.

        >>> CutoffChoice.parse("rank:1/1y")
        CutoffChoice(rule='rank', level='1/1y')
        """
        rule, _, level = text.partition(":")
        return cls(rule, level)

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.rule}:{self.level}" if self.level else self.rule

    def scan(self, scan: ScanSettings) -> ScanSettings:
        """The rules of the scan with it.

        Raises
        ------
        ConfigError
            If the level is invalid.
        """
        if self.rule == OWN_THRESHOLD or not self.level:
            return scan if self.rule == OWN_THRESHOLD else scan.model_copy(update={"cutoff": self.rule})
        if self.rule == "rank":
            return scan.model_copy(update={"cutoff": self.rule, "budget": self.level})
        try:
            sigma = float(self.level)
        except ValueError:
            sigma = 0.0
        if not 0 < sigma <= 1e6:
            raise ConfigError(f"'{self.text}' has no number of sigmas", hint=f"write {self.rule}:4")
        return scan.model_copy(update={"cutoff": self.rule, "sigma": sigma})

    def rules(self, scan: ScanSettings, cadence: Cadence, detector: Capabilities) -> Rules:
        """What it makes of a detector's scores.

        Raises
        ------
        ConfigError
            If the detector has no threshold of its own, or nothing could ever be anomalous.
        """
        return rules_of(self.scan(scan), cadence, detector, self.rule)


@dataclass(frozen=True, slots=True)
class Entrant:
    """A detector with a view, and the cut-offs that are tried on its scores.

    Parameters
    ----------
    name, view
        Of the detector.
    settings
        Of the detector.
    detector
        In that view.
    cohorts
        The peers; None where it does not see them.
    cutoffs
        Each with its rules.
    """

    name: str
    view: str
    settings: DetectorSettings
    detector: Detector
    cohorts: Cohorts | None
    cutoffs: tuple[tuple[CutoffChoice, Rules], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which set-ups are tried.

    Parameters
    ----------
    detectors
        Names; by default those of the settings that score here and lack nothing, and one of each kind that needs no
        model.
    views
        By default both where a detector needs no model, else that of its settings.
    cutoffs
        By default a detector's threshold, else what ``[scan]`` says and three ranks.
    more
        Cut-offs beside the default ones.
    configured
        Whether the settings choose whatever is not named: the default detector, its view, its cut-off.
    among
        Detector, view and cut-off of those that are kept of all these; None for all.
    """

    detectors: Sequence[str] = ()
    views: Sequence[str] = ()
    cutoffs: Sequence[str] = ()
    more: Sequence[CutoffChoice] = ()
    configured: bool = False
    among: Collection[tuple[str, str, str]] | None = None


@contextmanager
def entrants(
    settings: Settings, snapshot: Snapshot, known: Known, console: Console, choice: Choice
) -> Iterator[list[Entrant]]:
    """The set-ups that are tried, ready to score for the length of a block.

    Raises
    ------
    ConfigError
        If what is named does not exist or cannot be, or nothing is left.
    StoreError
        If the store is damaged.
    """
    names = choice.detectors or ((settings.detector(None)[0],) if choice.configured else ())
    chosen = _named(settings, names) if names else _usable(settings, console)
    others = len(snapshot.cut(as_of=known.as_of)) > FEWEST_OTHERS and settings.scan.gaps == "calendar"
    cohorts: Cohorts | None = None
    found: list[Entrant] = []
    with ExitStack() as stack:
        for name, given in chosen:
            for view in _views(given, choice, others=others):
                own = given.model_copy(update={"view": view}) if hasattr(given, "view") else given
                if view != "own" and cohorts is None and settings.scan.gaps == "calendar":
                    members = members_of(asset_list(settings, snapshot, known))
                    cohorts = cohorts_of(snapshot, members, as_of=known.as_of, through=known.through)
                detector = stack.enter_context(opened(name, own, console.warn))
                if detector.capabilities.retrospective:
                    if names:
                        raise ConfigError(f"detector '{name}' looks at what came later: no set-up for a scan")
                    break
                seen, peers = in_view(detector, own, settings, snapshot, known, cohorts)
                rules = tuple(
                    (each, rule)
                    for each, rule in _rules(settings.scan, snapshot.layout.cadence, seen.capabilities, own, choice)
                    if choice.among is None or (name, view, each.text) in choice.among
                )
                if rules:
                    found.append(Entrant(name, view, own, seen, peers, rules))
        if not found:
            raise ConfigError("no set-up is left to try", hint="name a detector and a cut-off that it can have")
        yield found


def _named(settings: Settings, names: Sequence[str]) -> list[tuple[str, DetectorSettings]]:
    without_model = dict(_without_model(settings))
    return [
        (name, without_model[name]) if name in without_model else settings.detector(name)
        for name in dict.fromkeys(names)
    ]


def _without_model(settings: Settings) -> list[tuple[str, DetectorSettings]]:
    """One of each kind that needs neither a model nor settings, unless the settings have one."""
    kinds = {each.kind for each in settings.detectors.values()}
    known: list[DetectorSettings] = [ControlChartSettings(kind="control-chart"), NearestSettings(kind="nearest")]
    return [(each.kind, each) for each in known if each.kind not in kinds and each.kind not in settings.detectors]


def _usable(settings: Settings, console: Console) -> list[tuple[str, DetectorSettings]]:
    found = []
    for name, chosen in settings.detectors.items():
        if kind_of(chosen).remote:
            console.info(f"detector '{name}' asks a service: it is left out unless --detector names it")
        elif (lack := kind_of(chosen).lacking(chosen)) is not None:
            console.info(f"detector '{name}' is left out: {lack}")
        else:
            found.append((name, chosen))
    return [*found, *_without_model(settings)]


def _views(chosen: DetectorSettings, choice: Choice, *, others: bool) -> Sequence[str]:
    own = getattr(chosen, "view", None)
    unknown = next((view for view in choice.views if view not in _VIEWS), None)
    if unknown is not None:
        raise ConfigError(f"there is no view '{unknown}'", hint="choose own or peers")
    if own is None:
        return ("own",)
    knows_one = hasattr(chosen, "model")
    if choice.views and not (knows_one and own in choice.views):
        return tuple(dict.fromkeys(choice.views))
    if choice.configured or knows_one:
        return (own,)
    return ("own", "peers") if others else ("own",)


def _rules(
    scan: ScanSettings, cadence: Cadence, detector: Capabilities, own: DetectorSettings, choice: Choice
) -> Iterator[tuple[CutoffChoice, Rules]]:
    """The cut-offs of a detector; one that cannot be is left out, unless it was named."""
    if choice.cutoffs:
        for text in dict.fromkeys(choice.cutoffs):
            named = CutoffChoice.parse(text)
            if named.rule != OWN_THRESHOLD or detector.threshold is not None:
                yield named, named.rules(scan, cadence, detector)
        return
    default = [_set(scan, detector, own)]
    if default[0].rule != OWN_THRESHOLD:
        default += [CutoffChoice("rank", _budget(samples * cadence.step_us)) for samples in _RARE]
        default += choice.more
    if choice.configured:
        yield default[0], default[0].rules(scan, cadence, detector)
        return
    for each in dict.fromkeys(default):
        try:
            yield each, each.rules(scan, cadence, detector)
        except ConfigError:  # so rare that the window cannot tell, say
            continue


def _set(scan: ScanSettings, detector: Capabilities, own: DetectorSettings) -> CutoffChoice:
    """The cut-off that the settings say."""
    if detector.threshold is not None and own.cutoff in (None, OWN_THRESHOLD):
        return CutoffChoice(OWN_THRESHOLD)
    rule = own.cutoff or scan.cutoff
    return CutoffChoice(rule, scan.budget if rule == "rank" else f"{scan.sigma:g}")


def current_of(settings: Settings, entering: Sequence[Entrant]) -> tuple[str, str, str] | None:
    """Detector, view and cut-off that the settings say, if they are among those that are tried."""
    name, own = settings.detector(None)
    view = getattr(own, "view", "own")
    views = [each.view for each in entering if each.name == name]
    if view == "auto":  # the peers if there are any
        view = "peers" if "peers" in views else "own"
    for each in entering:
        if each.name == name and each.view == view:
            return name, each.view, _set(settings.scan, each.detector.capabilities, each.settings).text
    return None


def _budget(micros: float) -> str:
    """One in a time.

    >>> _budget(365 * 86_400_000_000), _budget(900 * 600_000_000)
    ('1/1y', '1/150h')
    """
    days = round(micros / _DAY_US)
    if days % 365 < 2 and days > 300:
        return f"1/{days // 365}y"
    return f"1/{days}d" if days >= 30 else f"1/{max(round(micros / 3_600_000_000), 1)}h"


class ScoredOnce:
    """A detector that is asked once for the scores of each series, however many cut-offs are tried on them.

    Parameters
    ----------
    detector
        That scores.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._known: dict[tuple[str, LongGaps | None], Scores | AnomscanError] = {}
        self.name, self.fingerprint = detector.name, detector.fingerprint
        self.capabilities = replace(detector.capabilities, frozen=False, peers=False, baseline=False)
        self.trained_through = detector.trained_through
        self.cpu_s = 0.0

    def score(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[slice] | None = None
    ) -> list[Scores | AnomscanError]:
        """See :meth:`anomscan.detectors.base.Detector.score`; all rows, as another cut-off may need them."""
        new = [series for series in batch if (series.asset, series.laid) not in self._known]
        if new:
            began = time.thread_time()
            found = self._detector.score(new, shingle)
            self._known |= {(series.asset, series.laid): each for series, each in zip(new, found, strict=True)}
            self.cpu_s += time.thread_time() - began
        return [self._known[series.asset, series.laid] for series in batch]

    def contributions(self, series: Series, rows: NDArray[np.intp], shingle: int) -> Floats | None:
        """See :meth:`anomscan.detectors.base.Detector.contributions`; None for a single variable."""
        return None if len(series.variables) == 1 else self._detector.contributions(series, rows, shingle)
