"""What a planned outage excuses: it makes no alarm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomscan.incidents.matching import at
from anomscan.reports.records import Record
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.outages import Outages


@dataclass(frozen=True, slots=True)
class Excused:
    """The outages of a run, as its records meet them.

    Parameters
    ----------
    outages, cadence
        Of the samples.
    end
        datetime64[us]: of the run; None where it has none.
    """

    outages: Outages
    cadence: Cadence
    end: np.datetime64 | None

    def day(self, asset: str, timestamp: str) -> bool:
        """Whether a sample of an asset lies in an outage."""
        return self.outages.reason(asset, at(timestamp), self.cadence) is not None

    def now(self, asset: str) -> str | None:
        """Why an asset is in an outage at the run's end; None if it is not."""
        if self.end is None:
            return None
        # The run may end within the step of its last sample.
        step = np.timedelta64(1, "D") if self.cadence.whole_days else self.cadence.step
        last = self.end - self.end.astype(np.int64) % step.astype("timedelta64[us]").astype(np.int64)
        return self.outages.reason(asset, last, self.cadence)

    def silent(self, record: Record) -> int:
        """How many of the silent samples of a record lie in an outage."""
        count = record.verdicts["silent"]
        if not count or record.to is None or record.asset not in self.outages.by_asset:
            return 0
        # They are its last ones.
        first = at(record.to) - (count - 1) * self.cadence.step
        return count - sum(map(len, self.outages.outside(record.asset, first, count, self.cadence)))
