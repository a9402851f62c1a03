"""An incident as a page tells it: what the record says of it, and what the ledger and people do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from anomscan.incidents.incident import SILENT_KINDS, Common, Incident
from anomscan.incidents.ledger import Entry, Ledger
from anomscan.incidents.words import in_words
from anomscan.reports.records import Record

#: In the order of the page. ``open`` is one of which no ledger says more, ``none`` an asset without any.
STATES = ("new", "reopened", "ongoing", "open", "quiet", "unknown", "closed", "none")


@dataclass(frozen=True, slots=True)
class Told:
    """One incident.

    Parameters
    ----------
    state
        One of ``STATES``.
    incident
        What went wrong.
    words
        In one line.
    muted
        Why nobody wants to hear of it: ``acknowledged by …``; empty where nobody said so.
    remarks
        What people wrote, a line each.
    """

    state: str
    incident: Incident
    words: str
    muted: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it is not over, as far as is known."""
        return self.state not in ("closed", "none")

    @property
    def is_silent(self) -> bool:
        """Whether nothing has come since it began: all there is to lose is lost."""
        return self.is_open and self.incident.kind in SILENT_KINDS

    @property
    def variable(self) -> str | None:
        """The variable that it shows in most."""
        return self.incident.variables[0][0] if self.incident.variables else None

    @property
    def deviation(self) -> float | None:
        """The share of the expected value by which that variable is off."""
        return _of(self.incident.deviation, self.variable)

    @property
    def loss(self) -> float | None:
        """What was lost of it, in its unit times steps."""
        return _of(self.incident.loss, self.variable)

    @property
    def order(self) -> tuple[int, bool, bool, int]:
        """The worst first: by state, muted ones below the rest, silence before all else, the longest first."""
        return STATES.index(self.state), bool(self.muted), not self.is_silent, -self.incident.days


@dataclass(frozen=True, slots=True)
class Memory:
    """What a ledger says of the incidents of a run.

    Parameters
    ----------
    entries
        By asset those of the run's source.
    until
        The end of the last run that the ledger saw; None where it saw none.
    today
        ``YYYY-MM-DD``, by which a snooze still holds.
    """

    entries: Mapping[str, Sequence[Entry]]
    until: str | None
    today: str

    @classmethod
    def of(cls, ledger: Ledger, source: str | None, detector: str | None, today: str) -> Memory:
        """That of a source and a detector."""
        found: dict[str, list[Entry]] = {}
        for entry in ledger.entries.values():
            if entry.source == source and entry.merged_into is None:
                found.setdefault(entry.asset, []).append(entry)
        return cls(found, ledger.nights.get((source or "", detector or "")), today)

    def told(self, record: Record) -> list[Told]:
        """The incidents of a record, and those that the ledger has still open or closed with the last run."""
        known = {entry.id: entry for entry in self.entries.get(record.asset, ())}
        found = []
        for incident in record.incidents:
            entry = None if incident.id is None else known.pop(incident.id, None)
            found.append(_plain(incident) if entry is None else self._remembered(entry, incident))
        found += [
            self._remembered(entry, _incident(entry))
            for entry in known.values()
            if entry.is_open or (entry.closed is not None and entry.closed == self.until)
        ]
        return found

    def _remembered(self, entry: Entry, incident: Incident) -> Told:
        muted = ""
        if entry.is_muted(self.today):
            if entry.acknowledged is not None and entry.is_open:
                muted = f"acknowledged by {entry.acknowledged.by}"
            elif entry.snoozed is not None:
                muted = f"snoozed until {entry.snoozed.until} by {entry.snoozed.by}"
        return Told(entry.state, incident, in_words(incident), muted, tuple(_remarks(entry)))


def told_alone(record: Record) -> list[Told]:
    """The incidents of a record of which no ledger says more; without any, its spans."""
    if record.incidents or not record.spans:
        return [_plain(incident) for incident in record.incidents]
    return [_plain(_of_span(record, start, end)) for start, end in record.spans]


def _plain(incident: Incident) -> Told:
    return Told("open" if incident.open else "closed", incident, in_words(incident))


def _of_span(record: Record, start: str, end: str) -> Incident:
    """Anomalous days without an incident, as older records have them."""
    days = [each for each in record.anomalies if start <= each.timestamp <= end]
    since = days[0].timestamp if days else start
    last = days[-1].timestamp if days else end
    is_open = record.to is not None and end >= record.to
    return Incident(None, "pattern", since, since, last, is_open, len(days), None, {}, {}, {}, {}, (), None)


def _incident(entry: Entry) -> Incident:
    """What the ledger remembers of one that the run did not show."""
    spell = entry.spells[-1]
    most = sorted(entry.deviation, key=lambda name: -abs(entry.deviation[name]))
    return Incident(
        entry.id,
        entry.kind,
        spell.since,
        spell.first,
        spell.last,
        entry.is_open,
        spell.days,
        entry.peak,
        {},
        {},
        entry.deviation,
        {},
        tuple((name, math.nan) for name in most),
        None if entry.common is None else Common(entry.common, spell.since),
    )


def _remarks(entry: Entry) -> Iterable[str]:
    if entry.acknowledged is not None:
        yield f"acknowledged by {entry.acknowledged.by}, {entry.acknowledged.at}: {entry.acknowledged.reason}"
    if entry.snoozed is not None:
        yield f"snoozed until {entry.snoozed.until} by {entry.snoozed.by}: {entry.snoozed.reason}"
    for label in entry.labels:
        yield f"labelled {label.label} by {label.by}"
    for note in entry.notes:
        yield f"{note.by}, {note.at}: {note.text}"


def _of(numbers: Mapping[str, float], variable: str | None) -> float | None:
    number = numbers.get(variable, math.nan) if variable is not None else math.nan
    return number if math.isfinite(number) else None
