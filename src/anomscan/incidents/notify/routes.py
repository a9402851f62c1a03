"""What of the outbox a target is told now, later, or never."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from anomscan.config import Route
from anomscan.incidents.ledger import WEEKLY, Entry, Ledger, Message
from anomscan.incidents.matching import at
from anomscan.incidents.notify import outbox
from anomscan.telemetry.cadence import parse_duration


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is due to a target.

    Parameters
    ----------
    now
        The messages to send.
    never
        Keys of those that are not for it.
    still_open
        The incidents that it may hear of and that are open; nobody has acknowledged or snoozed them.
    """

    now: Sequence[Message]
    never: Collection[str]
    still_open: Sequence[Entry]


def choose(ledger: Ledger, route: Route, today: str, tags: Callable[[Entry], Collection[str]]) -> Chosen:
    """What to send to a target.

    Parameters
    ----------
    today
        ``YYYY-MM-DD``, by which a snooze still holds.
    tags
        Those of an incident's asset, for a route that asks for some.

    Notes
    -----
    Of what somebody has acknowledged or snoozed only the end is told. An incident younger than ``min_age`` waits; if it
    ends before, nobody hears of it.
    """
    now, never = [], []
    for message in outbox.due(ledger, route.name):
        if message.tell == WEEKLY:
            now.append(message)
            continue
        entry = ledger.entries[message.tell]
        is_young, is_muted = _is_young(entry, ledger, route), entry.is_muted(today) and message.what != "closed"
        if is_muted or not _is_of(entry, route, tags) or (is_young and not entry.is_open):
            never.append(message.key)
        elif not is_young:
            now.append(message)
    still_open = [
        each
        for each in ledger.entries.values()
        if each.is_open
        and not each.is_muted(today)
        and _is_of(each, route, tags)
        and not _is_young(each, ledger, route)
    ]
    return Chosen(now, never, still_open)


def _is_of(entry: Entry, route: Route, tags: Callable[[Entry], Collection[str]]) -> bool:
    return (
        (not route.kinds or entry.kind in route.kinds)
        and (not route.cohorts or entry.cohort in route.cohorts)
        and (not route.tags or bool(set(route.tags) & set(tags(entry))))
        and (route.severity is None or (entry.severity is not None and entry.severity >= route.severity))
    )


def _is_young(entry: Entry, ledger: Ledger, route: Route) -> bool:
    """Whether an incident has not lasted for ``min_age`` yet; one that is over never will."""
    if route.min_age is None:
        return False
    ends = [end for (source, _), end in ledger.nights.items() if source == entry.source] if entry.is_open else []
    return bool(at(max([*ends, entry.last])) - at(entry.since) < parse_duration(route.min_age))
