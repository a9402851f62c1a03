"""What is remembered of incidents from night to night: one entry an incident, and until when each detector has run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from anomscan.incidents.incident import SILENT_KINDS, Peak

State = Literal["new", "ongoing", "quiet", "closed", "reopened", "unknown"]
STATES: tuple[State, ...] = ("new", "reopened", "ongoing", "quiet", "unknown", "closed")
#: The family of all incidents of assets that send nothing, whatever the detector.
SILENCE = "silence"
#: Labels that have a meaning; any others are the user's own.
KNOWN_LABELS = ("fault", "false-alarm", "maintenance", "weather")
#: Stands for the id in the message that tells what is open.
WEEKLY = "weekly"

# Of what a ledger is made: read strictly, and no key that is not known.
_STRICT: Mapping[str, Any] = MappingProxyType({"extra": "forbid", "strict": True})


@dataclass(frozen=True, slots=True)
class Spell:
    """Anomalous days that a run joins.

    Parameters
    ----------
    since, first, last
        As timestamps are written: the onset, the first and the last flagged sample.
    days
        How many samples are anomalous, or missing.
    """

    __pydantic_config__: ClassVar = _STRICT

    since: str
    first: str
    last: str
    days: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Somebody knows of it; ends with the incident."""

    __pydantic_config__: ClassVar = _STRICT

    by: str
    at: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snoozed:
    """Nobody wants to hear of it until a day, ``YYYY-MM-DD``, from which on it is a finding again."""

    __pydantic_config__: ClassVar = _STRICT

    until: str
    by: str
    at: str
    reason: str


@dataclass(frozen=True, slots=True)
class Label:
    """What it was: one of ``KNOWN_LABELS``, or an own word.

    Parameters
    ----------
    covers
        First and last sample of each stretch that the incident had when this was said.
    withdrawn
        When it was taken back; None while it holds.
    """

    __pydantic_config__: ClassVar = _STRICT

    label: str
    by: str
    at: str
    covers: tuple[tuple[str, str], ...] = ()
    withdrawn: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody has to say of it."""

    __pydantic_config__: ClassVar = _STRICT

    text: str
    by: str
    at: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One incident, from the night it was first seen to the last.

    Parameters
    ----------
    id
        12 hexadecimal digits; never changes.
    source, asset, family
        Whose it is; the family is the detector, or ``silence``.
    first_flagged
        The first flagged sample when it was first seen. With the three before it, it made the id.
    state
        Of the last night. ``unknown``: its days were not judged.
    kind
        Of the newest spell.
    spells
        At least one, in time order.
    first_seen
        The end of the run that saw it first.
    cohort
        Of the asset; None if it has none.
    common
        The cohort's record whose incident it is part of.
    peak, deviation
        Of the newest spell: its largest score, and by variable the share of the expected value.
    severity
        The largest of its days, where the detector has one.
    judged
        The newest sample that was judged; None once it is closed, and for silence.
    quiet
        How many quiet judged samples have followed the last flagged one up to then; None for none.
    closed, reopened
        The end of the run that last closed or reopened it.
    told, worse
        The deviation when it was last told, and the end of the run that found it to have grown by half since.
    maintenance
        Why its asset was in a planned outage when it was last seen; None if it was not, or it is closed.
    acknowledged, snoozed, labels, notes
        What people wrote.
    merged_into
        The id of the incident that it turned out to be part of.
    withdrawn
        Labels that were taken back: what was judged while they held was judged by them.
    """

    __pydantic_config__: ClassVar = _STRICT

    id: str
    source: str
    asset: str
    family: str
    first_flagged: str
    state: State
    kind: str
    spells: tuple[Spell, ...]
    first_seen: str
    cohort: str | None = None
    common: str | None = None
    peak: Peak | None = None
    severity: float | None = None
    deviation: Mapping[str, float] = field(default_factory=dict)
    judged: str | None = None
    quiet: int | None = None
    closed: str | None = None
    reopened: str | None = None
    told: float | None = None
    worse: str | None = None
    maintenance: str | None = None
    acknowledged: Acknowledged | None = None
    snoozed: Snoozed | None = None
    labels: tuple[Label, ...] = ()
    notes: tuple[Note, ...] = ()
    merged_into: str | None = None
    withdrawn: tuple[Label, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it is not over, as far as is known."""
        return self.state != "closed"

    @property
    def since(self) -> str:
        """The onset of the newest spell."""
        return self.spells[-1].since

    @property
    def last(self) -> str:
        """The last flagged sample."""
        return self.spells[-1].last

    @property
    def days(self) -> int:
        """How many samples are anomalous, or missing, in all spells."""
        return sum(spell.days for spell in self.spells)

    @property
    def is_marked(self) -> bool:
        """Whether somebody wrote anything into it."""
        return bool(self.acknowledged or self.snoozed or self.labels or self.notes or self.withdrawn)

    def is_muted(self, today: str) -> bool:
        """Whether it is acknowledged, in maintenance, or snoozed beyond a day: then it counts for no alarm."""
        excused = (self.acknowledged is not None or self.maintenance is not None) and self.is_open
        return excused or (self.snoozed is not None and self.snoozed.until > today)

    @property
    def order(self) -> tuple[str, ...]:
        """Where it stands in the ledger."""
        return self.source, self.asset, self.family, self.first_flagged, self.id


@dataclass(frozen=True, slots=True)
class Message:
    """Something that is to be told: a change of an incident, or once a week what is open.

    Parameters
    ----------
    tell
        The incident's id, or ``WEEKLY``.
    what
        The state that it has come into, or ``worse``; ``open`` of the weekly one.
    night
        The end of the run that found it; of the weekly one a day, ``YYYY-MM-DD``.
    to
        Names of the targets that have not taken it yet; none once all have.
    """

    __pydantic_config__: ClassVar = _STRICT

    tell: str
    what: str
    night: str
    to: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What a receiver knows it by if it comes twice."""
        return f"{self.tell}:{self.what}:{self.night}"


@dataclass(frozen=True, slots=True)
class Ledger:
    """All incidents.

    Parameters
    ----------
    entries
        By id.
    nights
        By source and detector, the end of the last run.
    outbox
        What is to be told, and what was recently.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    nights: Mapping[tuple[str, str], str] = field(default_factory=dict)
    outbox: tuple[Message, ...] = ()

    @classmethod
    def of(
        cls, entries: Iterable[Entry], nights: Mapping[tuple[str, str], str], outbox: Iterable[Message] = ()
    ) -> Ledger:
        """A ledger of some entries, in their order; messages of others are left out."""
        known = {each.id: each for each in sorted(entries, key=lambda each: each.order)}
        kept = sorted((each for each in outbox if each.tell in known or each.tell == WEEKLY), key=lambda each: each.key)
        return cls(known, dict(nights), tuple(sorted(kept, key=lambda each: each.night)))


def family_of(kind: str, detector: str) -> str:
    """The family of an incident."""
    return SILENCE if kind in SILENT_KINDS else detector


def id_of(source: str, asset: str, family: str, first_flagged: str, number: int = 0) -> str:
    """The id of an incident that is seen for the first time.

    Parameters
    ----------
    number
        Counts on where another incident has that id already.

    >>> id_of("fleet", "S1", "chart", "2026-03-01")
    '5a16d7b2ffa6'
    """
    parts = [source, asset, family, first_flagged, *([str(number)] if number else [])]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
