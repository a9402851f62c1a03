"""What the ledger is told of a run: when it ends, and what it found of each asset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomscan.incidents.incident import Incident
from anomscan.incidents.ledger import Entry
from anomscan.incidents.matching import at
from anomscan.telemetry.cadence import Cadence


@dataclass(frozen=True, slots=True)
class JudgedDays:
    """The samples of an asset that a run reported and judged.

    Parameters
    ----------
    times
        (n,) datetime64[us], ascending.
    flagged
        (n,) bool: anomalous, rather than ok.
    """

    times: NDArray[np.datetime64] = field(default_factory=lambda: np.empty(0, "datetime64[us]"))
    flagged: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))

    def quiet_since(self, entry: Entry, before: str | None = None) -> int:
        """How many are not flagged after the last flagged one of an entry, those that earlier nights judged included.

        Parameters
        ----------
        before
            Up to there, left out; None for all.
        """
        if not len(self.times):
            return entry.quiet or 0
        start, known = at(entry.last), 0
        if entry.judged is not None and self.times[0] > start:
            start, known = max(start, at(entry.judged)), entry.quiet or 0
        stop = len(self.times) if before is None else int(np.searchsorted(self.times, at(before), "left"))
        return known + int((~self.flagged[np.searchsorted(self.times, start, "right") : stop]).sum())


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run found of one asset.

    Parameters
    ----------
    asset
        Its id; of a cohort ``cohort:NAME``.
    incidents
        All that are open or touch the days reported.
    judged
        The days reported.
    failed
        Whether it could not be scanned.
    cohort
        The asset's.
    severities
        For each incident, the largest severity of its days reported; empty where the detector has none.
    maintenance
        Why it is in a planned outage at the run's end; None if it is not.
    retired
        Whether nothing is expected of it any more at the run's end: what was wrong with it is over.
    """

    asset: str
    incidents: Sequence[Incident] = ()
    judged: JudgedDays = field(default_factory=JudgedDays)
    failed: bool = False
    cohort: str | None = None
    severities: Sequence[float | None] = ()
    maintenance: str | None = None
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Night:
    """A run.

    Parameters
    ----------
    source, detector
        Names in the settings.
    end
        The run's end, as timestamps are written.
    cadence
        Of the samples.
    close_after
        An incident is over after so many quiet judged samples.
    reopen_within
        So long after its last flagged sample it opens again rather than that a new one begins.
    """

    source: str
    detector: str
    end: str
    cadence: Cadence
    close_after: int
    reopen_within: np.timedelta64
