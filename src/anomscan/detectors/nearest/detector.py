"""Nearest past as a detector: each variable of each asset, against all that was ever seen of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.config import NearestSettings as Config
from anomscan.detectors.base import Capabilities, Scores
from anomscan.detectors.nearest.channels import FARTHEST, FARTHEST_OF_MANY, channels_of
from anomscan.detectors.nearest.past import Past, matches
from anomscan.errors import AnomscanError
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Floats, Series

_DAY_US = 86_400_000_000
#: Half-lives in samples, of one variable and of several.
HALF_LIVES, HALF_LIVES_OF_MANY = (1.0, 4.0, 16.0, 64.0), (1.0, 4.0, 16.0)


@dataclass(frozen=True, slots=True)
class NearestPast:
    """Scores by how far the last samples lie from the most similar stretch before them; nothing is trained.

    A score rests on all earlier samples of its series. The first ``min_history`` are trusted, and have none.

    Parameters
    ----------
    name, config
        Of the detector.
    """

    name: str
    config: Config

    @property
    def capabilities(self) -> Capabilities:
        """``steps_back`` is how many steps before the sample the most similar stretch ends.

        ``times`` is how many times as far off it is as any sample before.
        """
        return Capabilities(contribution=True, columns=("steps_back", "times"), history=True)

    @property
    def fingerprint(self) -> str:
        """A hash of the settings."""
        return "nearest " + hashlib.sha256(self.config.model_dump_json(exclude={"cutoff"}).encode()).hexdigest()

    @property
    def trained_through(self) -> np.datetime64 | None:
        """Nothing is trained."""
        return None

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
        n, d = series.values.shape
        values = series.measured().values
        usable: NDArray[np.bool_] = np.asarray(np.isfinite(values).any(axis=1))
        trusted = self._trusted(usable, series.cadence)
        if trusted is None:
            empty = np.full(n, np.nan)
            columns = dict.fromkeys(self.capabilities.columns, empty)
            return Scores(series.timestamps, empty, columns, np.full((n, d), np.nan), warm_up=empty)
        far, lag = self._distances(values, trusted)
        counts = np.isfinite(far).sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            # (terms, d, n): the part of each variable in the root of the mean of each term.
            means = np.where(np.isfinite(far), far, 0.0) / counts
            parts = means / np.sqrt(means.sum(axis=1, keepdims=True))
        parts[~(parts > 0)] = 0.0
        contribution = parts.sum(axis=0).T
        known = usable & (counts > 0).any(axis=(0, 1))
        score = np.where(known, contribution.sum(axis=1), np.nan)
        contribution[~known] = np.nan
        largest = parts.reshape(-1, n).argmax(axis=0)
        back = lag.reshape(-1, n)[largest, np.arange(n)]
        judged = np.arange(n) >= trusted
        before = np.fmax.accumulate(np.append(0.0, np.where(known, score, 0.0)))[:-1]
        columns = {
            "steps_back": _steps(series, back),
            "times": np.divide(score, before, out=np.full(n, np.nan), where=before > 0),
        }
        return Scores(
            series.timestamps,
            np.where(judged, score, np.nan),
            {name: np.where(judged & known, column, np.nan) for name, column in columns.items()},
            np.where(judged[:, None], contribution, np.nan),
            warm_up=np.where(judged, np.nan, score),
        )

    def _trusted(self, usable: NDArray[np.bool_], cadence: Cadence) -> int | None:
        """The row at which the trusted part ends; None if the series is not longer than that."""
        places = np.flatnonzero(usable)
        fewest = self.config.min_history or history(cadence)
        return int(places[fewest - 1]) + 1 if len(places) > fewest else None

    def _distances(self, values: Floats, trusted: int) -> tuple[Floats, NDArray[np.int32]]:
        """(terms, d, n) mean squared distance of each term, inf where there is none; and how many rows back."""
        n, d = values.shape
        wanted = self.config.half_lives or (HALF_LIVES if d == 1 else HALF_LIVES_OF_MANY)
        # What has nothing to compare at first would make later scores larger than earlier ones.
        halves = tuple(half for half in wanted if Past.reach(half) < trusted) or (min(wanted),)
        past = Past(halves, trusted, self.config.max_lag, np.float32(self.config.inherit))
        both = 2 if self.config.difference else 1
        far = np.empty((both, len(halves), d, n))
        lag = np.empty((both, len(halves), d, n), np.int32)
        farthest = FARTHEST if d == 1 else FARTHEST_OF_MANY
        share = 1 - past.keep.astype(np.float64)
        for variable in range(d):
            channels = channels_of(values[:, variable], trusted, difference=both == 2, farthest=farthest)
            for place, channel in enumerate(channels):
                found = matches(channel, past)
                far[place, :, variable] = found.least * share[:, None]
                lag[place, :, variable] = found.lag
        return far.reshape(-1, d, n), lag.reshape(-1, d, n)


def history(cadence: Cadence) -> int:
    """How many samples are trusted by default: 365, or those of two weeks if they are more, at most 2,016.

    >>> history(Cadence.parse("1D")), history(Cadence.parse("10min"))
    (365, 2016)
    """
    return min(max(14 * _DAY_US // cadence.step_us, 365), 2_016)


def _steps(series: Series, rows: NDArray[np.int32]) -> Floats:
    """How many steps of the calendar lie between each row and the one so many rows before it."""
    at = np.arange(len(rows))
    off = series.timestamps - series.timestamps[at - rows]
    return np.asarray(off.astype(np.int64) / series.cadence.step_us, np.float64)
