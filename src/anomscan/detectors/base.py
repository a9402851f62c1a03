"""What a detector is: a series goes in, one score per sample comes out. It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from anomscan.errors import AnomscanError
from anomscan.telemetry.baseline import Baseline
from anomscan.telemetry.cohorts import Cohorts
from anomscan.telemetry.series import Floats, Instants, Series


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a detector can do, as data.

    Parameters
    ----------
    remote
        Whether scoring leaves this process.
    contribution
        Whether it says how much each variable contributed.
    columns
        The names of what it gives of each sample beside the score. ``severity`` lies between 0 and 1.
    frozen
        Whether a shingle's score follows from the shingle alone: it is a :class:`FrozenDetector`.
    threshold
        The score above which a sample is anomalous, where the detector's scale has one; None if the scores of a window
        decide.
    history
        Whether it scores single samples, no shingles, by all that came before. While that is too little it has no
        score, and the asset is warming up. Whatever has a threshold is of that sort.
    retrospective
        Whether later samples have a say in a score: it tells what happened, not what could have been known then.
    peers
        Whether it compares an asset with its peers by itself, and one that has none with its own past: it is a
        :class:`PeerDetector`.
    baseline
        Whether it learns what is normal while it scores: it is a :class:`BaselineDetector`.
    """

    remote: bool = False
    contribution: bool = False
    columns: tuple[str, ...] = ()
    frozen: bool = False
    threshold: float | None = None
    history: bool = False
    retrospective: bool = False
    peers: bool = False
    baseline: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """One asset's scores, sample by sample.

    Parameters
    ----------
    timestamps
        (n,) datetime64[us]: those of the series.
    score
        (n,) float64, higher is stranger, NaN where there is none. A shingle's score stands at its last sample.
    columns
        By name (n,) float64, NaN where there is none: all that ``Capabilities.columns`` lists.
    contribution
        (n, d) float64; None if the detector has none, or gives it by :meth:`Detector.contributions` alone.
    is_anomaly
        (n,) bool: the provider's own verdict, kept beside ours, never in its place.
    notes
        What else the user should know, a sentence each: samples that have no score, and why.
    warm_up
        (n,) float64: scores of samples that are not judged, since later ones have a say in them; they count for the
        cut-offs of those that are. NaN elsewhere, and where ``score`` has one; None if there are none.
    """

    timestamps: Instants
    score: Floats
    columns: Mapping[str, Floats] = field(default_factory=dict)
    contribution: Floats | None = None
    is_anomaly: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()
    warm_up: Floats | None = None

    @property
    def for_cutoffs(self) -> Floats:
        """(n,) float64: the scores of which cut-offs are made."""
        return self.score if self.warm_up is None else np.where(np.isnan(self.score), self.warm_up, self.score)


class Detector(Protocol):
    """Scores series. Scoring is pure: same input, same output, whatever else is in the batch."""

    @property
    def name(self) -> str:
        """The name it has in the settings."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    @property
    def fingerprint(self) -> str:
        """A text that changes when its scores may: with its model, its file or its service."""

    @property
    def trained_through(self) -> np.datetime64 | None:
        """The last instant its training saw; None if nothing was trained."""

    def score(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[slice] | None = None
    ) -> list[Scores | AnomscanError]:
        """Score each series of a batch.

        Parameters
        ----------
        batch
            Series whose consecutive rows form the shingles. On a calendar they are a step apart, missing samples being
            rows of NaN; of a gap of more than a window the last places are left out.
        shingle
            L, in samples.
        rows
            For each series the rows whose scores matter, with a start and a stop; None for all. What precedes them is
            history. A detector that pays for each sample may leave NaN elsewhere.

        Returns
        -------
        One entry a series, in order: its scores, or the error of that asset alone.

        Raises
        ------
        AnomscanError
            Where no asset can be scored at all.
        """

    def contributions(self, series: Series, rows: NDArray[np.intp], shingle: int) -> Floats | None:
        """(k, d) float64: what each variable contributed to the scores of k samples; None if it cannot say."""


class FrozenDetector(Detector, Protocol):
    """A detector whose score of a shingle depends only on the shingle, as long as its fingerprint is the same."""

    def score_at(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[NDArray[np.intp]]
    ) -> list[Floats | AnomscanError]:
        """Score the shingles that end at some rows of each series; they are complete.

        Returns
        -------
        For each series (k, 1 + c) float64, a line for each of its rows: the score, and the c numbers that
        ``Capabilities.columns`` lists; or the error of that asset alone.

        Raises
        ------
        AnomscanError
            As :meth:`Detector.score`.
        """


class PeerDetector(Detector, Protocol):
    """A detector that compares an asset with its peers by itself."""

    def with_cohorts(self, cohorts: Cohorts) -> Detector:
        """The same detector with these peers."""


class BaselineDetector(Detector, Protocol):
    """A detector that learns what is normal while it scores, so that it must know which samples are not."""

    def with_baseline(self, baseline: Baseline, skip_health: tuple[str, ...]) -> Detector:
        """The same detector, told what people say is normal, and which health is not."""


def is_frozen(detector: Detector) -> TypeGuard[FrozenDetector]:
    """Whether a detector's scores may be kept and single shingles scored."""
    return detector.capabilities.frozen


def has_peers(detector: Detector) -> TypeGuard[PeerDetector]:
    """Whether a detector compares an asset with its peers by itself."""
    return detector.capabilities.peers


def has_baseline(detector: Detector) -> TypeGuard[BaselineDetector]:
    """Whether a detector learns what is normal while it scores."""
    return detector.capabilities.baseline
