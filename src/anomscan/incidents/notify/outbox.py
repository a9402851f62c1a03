"""The outbox in the ledger: what is to be told, written with the states that it tells of, and so before it is sent.

A message keeps its key, whatever happens: one that is sent twice, since a run was killed or an answer was lost, can be
recognised by whoever gets it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta

from anomscan.config import MailRoute, Route
from anomscan.incidents.ledger import WEEKLY, Ledger, Message
from anomscan.incidents.nights import Change

#: From one telling of all that is open to the next.
WEEK = timedelta(days=7)


def post(before: Ledger, after: Ledger, changes: Iterable[Change], end: str, routes: Sequence[Route]) -> Ledger:
    """The ledger after a night with the changes of that night in its outbox, for whoever wants to hear of such.

    Parameters
    ----------
    end
        Of the run. What all targets have taken of earlier ones is forgotten; of this one it is remembered, should the
        same night be repeated.
    """
    kept = {each.key: each for each in after.outbox if each.to or each.tell == WEEKLY or each.night >= end}
    for change in changes:
        what = change.what
        if what == "merged":
            old = before.entries.get(change.id)
            if old is None or not old.is_open:
                continue
            what = "closed"
        message = Message(change.id, what, end, tuple(route.name for route in routes if what in route.states))
        if message.to:
            kept.setdefault(message.key, message)
    return Ledger.of(after.entries.values(), after.nights, kept.values())


def post_weekly(ledger: Ledger, today: str, routes: Sequence[Route]) -> Ledger:
    """The ledger with what is open to be told to those who want that weekly, a week after it was told last.

    The first night tells all that is open anyway: the first week begins with it.
    """
    wanted = tuple(route.name for route in routes if route.weekly)
    told = max((each.night for each in ledger.outbox if each.tell == WEEKLY), default=None)
    if not wanted or (told is not None and date.fromisoformat(told) + WEEK > date.fromisoformat(today)):
        return ledger
    others = [each for each in ledger.outbox if each.tell != WEEKLY]
    due = Message(WEEKLY, "open", today, wanted if told is not None else ())
    return Ledger.of(ledger.entries.values(), ledger.nights, [*others, due])


def due(ledger: Ledger, target: str) -> list[Message]:
    """What a target has not taken yet, in the order of the nights."""
    return [each for each in ledger.outbox if target in each.to]


def taken(ledger: Ledger, target: str, keys: Collection[str]) -> Ledger:
    """The ledger after a target has taken some messages, or will never be told of them."""
    outbox = [
        replace(each, to=tuple(name for name in each.to if name != target)) if each.key in keys else each
        for each in ledger.outbox
    ]
    return Ledger.of(ledger.entries.values(), ledger.nights, outbox)


def owed(ledger: Ledger, target: str, keys: Collection[str], recipients: Sequence[str]) -> Ledger:
    """The ledger after recipients of a target have refused what the others took: each is a target of its own for it."""
    more = tuple(_part(target, each) for each in recipients)
    outbox = [replace(each, to=(*each.to, *more)) if each.key in keys else each for each in ledger.outbox]
    return Ledger.of(ledger.entries.values(), ledger.nights, outbox)


def divided(ledger: Ledger, route: Route) -> list[Route]:
    """A target, and its recipients that are owed something on their own."""
    owing = {name for each in ledger.outbox for name in each.to}
    return [route, *(part for part in _parts(route) if part.name in owing)]


def only_for(ledger: Ledger, routes: Iterable[Route]) -> Ledger:
    """The ledger without what is due to targets, or recipients of them, that the settings no longer have."""
    known = {part.name for route in routes for part in (route, *_parts(route))}
    outbox = [replace(each, to=tuple(name for name in each.to if name in known)) for each in ledger.outbox]
    return Ledger.of(ledger.entries.values(), ledger.nights, outbox)


def _parts(route: Route) -> list[Route]:
    if not isinstance(route, MailRoute):
        return []
    return [
        route.model_copy(update={"name": _part(route.name, each), "to": (each,), "heartbeat": False})
        for each in route.to
    ]


def _part(target: str, recipient: str) -> str:
    """What one recipient of a target is called in the outbox; no name of a target has a slash."""
    return f"{target}/{recipient}"
