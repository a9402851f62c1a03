"""Which incidents of a run are those of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from anomscan.incidents.ledger import Entry


@dataclass(frozen=True, slots=True)
class Extent:
    """From a first to a last flagged sample, as timestamps are written."""

    first: str
    last: str


#: Judged samples that are not flagged, after the last one of an entry that is, and before a timestamp.
Quiet = Callable[[Entry, str], int]


def chained(extents: Sequence[Extent], within: np.timedelta64) -> list[list[int]]:
    """Places of extents, grouped: those that begin within a time of the end of another are one incident.

    Parameters
    ----------
    extents
        In the order of their first samples.
    """
    chains: list[list[int]] = []
    end = ""
    for place, each in enumerate(extents):
        if chains and gap(Extent(end, end), each) <= within:
            chains[-1].append(place)
            end = max(end, each.last)
        else:
            chains.append([place])
            end = each.last
    return chains


def assigned(
    entries: Sequence[Entry], chains: Sequence[Sequence[Extent]], within: np.timedelta64, quiet: Quiet, close_after: int
) -> list[list[Entry]]:
    """For each chain, the entries of the same asset and family that are this very incident, the oldest first.

    An entry belongs to one chain: of several that it meets to the one that holds its first flagged sample, else to the
    first. Where several entries meet one chain, they have turned out to be one incident.

    Parameters
    ----------
    within
        How long after the end of an incident another one is still the same.
    quiet
        Tells how many quiet judged samples have followed an entry before another sample.
    close_after
        An incident that is open goes on after at most so many of them.
    """

    def meets(entry: Entry, one: Extent) -> bool:
        for spell in entry.spells:
            if gap(Extent(spell.first, spell.last), one) <= within:
                return True
        return entry.is_open and one.first > entry.last and quiet(entry, one.first) <= close_after

    found: list[list[Entry]] = [[] for _ in chains]
    for entry in sorted(entries, key=lambda each: (each.first_flagged, each.id)):
        met = [place for place, chain in enumerate(chains) if any(meets(entry, one) for one in chain)]
        if met:
            holding = [
                place for place in met if any(one.first <= entry.first_flagged <= one.last for one in chains[place])
            ]
            found[(holding or met)[0]].append(entry)
    return found


def gap(one: Extent, other: Extent) -> np.timedelta64:
    """The time between two extents; zero where they meet."""
    if other.first > one.last:
        return at(other.first) - at(one.last)
    if one.first > other.last:
        return at(one.first) - at(other.last)
    return np.timedelta64(0, "us")


def at(text: str) -> np.datetime64:
    """A timestamp as an instant, UTC."""
    return np.datetime64(text.removesuffix("Z"), "us")
