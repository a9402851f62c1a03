"""Any detector on the difference of each asset to its peers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.base import Capabilities, Detector, Scores, has_peers
from anomscan.errors import AnomscanError
from anomscan.telemetry.cohorts import Cohorts, How
from anomscan.telemetry.series import Floats, Series


def against_peers(series: Series, cohorts: Cohorts, how: How) -> Series:
    """The difference of a series to the median of its peers, or its ratio to it; NaN where they have none."""
    own, others = series.measured().values, cohorts.others(series)
    if how == "difference":
        return replace(series, values=own - others)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = own / others
    return replace(series, values=np.where(np.isfinite(ratio), ratio, np.nan))


class PeerView:
    """A detector that is given each series against its peers.

    Its scores follow from the peers, too, so that none may be kept: it is not frozen.

    Parameters
    ----------
    detector
        The detector.
    cohorts
        The peers.
    how
        What a series is compared by.
    """

    def __init__(self, detector: Detector, cohorts: Cohorts, how: How) -> None:
        self._detector, self._cohorts, self._how = detector, cohorts, how
        self.name = detector.name
        self.capabilities: Capabilities = replace(detector.capabilities, frozen=False)
        self.fingerprint = f"{detector.fingerprint} {how} to peers"
        self.trained_through = detector.trained_through

    def score(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[slice] | None = None
    ) -> list[Scores | AnomscanError]:
        """See :meth:`anomscan.detectors.base.Detector.score`."""
        return self._detector.score(
            [against_peers(series, self._cohorts, self._how) for series in batch], shingle, rows
        )

    def contributions(self, series: Series, rows: NDArray[np.intp], shingle: int) -> Floats | None:
        """See :meth:`anomscan.detectors.base.Detector.contributions`."""
        return self._detector.contributions(against_peers(series, self._cohorts, self._how), rows, shingle)

    def with_cohorts(self, cohorts: Cohorts) -> PeerView:
        """The same detector with other peers."""
        return PeerView(self._detector, cohorts, self._how)


def with_cohorts(detector: Detector, cohorts: Cohorts) -> Detector:
    """The same detector with other peers, if it looks at any."""
    return detector.with_cohorts(cohorts) if isinstance(detector, PeerView) or has_peers(detector) else detector
