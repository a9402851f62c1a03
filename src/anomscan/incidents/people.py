"""What people write into the ledger."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from anomscan.errors import ConfigError
from anomscan.incidents.ledger import KNOWN_LABELS, Acknowledged, Entry, Label, Ledger, Note, Snoozed


def find(ledger: Ledger, text: str) -> Entry:
    """The entry with an id, or with the only one that begins so.

    Raises
    ------
    ConfigError
        If there is none, or there are several.
    """
    found = [each for id_, each in ledger.entries.items() if id_.startswith(text.lower())] if text else []
    if not found:
        raise ConfigError(f"there is no incident '{text}'", hint="anomscan incidents list names them")
    if len(found) > 1:
        raise ConfigError(f"'{text}' may be {found[0].id} or {found[1].id}", hint="give more of its digits")
    return found[0]


def acknowledge(entry: Entry, *, by: str, at: str, reason: str) -> Entry:
    """Somebody knows of it, until it ends.

    Raises
    ------
    ConfigError
        If it has ended.
    """
    if not entry.is_open:
        raise ConfigError(f"incident {entry.id} is closed", hint="only an open one can be acknowledged")
    return replace(entry, acknowledged=Acknowledged(by, at, reason))


def snooze(entry: Entry, *, until: str, by: str, at: str, reason: str) -> Entry:
    """Nobody is to hear of it until a day, ``YYYY-MM-DD``.

    Raises
    ------
    ConfigError
        If the day is not in the future.
    """
    if until <= at[:10]:
        raise ConfigError(f"--until {until} is not in the future", hint="name the day from which on it counts again")
    return replace(entry, snoozed=Snoozed(until, by, at, reason))


def label(entry: Entry, name: str, *, by: str, at: str) -> Entry:
    """Say what it was, of the days that it has by now.

    A false alarm is nothing else of ``KNOWN_LABELS``, and the other way round.
    """
    excluded = {"false-alarm"} if name in KNOWN_LABELS else set()
    if name == "false-alarm":
        excluded = set(KNOWN_LABELS)
    entry = _without(entry, excluded | {name}, at)
    covers = tuple((spell.since, spell.last) for spell in entry.spells)
    return replace(entry, labels=(*entry.labels, Label(name, by, at, covers)))


def unlabel(entry: Entry, name: str, *, at: str) -> Entry:
    """Take a label away.

    Raises
    ------
    ConfigError
        If it has none such.
    """
    if all(each.label != name for each in entry.labels):
        raise ConfigError(f"incident {entry.id} has no label '{name}'")
    return _without(entry, {name}, at)


def _without(entry: Entry, names: Collection[str], at: str) -> Entry:
    """An entry without some labels; those that change what is normal are remembered."""
    lost = [each for each in entry.labels if each.label in names]
    return replace(
        entry,
        labels=tuple(each for each in entry.labels if each not in lost),
        withdrawn=(*entry.withdrawn, *(replace(each, withdrawn=at) for each in lost if each.label in KNOWN_LABELS)),
    )


def note(entry: Entry, text: str, *, by: str, at: str) -> Entry:
    """Add a note."""
    return replace(entry, notes=(*entry.notes, Note(text, by, at)))


def reopen(entry: Entry) -> Entry:
    """Make it a finding again: neither acknowledged nor snoozed, and open until the next night says otherwise.

    Raises
    ------
    ConfigError
        If it has become part of another one.
    """
    if entry.merged_into is not None:
        raise ConfigError(f"incident {entry.id} is part of {entry.merged_into}", hint="reopen that one")
    entry = replace(entry, acknowledged=None, snoozed=None)
    return entry if entry.is_open else replace(entry, state="reopened", closed=None, reopened=entry.closed)
