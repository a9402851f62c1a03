"""Control charts as a detector: each variable of each asset, against its peers or its own past."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from anomscan.config import ControlChartSettings as Config
from anomscan.detectors.base import Capabilities, Scores
from anomscan.detectors.control_chart.lines import Lines
from anomscan.detectors.control_chart.normal import memory
from anomscan.detectors.control_chart.season import Season
from anomscan.detectors.control_chart.settings import Settings
from anomscan.detectors.control_chart.thresholds import Thresholds, time_of
from anomscan.detectors.peers import against_peers
from anomscan.errors import AnomscanError
from anomscan.telemetry.baseline import Baseline, Told, stitched
from anomscan.telemetry.cadence import parse_duration
from anomscan.telemetry.cohorts import Cohorts
from anomscan.telemetry.series import Floats, Series

#: Values charted together: enough to share the work of a step, few enough for the processor's cache.
BLOCK = 1 << 19
_COLUMNS = ("test", "variable", "peers")


@dataclass(frozen=True, slots=True)
class ControlChart:
    """Scores on a scale on which 1 is the threshold; nothing is trained.

    A score rests on all earlier samples of its series, and, against peers, on theirs at the same timestamps.

    Parameters
    ----------
    name, config
        Of the detector.
    cohorts
        The peers; None where each series is compared with its own past alone.
    skip_health
        Samples of such health are neither judged nor normal.
    baseline
        What people say of what is normal.
    """

    name: str
    config: Config
    cohorts: Cohorts | None = None
    skip_health: tuple[str, ...] = ()
    baseline: Baseline = field(default_factory=Baseline)

    @property
    def capabilities(self) -> Capabilities:
        """``test`` is the place of the test with the largest score: 1 jump, 2 shift, 3 spread, 4 stuck.

        ``variable`` is the place of the variable it stands for, from 0 on; ``peers`` is 1 where the sample was compared
        with its peers, 0 where with its own past.
        """
        return Capabilities(columns=_COLUMNS, threshold=1.0, history=True, peers=True, baseline=True)

    @property
    def fingerprint(self) -> str:
        """A hash of the settings."""
        facts = self.config.model_dump_json(exclude={"cutoff"}) + repr(self.skip_health)
        return "control-chart " + hashlib.sha256(facts.encode()).hexdigest()

    @property
    def trained_through(self) -> np.datetime64 | None:
        """Nothing is trained."""
        return None

    def with_cohorts(self, cohorts: Cohorts) -> ControlChart:
        """The same detector with these peers."""
        return replace(self, cohorts=cohorts)

    def with_baseline(self, baseline: Baseline, skip_health: tuple[str, ...]) -> ControlChart:
        """The same detector, told what people say is normal, and which health is not."""
        return replace(self, baseline=baseline, skip_health=skip_health)

    def score(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[slice] | None = None
    ) -> list[Scores | AnomscanError]:
        """Score all samples; see :meth:`anomscan.detectors.base.Detector.score`. The shingle plays no part."""
        measured = [series.measured() for series in batch]
        return [scores for part in _parts(measured) for scores in self._in_versions(part)]

    def contributions(self, series: Series, rows: NDArray[np.intp], shingle: int) -> Floats | None:
        """None: each variable is charted by itself, and the largest score counts."""
        return None

    def _in_versions(self, batch: Sequence[Series]) -> list[Scores]:
        """The scores of each series, as what is told of it changes."""
        versions = [self.baseline.versions(series) for series in batch]
        again = [series for series, own in zip(batch, versions, strict=True) for _ in own]
        scores = iter(self._scored(again, [told for own in versions for _, told in own]))
        found = []
        for own in versions:
            parts = [(first, next(scores)) for first, _ in own]
            found.append(
                Scores(
                    parts[0][1].timestamps,
                    stitched([(first, part.score) for first, part in parts]),
                    {name: stitched([(first, part.columns[name]) for first, part in parts]) for name in _COLUMNS},
                )
            )
        return found

    def _scored(self, batch: Sequence[Series], told: Sequence[Told]) -> list[Scores]:
        if self.config.view == "own" or self.cohorts is None:
            charted = self._charted(batch, batch, told)
        else:
            charted = self._with_peers(batch, self.cohorts, told)
        scores = []
        for place, series in enumerate(batch):
            n, d = series.values.shape
            lines = slice(place * d, (place + 1) * d)
            score, test, peers = (part[lines, :n] for part in charted)
            known = np.where(np.isfinite(score), score, -np.inf)
            largest = known.argmax(axis=0)
            at = largest, np.arange(n)
            some = np.isfinite(known[at])
            columns = {"test": test[at], "variable": largest, "peers": peers[at]}
            scores.append(
                Scores(
                    series.timestamps,
                    np.where(some, known[at], np.nan),
                    {name: np.where(some, column, np.nan) for name, column in columns.items()},
                )
            )
        return scores

    def _with_peers(
        self, batch: Sequence[Series], cohorts: Cohorts, told: Sequence[Told]
    ) -> tuple[Floats, Floats, Floats]:
        """Score, test and view of each line: against the peers where they tell more, else against the own past."""
        viewed = [against_peers(series, cohorts, self.config.peers) for series in batch]
        score, test, peers = self._charted(batch, viewed, told)
        peers[:] = 1.0
        chosen = np.concatenate([self._choice(s, v, cohorts) for s, v in zip(batch, viewed, strict=True)])
        score[~chosen], peers[~chosen] = np.nan, 0.0
        lacking = [
            place
            for place, (series, view) in enumerate(zip(batch, viewed, strict=True))
            if not chosen[place * (d := len(series.variables)) : (place + 1) * d].all()
            or (self.config.view == "auto" and (np.isnan(view.values) & np.isfinite(series.values)).any())
        ]
        if lacking:
            alone = [batch[place] for place in lacking]
            own_score, own_test, _ = self._charted(alone, alone, [told[place] for place in lacking])
            for k, place in enumerate(lacking):
                series = batch[place]
                n, d = series.values.shape
                lines, own_lines = slice(place * d, (place + 1) * d), slice(k * d, (k + 1) * d)
                # Until enough is known of the peers, too: what was said before the choice must stay.
                without = ~chosen[lines, None] | (np.isnan(score[lines, :n]) & (self.config.view == "auto"))
                for whole, part in ((score, own_score), (test, own_test)):
                    np.copyto(whole[lines, :n], part[own_lines, :n], where=without)
                np.copyto(peers[lines, :n], 0.0, where=without)
        return score, test, peers

    def _choice(self, series: Series, view: Series, cohorts: Cohorts) -> NDArray[np.bool_]:
        """(d,) bool: the variables that are compared with the peers; none of an asset that has no cohort."""
        if cohorts.cohort(series.asset) is None:
            return np.zeros(len(series.variables), bool)
        if self.config.view == "peers":
            return np.ones(len(series.variables), bool)
        return _tell_more(series.values, view.values, self.config.min_history, relative=self.config.peers == "ratio")

    def _charted(
        self, batch: Sequence[Series], viewed: Sequence[Series], told: Sequence[Told]
    ) -> tuple[Floats, Floats, Floats]:
        """Score and test of each variable of each series, (lines, longest) float64, and as much room for the view."""
        healthy = [~series.health_in(self.skip_health) for series in batch]
        raw, values = ([series.values for series in each] for each in (batch, viewed))
        lines = Lines.of(batch, raw, values, healthy)
        found = lines.charted(self._settings(batch[0]), lines.told(told))
        return found.score, found.test.astype(np.float64), np.zeros(found.score.shape)

    def _settings(self, series: Series) -> Settings:
        config, cadence = self.config, series.cadence
        forget = parse_duration(config.forget_after).astype(np.int64) // cadence.step_us
        return Settings(
            Thresholds.of(config.budget, cadence, len(series.variables)),
            max(memory(cadence), config.min_history),
            config.min_history,
            # Fewer samples would not say what is normal now.
            max(int(forget), config.min_history),
            Season.of(cadence).fewest,
        )


def check(config: Config) -> None:
    """Refuse settings that cannot be meant.

    Raises
    ------
    ConfigError
        Saying which.
    """
    time_of(config.budget)
    parse_duration(config.forget_after)


def _tell_more(own: Floats, against: Floats, fewest: int, *, relative: bool) -> NDArray[np.bool_]:
    """(d,) bool: whether the first samples scatter less against the peers than by themselves.

    Parameters
    ----------
    relative
        By the share of their level: ratios have no unit.
    """
    more = np.zeros(own.shape[1], bool)
    for variable in range(own.shape[1]):
        both = np.flatnonzero(np.isfinite(own[:, variable]) & np.isfinite(against[:, variable]))[:fewest]
        if len(both) == fewest:
            alone, compared = own[both, variable], against[both, variable]
            level, usual = (abs(np.median(alone)), abs(np.median(compared))) if relative else (1.0, 1.0)
            more[variable] = _scatter(compared) * level < _scatter(alone) * usual
    return more


def _scatter(values: Floats) -> float:
    return float(np.median(np.abs(values - np.median(values))))


def _parts(batch: Sequence[Series]) -> Iterator[Sequence[Series]]:
    """Split into parts of bounded size; all of one part have the same variables."""
    start = longest = 0
    for stop, series in enumerate(batch):
        other = series.variables != batch[start].variables
        longest = max(longest, len(series))
        if stop > start and (other or (stop + 1 - start) * longest * len(series.variables) > BLOCK):
            yield batch[start:stop]
            start, longest = stop, len(series)
    if batch:
        yield batch[start:]
