"""A frozen detector that scores only what it has not scored before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.base import FrozenDetector, Scores
from anomscan.detectors.kept.file import Kept
from anomscan.errors import AnomscanError, AssetError
from anomscan.telemetry.series import Floats, Series
from anomscan.telemetry.shingles import runs, shingles_at


class KeptDetector:
    """Gives the scores of another detector, from memory where it can.

    A score follows from the L rows of its shingle alone. One that was kept is taken where just those values stand
    there now, to the last bit; whatever else is new, revised or gone is scored again.

    Parameters
    ----------
    inner
        The detector.
    kept
        What was kept, by asset.
    """

    def __init__(self, inner: FrozenDetector, kept: Mapping[str, Kept]) -> None:
        self.name, self.capabilities = inner.name, inner.capabilities
        self.fingerprint, self.trained_through = inner.fingerprint, inner.trained_through
        self._inner, self._kept = inner, kept
        self.known: dict[str, Kept] = {}
        self.changed = False

    def score(self, batch: Sequence[Series], shingle: int) -> list[Scores | AnomscanError]:
        """See :meth:`anomscan.detectors.base.Detector.score`."""
        return self.score_rows(batch, shingle, [slice(0, len(series)) for series in batch])

    def score_rows(self, batch: Sequence[Series], shingle: int, rows: Sequence[slice]) -> list[Scores | AnomscanError]:
        """See :meth:`anomscan.detectors.base.PartialDetector.score_rows`; ``known`` has what there is to keep now."""
        scores = [self._remembered(series, shingle) for series in batch]
        missing = [
            _missing(series, score, shingle, part) for series, score, part in zip(batch, scores, rows, strict=True)
        ]
        results: list[Scores | AnomscanError] = []
        fresh = self._inner.score_at(batch, shingle, missing)
        for series, score, places, found in zip(batch, scores, missing, fresh, strict=True):
            if isinstance(found, AnomscanError):
                results.append(found)
                continue
            if found.shape != places.shape:
                what = f"scores of shape {found.shape} where {places.shape} is due"
                results.append(AssetError(f"asset '{series.asset}': {what}"))
                continue
            score[places] = found
            self.changed |= len(places) > 0
            self.known[series.asset] = Kept(
                _origin(series), series.values, score, series.health_codes, series.health_names
            )
            results.append(self._inner.rated(Scores(series.timestamps, score)))
        return results

    def contributions(self, series: Series, rows: NDArray[np.intp], shingle: int) -> Floats | None:
        """Those of the other detector."""
        return self._inner.contributions(series, rows, shingle)

    def _remembered(self, series: Series, shingle: int) -> Floats:
        """(n,) float64: the kept scores that still hold; NaN elsewhere."""
        score = np.full(len(series), np.nan)
        kept = self._kept.get(series.asset)
        if kept is None or len(series) == 0 or kept.values.shape[1] != series.values.shape[1]:
            return score
        shift = (_origin(series) - kept.origin) // series.cadence.step_us
        here, there = max(-shift, 0), max(shift, 0)
        count = min(len(series) - here, len(kept.score) - there)
        if count <= 0:
            return score
        now, then = series.values[here : here + count], kept.values[there : there + count]
        old = kept.score[there : there + count]
        # Bits, for an empty value is equal to an empty value.
        if now.tobytes() == then.tobytes():
            # A shingle that begins before what is known of both has nothing to be compared with.
            first = min(shingle - 1, count)
            score[here + first : here + count] = old[first:]
        else:
            held = runs((now.view(np.int64) == then.view(np.int64)).all(axis=1), shingle)
            score[here : here + count][held] = old[held]
        return score


def _missing(series: Series, score: Floats, shingle: int, rows: slice) -> NDArray[np.intp]:
    """Where a score is wanted and can be had, but is not there."""
    start = max(rows.start, shingle - 1)
    places = np.flatnonzero(np.isnan(score[start : rows.stop])) + start
    whole = np.isfinite(shingles_at(series.values, places, shingle)).all(axis=1)
    return np.asarray(places[whole], np.intp)


def _origin(series: Series) -> int:
    return int(series.timestamps.view(np.int64)[0]) if len(series) else 0
