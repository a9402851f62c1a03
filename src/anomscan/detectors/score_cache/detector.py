"""A frozen detector that scores only what it has not scored before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.base import FrozenDetector, Scores
from anomscan.detectors.score_cache.table import CachedScores
from anomscan.errors import AnomscanError, AssetError
from anomscan.telemetry.series import Floats, Series
from anomscan.telemetry.shingles import runs, shingles_of


class CachedDetector:
    """Gives the scores of another detector, from the cache where they still hold.

    A score depends only on the L rows of its shingle. A cached score is used where those rows have the same values now,
    bit for bit; all else, be it new or revised, is scored again.

    Parameters
    ----------
    inner
        The detector.
    kept
        The cached scores, by asset.
    """

    def __init__(self, inner: FrozenDetector, kept: Mapping[str, CachedScores]) -> None:
        self.name, self.capabilities = inner.name, inner.capabilities
        self.fingerprint, self.trained_through = inner.fingerprint, inner.trained_through
        self._inner, self._kept = inner, kept
        self.known: dict[str, CachedScores] = {}
        self.changed: set[str] = set()

    def score(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[slice] | None = None
    ) -> list[Scores | AnomscanError]:
        """See :meth:`anomscan.detectors.base.Detector.score`; ``known`` then has what to cache."""
        if rows is None:
            rows = [slice(0, len(series)) for series in batch]
        remembered = [self._remembered(series, shingle) for series in batch]
        missing = _missing(batch, [kept.scores[:, 0] for kept in remembered], rows, shingle)
        results: list[Scores | AnomscanError] = []
        fresh = self._inner.score_at(batch, shingle, missing)
        for series, kept, places, found in zip(batch, remembered, missing, fresh, strict=True):
            # What was known of an asset that fails stays known.
            self.known[series.asset] = kept
            if isinstance(found, AnomscanError):
                results.append(found)
                continue
            due = len(places), 1 + len(self.capabilities.columns)
            if found.shape != due:
                what = f"scores of shape {found.shape} instead of {due}"
                results.append(AssetError(f"asset '{series.asset}': {what}"))
                continue
            if len(places):
                self.known[series.asset] = kept = kept.with_scores(places, found)
                self.changed.add(series.asset)
            columns = dict(zip(self.capabilities.columns, kept.scores.T[1:], strict=True))
            results.append(Scores(series.timestamps, kept.scores[:, 0], columns))
        return results

    def contributions(self, series: Series, rows: NDArray[np.intp], shingle: int) -> Floats | None:
        """Those of the inner detector."""
        return self._inner.contributions(series, rows, shingle)

    def _remembered(self, series: Series, shingle: int) -> CachedScores:
        """The series as it is now with its cached scores; scores that no longer hold are NaN."""
        # What an attempt for many assets scored before it failed is not scored again.
        kept = self.known.get(series.asset) or self._kept.get(series.asset)
        if kept is not None and kept.values is series.values:
            return kept
        scores = np.full((len(series), 1 + len(self.capabilities.columns)), np.nan)
        skips = () if series.laid is None else series.skips()
        now = CachedScores(
            _origin(series), series.values, scores, series.health_codes, series.health_names, skips=skips
        )
        if kept is None or len(series) == 0 or kept.values.shape[1] != series.values.shape[1]:
            return now
        if kept.scores.shape[1] != scores.shape[1]:
            return now
        if now.skips or kept.skips:
            _across_gaps(now, kept, series, shingle)
            return now
        shift = (_origin(series) - kept.origin) // series.cadence.step_us
        here, there = max(-shift, 0), max(shift, 0)
        count = min(len(series) - here, len(kept.scores) - there)
        if count <= 0:
            return now
        values, then = series.values[here : here + count], kept.values[there : there + count]
        # Bits are compared, so that NaN equals NaN. A shingle that begins before the rows known of both cannot be
        # compared.
        held = runs((values.view(np.int64) == then.view(np.int64)).all(axis=1), shingle)
        np.copyto(scores[here : here + count], kept.scores[there : there + count], where=held[:, None])
        return now


def _across_gaps(now: CachedScores, kept: CachedScores, series: Series, shingle: int) -> None:
    """Fill in the scores that hold where long gaps were shortened, now or when they were kept."""
    then = kept.timestamps(series.cadence.step_us)
    places = np.minimum(then.searchsorted(series.timestamps), len(then) - 1)
    same = then[places] == series.timestamps
    same &= (series.values.view(np.int64) == kept.values[places].view(np.int64)).all(axis=1)
    # A shingle with a shortened gap in it holds an empty value and has no score.
    held = runs(same, shingle)
    now.scores[held] = kept.scores[places[held]]


def _missing(
    batch: Sequence[Series], scores: Sequence[Floats], rows: Sequence[slice], shingle: int
) -> list[NDArray[np.intp]]:
    """The places in each series where a score is wanted and possible, but not cached."""
    starts = [max(part.start, shingle - 1) for part in rows]
    wanted = [score[start : part.stop] for score, start, part in zip(scores, starts, rows, strict=True)]
    if not wanted:
        return []
    edges = np.cumsum([0, *map(len, wanted)])
    empty = np.flatnonzero(np.isnan(np.concatenate(wanted)))
    cuts = np.searchsorted(empty, edges).tolist()
    places = [
        empty[first:stop] - shift
        for first, stop, shift in zip(cuts, cuts[1:], (edges[:-1] - starts).tolist(), strict=False)
    ]
    points = shingles_of([series.values for series in batch], places, shingle)
    whole = np.asarray(np.isfinite(points).all(axis=1))
    if whole.all():
        return places
    return [part[whole[first:stop]] for part, first, stop in zip(places, cuts, cuts[1:], strict=False)]


def _origin(series: Series) -> int:
    return int(series.timestamps.view(np.int64)[0]) if len(series) else 0
