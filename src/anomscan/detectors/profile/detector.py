"""The matrix profile as a detector: how far each stretch of an asset lies from the most similar other one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.config import ProfileSettings as Config
from anomscan.detectors.base import Capabilities, Scores
from anomscan.detectors.nearest.channels import FARTHEST, FARTHEST_OF_MANY, scaled
from anomscan.detectors.nearest.detector import history
from anomscan.detectors.profile.join import joined
from anomscan.detectors.profile.period import period_of
from anomscan.errors import AnomscanError
from anomscan.telemetry.series import Floats, Series

#: Windows in periods, of one variable; and in samples, of several.
PERIODS, WINDOWS_OF_MANY = (0.5, 1.0, 2.0, 4.0), (40, 80)
#: A window of which a larger share is missing takes no part.
_MISSING = 0.25
_HINDSIGHT = np.datetime64("9999-12-31T23:59:59", "us")


@dataclass(frozen=True, slots=True)
class MatrixProfile:
    """Scores by how far the windows that hold a sample lie from the most similar other stretch; nothing is trained.

    A score rests on the whole series, earlier and later. With ``causal`` it rests on the windows that end at the
    sample and on earlier ones; the first ``min_history`` samples are trusted, and have none.

    Parameters
    ----------
    name, config
        Of the detector.
    """

    name: str
    config: Config

    @property
    def capabilities(self) -> Capabilities:
        """Single samples have scores; later ones have a say in them unless it is causal."""
        return Capabilities(contribution=True, history=True, retrospective=not self.config.causal)

    @property
    def fingerprint(self) -> str:
        """A hash of the settings."""
        return "profile " + hashlib.sha256(self.config.model_dump_json(exclude={"cutoff"}).encode()).hexdigest()

    @property
    def trained_through(self) -> np.datetime64 | None:
        """The end of time where later samples have a say: no score is of what was known then."""
        return None if self.config.causal else _HINDSIGHT

    def score(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[slice] | None = None
    ) -> list[Scores | AnomscanError]:
        """Score all samples; see :meth:`anomscan.detectors.base.Detector.score`. The shingle plays no part."""
        return [self._scored(series) for series in batch]

    def contributions(self, series: Series, rows: NDArray[np.intp], shingle: int) -> Floats | None:
        """See :meth:`anomscan.detectors.base.Detector.contributions`; they add up to the score."""
        contribution = self._scored(series).contribution
        return None if contribution is None else contribution[rows]

    def _scored(self, series: Series) -> Scores:
        values = series.measured().values
        usable: NDArray[np.bool_] = np.asarray(np.isfinite(values).any(axis=1))
        trusted = self._trusted(usable, series)
        contribution = np.full(values.shape, np.nan) if trusted is None else self._contribution(values, trusted)
        contribution[~usable] = np.nan
        score = contribution.sum(axis=1)
        if not self.config.causal:
            return Scores(series.timestamps, score, {}, contribution)
        judged = np.arange(len(score)) >= (len(score) if trusted is None else trusted)
        return Scores(
            series.timestamps,
            np.where(judged, score, np.nan),
            {},
            np.where(judged[:, None], contribution, np.nan),
            warm_up=np.where(judged, np.nan, score),
        )

    def _trusted(self, usable: NDArray[np.bool_], series: Series) -> int | None:
        """The row at which the trusted part ends, all rows unless it is causal; None if the series is too short."""
        places = np.flatnonzero(usable)
        if not self.config.causal:
            return len(usable) if len(places) > 1 else None
        fewest = self.config.min_history or history(series.cadence)
        return int(places[fewest - 1]) + 1 if len(places) > fewest else None

    def _contribution(self, values: Floats, trusted: int) -> Floats:
        """(n, d) what each variable adds to the score, NaN where there is none."""
        n, d = values.shape
        farthest = FARTHEST_OF_MANY if self.config.causal and d > 1 else FARTHEST
        channels = np.array([scaled(each, trusted, farthest) for each in values.T], np.float64)
        missing = ~np.isfinite(channels)
        windows = self._windows(channels, trusted)
        blocked = _blocked(missing.mean(axis=0), windows) if missing.any() else None
        least, lag = joined(channels, windows, trusted, blocked)
        total = np.zeros((n, d))
        known = np.zeros(n, bool)
        for place, window in enumerate(windows):
            far = np.sqrt(least[place] / (window * d))
            if not self.config.causal:
                far = _spread(far, window)
            reached = np.isfinite(far)
            shares = np.ones((n, 1)) if lag is None else self._shares(channels, lag[place], window)
            total[reached] += far[reached, None] * shares[reached]
            known |= reached
        total[~known] = np.nan
        return total

    def _shares(self, values: Floats, lag: NDArray[np.int64], window: int) -> Floats:
        """(n, d) the share of each variable in the distance of the window around a row, or before it, to its match."""
        n = values.shape[1]
        ahead = 0 if self.config.causal else window // 2
        ends = np.clip(np.arange(n) + ahead, min(window, n) - 1, n - 1)
        others = ends - lag[ends]
        shares = np.zeros(values.T.shape)
        for back in range(min(window, n)):
            off = values[:, ends - back] - values[:, np.maximum(others - back, 0)]
            shares += np.where(np.isnan(off), 0.0, off * off).T
        whole = shares.sum(axis=1, keepdims=True)
        found = np.full(shares.shape, 1 / len(values))
        np.divide(shares, whole, out=found, where=whole > 0)
        return found

    def _windows(self, channels: Floats, trusted: int) -> list[int]:
        """Those of the settings or the default ones; none is longer than half of what is trusted."""
        wanted: Sequence[int]
        if self.config.windows is not None:
            wanted = self.config.windows
        elif len(channels) > 1:
            wanted = WINDOWS_OF_MANY
        else:
            period = period_of(channels[0, :trusted])
            wanted = [max(2, round(share * period)) for share in PERIODS]
        longest = max(trusted // 2, 1)
        return sorted({window for window in wanted if window <= longest}) or [min(*wanted, longest)]


def _blocked(missing: Floats, windows: Sequence[int]) -> Floats:
    """(m, n) inf where too much of the window that ends at a row is missing, else 0; ``missing`` is a share."""
    total = np.append(0.0, np.cumsum(missing))
    ends = np.arange(1, len(total))
    return np.array(
        [
            np.where(total[1:] - total[np.maximum(ends - window, 0)] > _MISSING * window, np.inf, 0.0)
            for window in windows
        ]
    )


def _spread(far: Floats, window: int) -> Floats:
    """The mean over all windows that hold a row, inf where there is none; ``far`` is by their last rows."""
    known = np.isfinite(far)
    total, counts = np.append(0.0, np.cumsum(np.where(known, far, 0.0))), np.append(0, np.cumsum(known))
    first = np.arange(len(far))
    stop = np.minimum(first + window, len(far))
    held = counts[stop] - counts[first]
    added = np.maximum(total[stop] - total[first], 0.0)
    mean = np.full(len(far), np.inf)
    np.divide(added, held, out=mean, where=held > 0)
    return mean
