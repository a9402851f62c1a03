"""Many assets: score them in long batches, judge them in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.backtest.asset import AssetScan, Stretch, anomalous_rows
from anomscan.backtest.engines import Engine, Lost
from anomscan.backtest.rules import Rules
from anomscan.backtest.verdicts import Judged, judge, judge_given, judge_stretch, milder
from anomscan.detectors.base import Detector, PartialDetector, Scores
from anomscan.errors import AnomscanError, AssetError, ConfigError
from anomscan.telemetry.series import Floats, Series
from anomscan.telemetry.shingles import complete

#: Assets judged together: as many as keep the rolling moments in the processor's cache.
BLOCK = 8


@dataclass(frozen=True, slots=True)
class Failure:
    """An asset that could not be scanned, and why."""

    asset: str
    error: AnomscanError


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

    def run(self, chunks: Iterable[Sequence[Series]], engine: Engine) -> Iterator[AssetScan | Failure]:
        """Scan assets chunk by chunk.

        Results come in the order of the chunks and of the series in them, whatever the engine.
        """
        for _, results in engine.map(self.scan, chunks):
            assert not isinstance(results, Lost)
            yield from results

    def scan(self, batch: Sequence[Series]) -> list[AssetScan | Failure]:
        """Scan the assets of one chunk, in order."""
        laid = [series.on_calendar() if self.rules.calendar else series for series in batch]
        if isinstance(self.detector, PartialDetector):
            scored = self.detector.score_rows(laid, self.rules.shingle, [self._needed(series) for series in laid])
        else:
            scored = self.detector.score(laid, self.rules.shingle)
        results: list[AssetScan | Failure] = []
        for start in range(0, len(laid), BLOCK):
            results += self._block(laid[start : start + BLOCK], scored[start : start + BLOCK])
        return results

    def _needed(self, series: Series) -> slice:
        """The rows whose scores decide what is reported: those rows, and in a scan the windows in front of them."""
        rows = self.stretch.rows(series)
        return rows if self.whole else slice(max(rows.start - (self.rules.window - 1), 0), rows.stop)

    def _block(self, batch: Sequence[Series], scored: Sequence[Scores | AnomscanError]) -> list[AssetScan | Failure]:
        given = [
            found.score if isinstance(found, Scores) else np.full(len(s), np.nan)
            for s, found in zip(batch, scored, strict=True)
        ]
        # A score of a shingle that is not whole is nobody's business, whoever gave it.
        scores = [
            np.where(complete(series.values, self.rules.shingle), score, np.nan)
            for series, score in zip(batch, given, strict=True)
        ]
        skipped = [series.health_in(self.rules.skip_health) for series in batch]
        if self.whole:
            judged = [
                judge_stretch(score, skip, self.rules)
                if not isinstance(found, Scores) or found.is_anomaly is None
                else judge_given(score, found.is_anomaly, skip, self.rules)
                for found, score, skip in zip(scored, scores, skipped, strict=True)
            ]
        else:
            judged = _judge_together(scores, skipped, self.rules)
        results: list[AssetScan | Failure] = []
        for series, found, score, verdicts in zip(batch, scored, scores, judged, strict=True):
            if isinstance(found, Scores):
                results.append(self._result(series, found, score, verdicts))
            else:
                results.append(Failure(series.asset, found))
        return results

    def _result(self, series: Series, found: Scores, score: Floats, judged: Judged) -> AssetScan | Failure:
        rows = self.stretch.rows(series)
        mild = np.zeros(len(series), bool)
        if self.min_severity is not None:
            if found.severity is None:
                raise ConfigError(
                    f"detector '{self.detector.name}' gives no severity",
                    hint="leave out --min-severity, or see docs/azure.md",
                )
            judged, mild = milder(judged, found.severity, self.min_severity)
        flagged = anomalous_rows(judged, rows)
        contributions = None if found.contribution is None else found.contribution[flagged]
        if len(flagged) and found.contribution is None:
            try:
                contributions = self.detector.contributions(series, flagged, self.rules.shingle)
            except AssetError as error:
                return Failure(series.asset, error)
        trained = self.detector.trained_through
        return AssetScan(
            series=series,
            score=score,
            judged=judged,
            rows=rows,
            anomalous=flagged,
            full=min((self.rules.shingle if self.whole else self.rules.window) - 1, len(series)),
            in_sample=np.zeros(len(series), bool) if trained is None else series.timestamps <= trained,
            contributions=contributions,
            severity=None if found.severity is None else np.where(np.isfinite(score), found.severity, np.nan),
            too_mild=np.asarray(rows.start + np.flatnonzero(mild[rows]), np.intp),
            notes=found.notes,
        )


def _judge_together(scores: Sequence[Floats], skipped: Sequence[NDArray[np.bool_]], rules: Rules) -> list[Judged]:
    """Judge assets of unequal length as one block: each row begins at its asset's first sample, the tail is empty.

    A verdict depends on the rows up to its own, so the tail changes nothing.
    """
    longest = max(map(len, scores), default=0)
    block = np.full((len(scores), longest), 0.0)
    skips = np.zeros((len(scores), longest), bool)
    for row, (score, skip) in enumerate(zip(scores, skipped, strict=True)):
        block[row, : len(score)] = score
        skips[row, : len(skip)] = skip
    found = judge(block, skips, rules)
    verdict, cutoff, sigma = found.verdict, found.cutoff, found.sigma
    return [Judged(verdict[row, :n], cutoff[row, :n], sigma[row, :n]) for row, n in enumerate(map(len, scores))]
