"""Many assets: score them in long batches, judge them in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomscan.backtest.asset import AssetScan, Stretch, anomalous_rows
from anomscan.backtest.failures import Failure, surviving
from anomscan.backtest.rules import Rules
from anomscan.backtest.verdicts import UNASKED, Judged, judge, judge_given, judge_stretch, judged_from, milder
from anomscan.detectors.base import Detector, PartialDetector, Scores
from anomscan.errors import AnomscanError, AssetError, ConfigError
from anomscan.telemetry.series import Floats, Series
from anomscan.telemetry.shingles import complete

__all__ = ["Backtest", "Failure"]

#: A score beyond it, squared and summed, is no number any more.
LARGEST = 1e140
#: Scores judged together: as many as keep the running sums in the processor's cache.
BLOCK = 16_384


@dataclass(frozen=True, slots=True)
class Backtest:
    """Everything that decides a scan's result, beside the data.

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
    """

    detector: Detector
    rules: Rules
    stretch: Stretch
    whole: bool = False
    min_severity: float | None = None

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

    def _laid(self, batch: Sequence[Series]) -> list[_Laid]:
        cases = []
        for series in batch:
            laid = series.on_calendar() if self.rules.calendar else series
            rows = self.stretch.rows(laid)
            cases.append(_Laid(laid, rows, 0 if self.whole else judged_from(rows.start, self.rules)))
        return cases

    def _scored(self, cases: Sequence[_Laid]) -> list[_Scored | Failure]:
        series, shingle = [case.series for case in cases], self.rules.shingle
        if isinstance(self.detector, PartialDetector):
            # The rows whose scores decide what is reported: those rows, and in a scan the windows in front of them.
            before = 0 if self.whole else self.rules.window - 1
            needed = [slice(max(case.rows.start - before, 0), case.rows.stop) for case in cases]
            given = self.detector.score_rows(series, shingle, needed)
        else:
            given = self.detector.score(series, shingle)
        return [self._counted(case, found) for case, found in zip(cases, given, strict=True)]

    def _counted(self, case: _Laid, found: Scores | AnomscanError) -> _Scored | Failure:
        series = case.series
        if isinstance(found, AnomscanError):
            return Failure(series.asset, found)
        shape = series.values.shape
        _check_shape(series, "scores", found.score, shape[:1])
        _check_shape(series, "severities", found.severity, shape[:1])
        _check_shape(series, "verdicts", found.is_anomaly, shape[:1])
        _check_shape(series, "contributions", found.contribution, shape)
        # A score of a shingle that is not whole is nobody's business, whoever gave it.
        score = np.where(complete(series.values, self.rules.shingle), found.score, np.nan)
        return _Scored(series, case.rows, case.since, found, score)

    def _judged(self, cases: Sequence[_Scored]) -> list[AssetScan]:
        judged = [_judge_whole(case, self.rules) for case in cases] if self.whole else _judge(cases, self.rules)
        return [self._result(case, verdicts) for case, verdicts in zip(cases, judged, strict=True)]

    def _result(self, case: _Scored, judged: Judged) -> AssetScan:
        series, rows, found = case.series, case.rows, case.found
        too_mild = {}
        if self.min_severity is not None:
            if found.severity is None:
                raise ConfigError(
                    f"detector '{self.detector.name}' gives no severity",
                    hint="leave out --min-severity, or see docs/azure.md",
                )
            judged, mild = milder(judged, found.severity, self.min_severity)
            too_mild = {"too_mild": np.asarray(rows.start + np.flatnonzero(mild[rows]), np.intp)}
        flagged = anomalous_rows(judged, rows)
        contributions = None if found.contribution is None else found.contribution[flagged]
        if len(flagged) and found.contribution is None:
            contributions = self.detector.contributions(series, flagged, self.rules.shingle)
        if contributions is not None and (
            contributions.shape != (len(flagged), len(series.variables)) or np.isinf(contributions).any()
        ):
            raise AssetError(f"asset '{series.asset}': contributions that are not a finite number for each variable")
        trained = self.detector.trained_through
        return AssetScan(
            series=series,
            score=case.score,
            judged=judged,
            rows=rows,
            anomalous=flagged,
            full=min((self.rules.shingle if self.whole else self.rules.window) - 1, len(series)),
            in_sample=np.zeros(len(series), bool) if trained is None else series.timestamps <= trained,
            contributions=contributions,
            severity=None if found.severity is None else np.where(np.isfinite(case.score), found.severity, np.nan),
            notes=found.notes,
            **too_mild,
        )


@dataclass(slots=True)
class _Laid:
    """An asset, the rows of it that are reported, and the row from which on it is judged for their sake."""

    series: Series
    rows: slice
    since: int

    @property
    def asset(self) -> str:
        """Its id."""
        return self.series.asset


@dataclass(slots=True)
class _Scored(_Laid):
    """Such an asset, what the detector said of it, and (n,) the scores that count."""

    found: Scores
    score: Floats


def _blocks(cases: Sequence[_Scored | Failure]) -> Iterator[Sequence[_Scored | Failure]]:
    """Cut into blocks of at most ``BLOCK`` scores, or of one asset."""
    start = longest = 0
    for stop, case in enumerate(cases):
        length = case.rows.stop - case.since if isinstance(case, _Scored) else 0
        longest = max(longest, length)
        if (stop + 1 - start) * longest > BLOCK and stop > start:
            yield cases[start:stop]
            start, longest = stop, length
    yield cases[start:]


def _judge_whole(case: _Scored, rules: Rules) -> Judged:
    _check([case], case.score[None])
    skipped = case.series.health_in(rules.skip_health)
    if case.found.is_anomaly is None:
        return judge_stretch(case.score, skipped, rules)
    return judge_given(case.score, case.found.is_anomaly, skipped, rules)


def _judge(cases: Sequence[_Scored], rules: Rules) -> list[Judged]:
    """Judge assets of unequal length as one block, each from as late a row on as leaves its verdicts the same.

    A verdict depends on what lies before it alone, so it does not matter what fills up the end of a shorter row.
    """
    longest = max((case.rows.stop - case.since for case in cases), default=0)
    scores = np.zeros((len(cases), longest))
    skipped = np.zeros((len(cases), longest), bool)
    for line, case in enumerate(cases):
        first, stop = case.rows.start - case.since, case.rows.stop - case.since
        scores[line, :stop] = case.score[case.since : case.rows.stop]
        skipped[line, first:stop] = case.series.health_in(rules.skip_health, case.rows)
    _check(cases, scores)
    return _reported(cases, judge(scores, skipped, rules))


def _reported(cases: Sequence[_Scored], judged: Judged) -> list[Judged]:
    """What is said of the rows reported, laid in the places they have in their series."""
    if all(case.rows == slice(0, len(case.score)) for case in cases):
        return [
            Judged(judged.verdict[line, :stop], judged.cutoff[line, :stop], judged.sigma[line, :stop])
            for line, stop in enumerate(case.rows.stop for case in cases)
        ]
    ends = np.cumsum([len(case.score) for case in cases]).tolist()
    verdict, cutoff, sigma = np.full(ends[-1], UNASKED), np.full(ends[-1], np.nan), np.full(ends[-1], np.nan)
    results = []
    for line, (case, end) in enumerate(zip(cases, ends, strict=True)):
        own = slice(end - len(case.score), end)
        result = Judged(verdict[own], cutoff[own], sigma[own])
        here = slice(case.rows.start - case.since, case.rows.stop - case.since)
        result.verdict[case.rows] = judged.verdict[line, here]
        result.cutoff[case.rows] = judged.cutoff[line, here]
        result.sigma[case.rows] = judged.sigma[line, here]
        results.append(result)
    return results


def _check_shape(series: Series, what: str, given: NDArray[Any] | None, due: tuple[int, ...]) -> None:
    if given is not None and given.shape != due:
        raise AssetError(f"asset '{series.asset}': {what} of shape {given.shape} where {due} is due")


def _check(cases: Sequence[_Scored], scores: Floats) -> None:
    """Refuse scores, one line a case, of which no sum of squares can be taken."""
    with np.errstate(invalid="ignore"):
        wild = np.abs(scores) > LARGEST
    if wild.any():
        line, place = np.argwhere(wild)[0]
        raise AssetError(f"asset '{cases[line].asset}': a score of {scores[line, place]:g} is beyond {LARGEST:g}")
