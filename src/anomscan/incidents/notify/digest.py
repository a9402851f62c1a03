"""What one target is told at once: changes, a common cause as one of them, and now and then what is open."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from anomscan.incidents.ledger import Entry
from anomscan.incidents.words import of_entry
from anomscan.telemetry.names import PREFIX
from anomscan.wording import counted

SCHEMA = "anomscan.digest/1"
#: In this order they are told.
ORDER = ("new", "reopened", "worse", "closed", "ongoing", "quiet", "unknown", "open")


@dataclass(frozen=True, slots=True)
class Told:
    """An incident in a digest.

    Parameters
    ----------
    entry
        As the ledger has it now.
    what
        The change, or ``open``.
    key
        Of the change, by which a receiver knows it if it comes twice; None where there is none.
    """

    entry: Entry
    what: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a digest.

    Parameters
    ----------
    what
        The change, or ``open``.
    common
        The cohort whose incident it is, as ``cohort:R1``; None if it is of one asset.
    told
        At least one; the first stands for all.
    """

    what: str
    common: str | None
    told: Sequence[Told]


@dataclass(frozen=True, slots=True)
class Digest:
    """What a target is told.

    Parameters
    ----------
    target
        Its name.
    at
        When it was made, in UTC, ``2026-03-01T03:15:00Z``.
    nights
        By source and detector, the end of the last run.
    changes, still_open
        What to tell; ``still_open`` is None where it is not the time for that.
    is_test
        Whether it only tries the way.
    """

    target: str
    at: str
    nights: Mapping[tuple[str, str], str]
    changes: Sequence[Item]
    still_open: Sequence[Item] | None = None
    is_test: bool = False

    @property
    def key(self) -> str:
        """32 hexadecimal digits: the same for the same changes, or without any for the same day."""
        keys = sorted(told.key or "" for item in self.changes for told in item.told)
        parts = [self.target, *(keys or [self.at[:10], str(self.still_open is not None)])]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    @property
    def title(self) -> Markup:
        """In a few words: ``2 new, 1 closed``."""
        if self.is_test:
            return Markup("a test")
        found = Counter(item.what for item in self.changes)
        parts = [f"{found[what]:,} {what}" for what in ORDER if found[what]]
        if self.still_open is not None:
            parts.append(f"{len(self.still_open):,} open")
        return Markup(", ".join(parts) or "nothing new")  # noqa: S704, our own words

    def as_json(self) -> dict[str, Any]:
        """What is sent to programs; templates are given it, too."""
        return {
            "schema": SCHEMA,
            "target": self.target,
            "key": self.key,
            "at": self.at,
            "test": self.is_test,
            "title": self.title,
            "nights": [
                {"source": source, "detector": detector, "end": end}
                for (source, detector), end in sorted(self.nights.items())
            ],
            "changes": [_item(each) for each in self.changes],
            "open": None if self.still_open is None else [_item(each) for each in self.still_open],
        }


def items(found: Iterable[Told]) -> list[Item]:
    """Incidents as lines: those with a cause in common are one, the worst come first."""
    groups: dict[tuple[str, ...], list[Told]] = {}
    for told in found:
        entry = told.entry
        cohort = entry.asset if entry.asset.startswith(PREFIX) else entry.common
        alone = (told.key or entry.id,) if cohort is None else (cohort, entry.family)
        groups.setdefault((told.what, entry.source, *alone), []).append(told)
    lines = []
    for group in groups.values():
        group.sort(key=lambda each: (not each.entry.asset.startswith(PREFIX), -_size(each.entry), each.entry.asset))
        common = group[0].entry.common if len(group) > 1 or group[0].entry.common is None else None
        if group[0].entry.asset.startswith(PREFIX):
            common = group[0].entry.asset
        lines.append(Item(group[0].what, common, group))
    return sorted(
        lines,
        key=lambda line: (ORDER.index(line.what), -_size(line.told[0].entry), line.told[0].entry.order),
    )


def _size(entry: Entry) -> float:
    return max(map(abs, entry.deviation.values()), default=0.0)


def _item(item: Item) -> dict[str, Any]:
    return {
        "what": Markup(item.what),  # noqa: S704, one of ours
        "common": item.common,
        "text": _summary(item),
        "incidents": [_incident(each) for each in item.told],
    }


def _summary(item: Item) -> Markup:
    words = of_entry(item.told[0].entry)
    if item.common is not None:
        members = sum(not each.entry.asset.startswith(PREFIX) for each in item.told)
        words += f", {counted(members, 'asset')}" if members else ""
    return Markup(words)  # noqa: S704, of_entry has nothing from the data


def _incident(told: Told) -> dict[str, Any]:
    entry = told.entry
    return {
        "key": told.key,
        "id": entry.id,
        "asset": entry.asset,
        "source": entry.source,
        "detector": entry.family,
        "cohort": entry.cohort,
        "kind": entry.kind,
        "state": entry.state,
        "since": entry.since,
        "last": entry.last,
        "days": entry.days,
        "deviation": dict(entry.deviation),
        "severity": entry.severity,
        "muted_by": entry.acknowledged.by if entry.acknowledged else entry.snoozed.by if entry.snoozed else None,
        "merged_into": entry.merged_into,
        "text": Markup(of_entry(entry)),  # noqa: S704
    }
