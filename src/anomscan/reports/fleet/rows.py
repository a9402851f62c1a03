"""The rows of the fleet's page, one an asset, gathered while the records are read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from anomscan.reports.fleet.cells import Reported
from anomscan.reports.fleet.told import STATES, Memory, Told, told_alone
from anomscan.reports.records import Anomaly, Record
from anomscan.telemetry.names import PREFIX

#: How a row's place is found, as the page says it.
RANKING = (
    "by state (new, reopened, ongoing, open, quiet, unknown, closed), acknowledged and snoozed below the rest of their "
    "state; then what is silent, and the rest by the area over the cut-off, the sum of (score - cut-off) ÷ |cut-off| "
    "of the anomalous samples"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One asset, or one cohort.

    Parameters
    ----------
    cohort, name, url
        What the list of assets says; empty where it says nothing.
    tags
        Its tags.
    incidents
        What is told of it, the worst first.
    area
        The area over the cut-off, without a unit.
    unjudged
        Why nothing of it was judged; empty where something was.
    verdicts
        How many samples had each verdict.
    stretch
        What was reported of it.
    """

    asset: str
    cohort: str
    name: str
    url: str
    tags: tuple[str, ...]
    incidents: list[Told]
    area: float
    unjudged: str
    verdicts: dict[str, int]
    stretch: Reported

    @property
    def state(self) -> str:
        """Of its worst incident."""
        return self.incidents[0].state if self.incidents else "none"

    @property
    def is_cohort(self) -> bool:
        """Whether it stands for a cohort rather than an asset."""
        return self.asset.startswith(PREFIX)

    @property
    def order(self) -> tuple[int, bool, bool, float, int, str]:
        """Its place on the page, see ``RANKING``."""
        worst = self.incidents[0] if self.incidents else None
        muted, silent, days = False, False, 0
        if worst is not None:
            muted, silent, days = bool(worst.muted), worst.is_silent, worst.incident.days
        return STATES.index(self.state), muted, not silent, -self.area, -days, self.asset


@dataclass(slots=True)
class Rows:
    """The fleet, gathered.

    Parameters
    ----------
    memory
        What the ledger says; None without one.
    who
        By asset, what the list of assets says of it.
    """

    memory: Memory | None = None
    who: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def watch(self, records: Iterable[Record]) -> Iterator[tuple[Record, Row]]:
        """Pass records on, each with its row."""
        for record in records:
            self.rows.append(self._row(record))
            yield record, self.rows[-1]

    def ranked(self) -> list[Row]:
        """The rows in the order of the page."""
        return sorted(self.rows, key=lambda row: row.order)

    def _row(self, record: Record) -> Row:
        cells = self.who.get(record.asset, {})
        known = self.memory is not None and any(each.id for each in record.incidents)
        told = self.memory.told(record) if self.memory is not None and (known or not record.spans) else None
        return Row(
            record.asset,
            cells.get("cohort", "")
            or next((each.common.asset.removeprefix(PREFIX) for each in record.incidents if each.common), ""),
            cells.get("name", ""),
            _http(cells.get("url", "")),
            _tags(cells.get("tags", "")),
            sorted(told_alone(record) if told is None else told, key=lambda each: each.order),
            sum(map(_area, record.anomalies)),
            _unjudged(record),
            record.verdicts,
            Reported.of(record),
        )


def _area(anomaly: Anomaly) -> float:
    over = anomaly.score - anomaly.cutoff
    if not math.isfinite(over) or over <= 0 or anomaly.cutoff == 0:
        return 0.0
    return min(over / abs(anomaly.cutoff), 1e9)


def _unjudged(record: Record) -> str:
    """Why no sample was judged, in words."""
    if record.error is not None:
        return record.error
    if record.verdicts.get("ok", 0) or record.verdicts.get("anomalous", 0):
        return ""
    reasons = [name for name in ("silent", "no-data", "skipped", "warming-up") if record.verdicts.get(name, 0)]
    words = {
        "silent": "silent: it sends nothing",
        "no-data": "no data",
        "skipped": "skipped for its health",
        "warming-up": "warming up: too little history for a cut-off",
    }
    return "; ".join(words[name] for name in reasons) or "nothing was reported of it"


def _tags(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tag.strip() for tag in text.replace(";", ",").split(",") if tag.strip()))


def _http(url: str) -> str:
    """The address, if a page may lead there."""
    return url if url.startswith(("http://", "https://")) else ""
