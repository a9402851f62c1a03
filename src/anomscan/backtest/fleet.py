"""Many assets: score them in long batches, judge them in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomscan.backtest.asset import Afterwards, AssetScan, Stretch, anomalous_rows
from anomscan.backtest.failures import Failure, surviving
from anomscan.backtest.rules import Rules
from anomscan.backtest.verdicts import (
    Judged,
    Verdict,
    judge,
    judge_by_threshold,
    judge_given,
    judge_stretch,
    judged_from,
    milder,
)
from anomscan.detectors.base import Detector, Scores
from anomscan.detectors.points import beyond
from anomscan.errors import AnomscanError, AssetError, ConfigError
from anomscan.telemetry.baseline import UNTOLD, Baseline, Told, stitched
from anomscan.telemetry.series import Floats, Series
from anomscan.telemetry.shingles import complete

__all__ = ["Backtest", "Failure"]

#: A larger score, squared and summed, may overflow.
LARGEST = 1e140
#: Scores judged together: as many as keep the running sums in the processor's cache.
BLOCK = 16_384


@dataclass(frozen=True, slots=True)
class Expectations:
    """Until when samples are expected of each asset.

    Parameters
    ----------
    run_end
        datetime64[us]: of all of them.
    silent_after
        An asset whose last sample lies more than so many steps before is silent.
    retired
        Asset -> its own end, where that is known.
    """

    run_end: np.datetime64
    silent_after: int
    retired: Mapping[str, np.datetime64] = field(default_factory=dict)

    def until(self, asset: str) -> np.datetime64:
        """Up to when samples are expected of an asset."""
        return min(self.run_end, self.retired.get(asset, self.run_end))


@dataclass(frozen=True, slots=True)
class Backtest:
    """Everything besides the data that decides a scan's result.

    Parameters
    ----------
    detector
        Gives the scores.
    rules
        Make verdicts of them.
    stretch
        The days reported.
    whole
        Whether an asset is judged as a whole (``detect``): by the detector's own verdict where it has one, else by one
        cut-off over all scores; rather than day by day (``scan``).
    min_severity
        An anomaly's severity lies above it; None for no such bound.
    expectations
        Until when samples are expected; None where a series ends with its last sample.
    baseline
        What people say of what is normal.
    """

    detector: Detector
    rules: Rules
    stretch: Stretch
    whole: bool = False
    min_severity: float | None = None
    expectations: Expectations | None = None
    baseline: Baseline = field(default_factory=Baseline)

    def scan(self, batch: Sequence[Series]) -> list[AssetScan | Failure]:
        """Scan the assets of one chunk, in order.

        An asset that cannot be scanned, for whatever reason, is a failure of its own.

        Raises
        ------
        AnomscanError
            Where no asset can be scanned at all.
        """
        scored = surviving(self._scored, surviving(self._laid, batch))
        return [result for block in _blocks(scored) for result in surviving(self._judged, block)]

    @property
    def _run_end(self) -> np.datetime64 | None:
        return None if self.expectations is None else self.expectations.run_end

    def _laid(self, batch: Sequence[Series]) -> list[_Laid]:
        cases: list[_Laid] = []
        gaps = self.rules.long_gaps
        for series in batch:
            laid = series if gaps is None else series.on_calendar(gaps)
            if cases and laid.timestamps is cases[-1].series.timestamps:
                cases.append(replace(cases[-1], series=laid))
                continue
            rows = self.stretch.rows(laid, self._run_end)
            since = 0 if self.whole else judged_from(rows.start, self.rules)
            cases.append(_Laid(laid, rows, since, *self._reported(laid, rows)))
        return cases

    def _reported(self, laid: Series, rows: slice) -> tuple[tuple[np.datetime64, np.datetime64] | None, int]:
        """The first and the last reported day, and how many days there are between them without a row."""
        if laid.laid is not None:
            ends = self.stretch.ends(laid, self._run_end)
            days = 0 if ends is None else int((ends[1] - ends[0]) // laid.cadence.step) + 1
            return ends, days - (rows.stop - rows.start)
        if rows.start == rows.stop:
            return None, 0
        return (laid.timestamps[rows.start], laid.timestamps[rows.stop - 1]), 0

    def _scored(self, cases: Sequence[_Laid]) -> list[_Scored | Failure]:
        series, shingle = [case.series for case in cases], self.rules.shingle
        # The rows whose scores decide what is reported: those rows and, in a scan, the windows before them.
        if self.rules.threshold is None and self.rules.sequential and not self.whole:
            needed = [slice(0, case.rows.stop) for case in cases]
        else:
            before = 0 if self.whole else self.rules.window - 1
            needed = [
                slice(max(case.rows.start - before, 0), case.rows.stop)
                if case.rows.start < case.rows.stop
                else case.rows
                for case in cases
            ]
        given = self.detector.score(series, shingle, needed)
        return [self._counted(case, found) for case, found in zip(cases, given, strict=True)]

    def _counted(self, case: _Laid, found: Scores | AnomscanError) -> _Scored | Failure:
        series = case.series
        if isinstance(found, AnomscanError):
            return Failure(series.asset, found)
        shape = series.values.shape
        _check_shape(series, "scores", found.score, shape[:1])
        for name in self.detector.capabilities.columns:
            _check_shape(series, f"column '{name}'", found.columns.get(name, np.empty(0)), shape[:1])
        _check_shape(series, "verdicts", found.is_anomaly, shape[:1])
        _check_shape(series, "contributions", found.contribution, shape)
        return _Scored(series, case.rows, case.since, case.ends, case.unlisted, found)

    def _judged(self, cases: Sequence[_Scored]) -> list[AssetScan]:
        if self.rules.threshold is not None:
            judged = [_judge_by_threshold(case, self.rules, self.rules.threshold) for case in cases]
        elif self.whole:
            judged = [_judge_whole(case, self.rules) for case in cases]
        else:
            judged = _judge(cases, self.rules, self.baseline)
        if self.rules.history:
            judged = [_without_warm_up(case, verdicts) for case, (_, verdicts) in zip(cases, judged, strict=True)]
        return [self._result(case, *verdicts) for case, verdicts in zip(cases, judged, strict=True)]

    def _result(self, case: _Scored, score: Floats, judged: Judged) -> AssetScan:
        series, rows, found = case.series, case.rows, case.found
        too_mild = {}
        if self.min_severity is not None:
            severity = found.columns.get("severity")
            if severity is None:
                raise ConfigError(
                    f"detector '{self.detector.name}' gives no severity",
                    hint="leave out --min-severity, or see docs/how-to/azure.md",
                )
            judged, mild = milder(judged, severity[rows], self.min_severity)
            too_mild = {"too_mild": np.asarray(rows.start + np.flatnonzero(mild), np.intp)}
        flagged = anomalous_rows(judged, rows)
        contributions = None if found.contribution is None else found.contribution[flagged]
        if len(flagged) and found.contribution is None:
            contributions = self.detector.contributions(series, flagged, self.rules.shingle)
        if contributions is not None and (
            contributions.shape != (len(flagged), len(series.variables)) or np.isinf(contributions).any()
        ):
            raise AssetError(f"asset '{series.asset}': contributions are not a finite number for each variable")
        return AssetScan(
            series=series,
            rows=rows,
            ends=case.ends,
            unlisted=case.unlisted,
            score=score,
            judged=judged,
            anomalous=flagged,
            full=self._full(case),
            trained_through=self.detector.trained_through,
            contributions=contributions,
            columns={
                name: np.where(np.isfinite(score), found.columns[name][rows], np.nan)
                for name in self.detector.capabilities.columns
            },
            # No detector scores what no measurement gives; to look for it costs time, so only where a score is missing.
            notes=(*found.notes, *(beyond(series, rows) if np.isnan(score).any() else ())),
            afterwards=self._afterwards(series),
            **too_mild,
        )

    def _afterwards(self, series: Series) -> Afterwards | None:
        """What there is to say of the time after the last sample."""
        if self.expectations is None or not len(series):
            return None
        ends = self.expectations.until(series.asset)
        first, count = self.stretch.after(series, ends)
        silent = ends - series.timestamps[-1] > self.expectations.silent_after * series.cadence.step
        return Afterwards(first, count, bool(silent), ends) if count or silent else None

    def _full(self, case: _Scored) -> int:
        """The row of the first day that is judged."""
        first = _first_score(case.found.score)
        if self.rules.threshold is not None:
            return first
        full = min((self.rules.shingle if self.whole else self.rules.window) - 1, len(case.series))
        return max(full, first) if self.rules.history else full


@dataclass(slots=True)
class _Laid:
    """An asset, its rows that are reported, and the row from which it is judged for their sake.

    Parameters
    ----------
    ends, unlisted
        As :class:`AssetScan` has them.
    """

    series: Series
    rows: slice
    since: int
    ends: tuple[np.datetime64, np.datetime64] | None
    unlisted: int

    @property
    def asset(self) -> str:
        """Its id."""
        return self.series.asset


@dataclass(slots=True)
class _Scored(_Laid):
    """Such an asset, and what the detector said about it."""

    found: Scores


def _blocks(cases: Sequence[_Scored | Failure]) -> Iterator[Sequence[_Scored | Failure]]:
    """Split into blocks of at most ``BLOCK`` scores, or of one asset."""
    start = longest = 0
    for stop, case in enumerate(cases):
        length = case.rows.stop - case.since if isinstance(case, _Scored) else 0
        longest = max(longest, length)
        if (stop + 1 - start) * longest > BLOCK and stop > start:
            yield cases[start:stop]
            start, longest = stop, length
    yield cases[start:]


def _judge_whole(case: _Scored, rules: Rules) -> tuple[Floats, Judged]:
    """Judge an asset as a whole: the scores of the reported rows, and their verdicts."""
    score = case.found.for_cutoffs
    if not rules.history:
        score = np.where(complete(case.series.values, rules.shingle), score, np.nan)
    _check([case], score[None])
    skipped = case.series.health_in(rules.skip_health)
    given = case.found.is_anomaly
    judged = judge_stretch(score, skipped, rules) if given is None else judge_given(score, given, skipped, rules)
    return score[case.rows], judged.at(case.rows)


def _judge_by_threshold(case: _Scored, rules: Rules, threshold: float) -> tuple[Floats, Judged]:
    """Judge an asset by a threshold: the scores of the reported rows, and their verdicts."""
    rows, score = case.rows, case.found.score[case.rows]
    _check([case], score[None])
    warming_up = np.arange(rows.start, rows.stop) < _first_score(case.found.score)
    return score, judge_by_threshold(score, case.series.health_in(rules.skip_health, rows), threshold, warming_up)


def _without_warm_up(case: _Scored, judged: Judged) -> tuple[Floats, Judged]:
    """The scores of the reported rows, and their verdicts: those before the first score are warming up."""
    rows, verdict = case.rows, judged.verdict.copy()
    early = np.arange(rows.start, rows.stop) < _first_score(case.found.score)
    verdict[early] = Verdict.WARMING_UP
    cutoff, sigma = (np.where(early, np.nan, each) for each in (judged.cutoff, judged.sigma))
    return case.found.score[rows], Judged(verdict, cutoff, sigma)


def _first_score(score: Floats) -> int:
    """The row of the first score, or how many rows there are."""
    finite = np.isfinite(score)
    return int(finite.argmax()) if finite.any() else len(score)


def _judge(cases: Sequence[_Scored], rules: Rules, baseline: Baseline) -> list[tuple[Floats, Judged]]:
    """Judge assets, each again whenever people have said more about what is normal."""
    if not rules.clean:
        return _judge_block(cases, rules, [None] * len(cases))
    versions = [baseline.versions(case.series) for case in cases]
    again = [case for case, own in zip(cases, versions, strict=True) for _ in own]
    results = iter(_judge_block(again, rules, [told for own in versions for _, told in own]))
    found = []
    for case, own in zip(cases, versions, strict=True):
        parts = [(first - case.rows.start, *next(results)) for first, _ in own]
        judged = Judged(
            stitched([(first, each.verdict) for first, _, each in parts]),
            stitched([(first, each.cutoff) for first, _, each in parts]),
            stitched([(first, each.sigma) for first, _, each in parts]),
        )
        found.append((parts[0][1], judged))
    return found


def _judge_block(cases: Sequence[_Scored], rules: Rules, said: Sequence[Told]) -> list[tuple[Floats, Judged]]:
    """Judge assets of unequal length as one block, each from the latest row that leaves its verdicts the same.

    A verdict depends on what lies before it alone, so it does not matter what fills up the end of a shorter row.
    """
    longest = max((case.rows.stop - case.since for case in cases), default=0)
    scores = np.zeros((len(cases), longest))
    skipped = np.zeros((len(cases), longest), bool)
    told = None if all(each is None for each in said) else np.full((len(cases), longest), UNTOLD)
    for line, case in enumerate(cases):
        first, stop = case.rows.start - case.since, case.rows.stop - case.since
        scores[line, :stop] = case.found.for_cutoffs[case.since : case.rows.stop]
        if told is not None and (each := said[line]) is not None:
            told[line, :stop] = each[case.since : case.rows.stop]
        if not set(rules.skip_health).isdisjoint(case.series.health_names):
            if rules.sequential:
                skipped[line, :stop] = case.series.health_in(rules.skip_health, slice(case.since, case.rows.stop))
            else:
                skipped[line, first:stop] = case.series.health_in(rules.skip_health, case.rows)
    if not rules.history:
        _keep_whole(cases, scores, rules.shingle)
    _check(cases, scores)
    judged = judge(scores, skipped, rules, told)
    results = []
    for line, case in enumerate(cases):
        where = line, slice(case.rows.start - case.since, case.rows.stop - case.since)
        results.append((scores[where], judged.at(where)))
    return results


def _keep_whole(cases: Sequence[_Scored], scores: Floats, shingle: int) -> None:
    """Set the scores of incomplete shingles to NaN, whatever their origin; one row per case."""
    firsts = [max(case.since - (shingle - 1), 0) for case in cases]
    values = [case.series.values[first : case.rows.stop] for case, first in zip(cases, firsts, strict=True)]
    all_finite = bool(np.isfinite(np.concatenate(values)).all())
    for line, (case, first, part) in enumerate(zip(cases, firsts, values, strict=True)):
        if all_finite:
            scores[line, : max(shingle - 1 - case.since, 0)] = np.nan
        else:
            whole = complete(part, shingle)[case.since - first :]
            scores[line, : len(whole)][~whole] = np.nan


def _check_shape(series: Series, what: str, given: NDArray[Any] | None, due: tuple[int, ...]) -> None:
    if given is not None and given.shape != due:
        raise AssetError(f"asset '{series.asset}': {what} of shape {given.shape} instead of {due}")


def _check(cases: Sequence[_Scored], scores: Floats) -> None:
    """Refuse scores, one row per case, whose squares cannot be summed."""
    with np.errstate(invalid="ignore"):
        wild = np.abs(scores) > LARGEST
    if wild.any():
        line, place = np.argwhere(wild)[0]
        raise AssetError(f"asset '{cases[line].asset}': a score of {scores[line, place]:g} is larger than {LARGEST:g}")
