"""A night: the ledger before it and the findings of a run give the ledger after it, and what has changed.

Nothing here reads a file or a clock. A night is known by the end of its run: a run that is repeated with the same end
changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from anomscan.errors import InputError
from anomscan.incidents.incident import Incident
from anomscan.incidents.ledger import SILENCE, Entry, Ledger, Spell, family_of, id_of
from anomscan.incidents.matching import Extent, assigned, chained
from anomscan.incidents.night import Night, Seen
from anomscan.incidents.states import States


@dataclass(frozen=True, slots=True)
class Change:
    """What became of an incident in a night.

    Parameters
    ----------
    id
        The incident.
    what
        The state that it has come into, ``worse``, or ``merged``.
    """

    id: str
    what: str


@dataclass(frozen=True, slots=True)
class Folded:
    """The outcome of a night.

    Parameters
    ----------
    ledger
        After it.
    changes
        In the order of the ledger.
    ids
        By asset, the id of each incident of the run.
    """

    ledger: Ledger
    changes: Sequence[Change]
    ids: Mapping[str, Sequence[str]]


def fold(ledger: Ledger, night: Night, seen: Iterable[Seen]) -> Folded:
    """Take a run into the ledger.

    Raises
    ------
    InputError
        If the ledger knows a run of that source and detector with a later end.
    """
    before = ledger.nights.get((night.source, night.detector))
    if before is not None and before > night.end:
        raise InputError(
            f"the ledger of source '{night.source}' and detector '{night.detector}' is of {before}, "
            f"and this run ends on {night.end}",
            hint="scan without --ledger, or start over with anomscan incidents rebuild",
        )
    return _Folding(ledger, night, before is None).of(seen)


def rebuild(ledger: Ledger, night: Night, seen: Iterable[Seen]) -> Folded:
    """Rebuild the ledger of a source and detector from a run over everything.

    Incidents that the old ledger knows keep their id, when they were first seen, and what people wrote into them. Those
    that the run does not show are dropped, unless somebody wrote into them.
    """
    return _Folding(ledger, night, True, anew=True).of(seen)


def known_ids(ledger: Ledger, night: Night, seen: Iterable[Seen]) -> dict[str, list[str | None]]:
    """By asset, the id of each incident of a run that the ledger does not learn of; None if it does not know it."""
    ids = _Folding(ledger, night, False).of(seen).ids
    return {asset: [one if one in ledger.entries else None for one in own] for asset, own in ids.items()}


class _Folding:
    """One night at work.

    Parameters
    ----------
    first
        Whether it is the first night of the source and detector: what is over by then is told to nobody.
    anew
        Whether only identity and marks are taken over from the entries.
    """

    def __init__(self, ledger: Ledger, night: Night, first: bool, *, anew: bool = False) -> None:
        self._before, self._night, self._first, self._anew = ledger, night, first, anew
        self._states = States(night, ledger.nights.get((night.source, night.detector)) == night.end, anew)
        self._entries: dict[str, Entry] = dict(ledger.entries)

    def of(self, seen: Iterable[Seen]) -> Folded:
        night = self._night
        known: dict[str, dict[str, list[Entry]]] = {}
        for entry in self._before.entries.values():
            if entry.source == night.source and entry.family in (night.detector, SILENCE):
                known.setdefault(entry.asset, {}).setdefault(entry.family, []).append(entry)
        ids: dict[str, Sequence[str]] = {}
        for each in seen:
            own = known.pop(each.asset, {})
            if own or each.incidents:
                ids[each.asset] = self._asset(each, own)
        for families in known.values():
            for entries in families.values():
                for left in entries:
                    self._missed(left)
        nights = {**self._before.nights, (night.source, night.detector): night.end}
        ledger = Ledger.of(self._entries.values(), nights, self._before.outbox)
        return Folded(ledger, list(self._changes(ledger)), ids)

    def _asset(self, seen: Seen, known: Mapping[str, list[Entry]]) -> list[str]:
        families: dict[str, list[int]] = {}
        for place, incident in enumerate(seen.incidents):
            families.setdefault(family_of(incident.kind, self._night.detector), []).append(place)
        ids = [""] * len(seen.incidents)
        for family in sorted({*known, *families}):
            self._family(seen, family, families.get(family, []), known.get(family, []), ids)
        return ids

    def _family(self, seen: Seen, family: str, places: Sequence[int], entries: Sequence[Entry], ids: list[str]) -> None:
        night = self._night
        places = sorted(places, key=lambda place: _extent(seen.incidents[place]).first)
        extents = [_extent(seen.incidents[place]) for place in places]
        chains = chained(extents, night.reopen_within)
        living = [entry for entry in entries if entry.merged_into is None]
        found = assigned(
            living,
            [[extents[each] for each in chain] for chain in chains],
            night.reopen_within,
            seen.judged.quiet_since,
            night.close_after,
        )
        for chain, olds in zip(chains, found, strict=True):
            own = [places[each] for each in chain]
            entry = self._shown(seen, family, own, olds)
            for place in own:
                ids[place] = entry.id
            for lost in olds[1:]:
                self._put(replace(self._states.closed(lost), merged_into=entry.id, maintenance=None))
            self._put(_with_mark(entry, seen))
        matched = {entry.id for olds in found for entry in olds}
        for entry in living:
            if entry.id not in matched:
                self._not_shown(seen, entry)

    def _shown(self, seen: Seen, family: str, places: Sequence[int], olds: Sequence[Entry]) -> Entry:
        """The entry of a chain of incidents; the oldest of those it had before."""
        night = self._night
        incidents = [seen.incidents[place] for place in places]
        extents = [_extent(each) for each in incidents]
        spells = [
            Spell(min(each.since, extent.first), extent.first, extent.last, each.days)
            for each, extent in zip(incidents, extents, strict=True)
        ]
        old = olds[0] if olds else None
        if not self._anew:
            told = [Extent(spell.first, spell.last) for spell in spells]
            spells += [each for entry in olds for each in entry.spells if not any(_meet(each, one) for one in told)]
            spells.sort(key=lambda each: (each.first, each.last))
        newest = incidents[-1]
        is_newest = spells[-1].last == extents[-1].last
        worst = [each for place in places if seen.severities and (each := seen.severities[place]) is not None]
        worst += [each.severity for each in olds if each.severity is not None and not self._anew]
        if old is None:
            first = extents[0].first
            old = Entry(
                id=self._new_id(seen.asset, family, first),
                source=night.source,
                asset=seen.asset,
                family=family,
                first_flagged=first,
                state="new",
                kind=newest.kind,
                spells=tuple(spells),
                first_seen=night.end,
            )
        entry = replace(
            old,
            spells=tuple(spells),
            cohort=seen.cohort,
            severity=max(worst, default=None),
        )
        if len(olds) > 1:
            entry = _with_marks_of(entry, olds)
        # A later spell that the run does not show says nothing against one that it shows as open.
        if not is_newest and not newest.open:
            return self._states.unmet(seen, entry)
        entry = replace(
            entry,
            kind=newest.kind,
            common=None if newest.common is None else newest.common.asset,
            peak=newest.peak,
            deviation={name: each for name, each in newest.deviation.items() if math.isfinite(each)},
        )
        if not newest.open:
            return self._states.closed(entry)
        return self._states.told(
            self._states.opened(seen, entry, was_closed=bool(olds) and not any(each.is_open for each in olds))
        )

    def _not_shown(self, seen: Seen, entry: Entry) -> None:
        """What becomes of an entry that a run of its asset does not show."""
        if self._anew and not seen.failed:
            self._missed(entry)
        else:
            self._put(_with_mark(self._states.unmet(seen, entry), seen))

    def _missed(self, entry: Entry) -> None:
        """What becomes of an entry whose asset is not in the run."""
        if self._anew:
            if entry.is_marked and entry.merged_into is None:
                self._put(self._states.closed(entry))
            else:
                self._entries.pop(entry.id)
        elif entry.is_open:
            self._put(replace(entry, state="unknown"))

    def _new_id(self, asset: str, family: str, first: str) -> str:
        number = 0
        while (one := id_of(self._night.source, asset, family, first, number)) in self._entries:
            number += 1
        return one

    def _put(self, entry: Entry) -> None:
        self._entries[entry.id] = entry

    def _changes(self, after: Ledger) -> Iterable[Change]:
        for entry in after.entries.values():
            before = self._before.entries.get(entry.id)
            if before is entry or self._anew:
                continue
            if before is None:
                if entry.is_open or not self._first:
                    yield Change(entry.id, entry.state)
            elif entry.merged_into is not None:
                yield Change(entry.id, "merged")
            else:
                if entry.state != before.state:
                    yield Change(entry.id, entry.state)
                if entry.worse == self._night.end != before.worse:
                    yield Change(entry.id, "worse")


def _extent(incident: Incident) -> Extent:
    """The flagged samples of an incident; silence is one from its first missing sample on."""
    is_silence = family_of(incident.kind, "") == SILENCE
    return Extent(incident.since if is_silence else incident.first_flagged, incident.last)


def _meet(spell: Spell, extent: Extent) -> bool:
    return spell.first <= extent.last and extent.first <= spell.last


def _with_mark(entry: Entry, seen: Seen) -> Entry:
    """An entry with the mark of maintenance that the run says."""
    mark = seen.maintenance if entry.is_open else None
    return entry if entry.maintenance == mark else replace(entry, maintenance=mark)


def _with_marks_of(entry: Entry, olds: Sequence[Entry]) -> Entry:
    """An entry with what people wrote into those that it has become."""
    snoozed = [each.snoozed for each in olds if each.snoozed is not None]
    return replace(
        entry,
        acknowledged=next((each.acknowledged for each in olds if each.acknowledged is not None), None),
        snoozed=max(snoozed, key=lambda each: each.until, default=None),
        labels=tuple(dict.fromkeys(each for old in olds for each in old.labels)),
        withdrawn=tuple(dict.fromkeys(each for old in olds for each in old.withdrawn)),
        notes=tuple(sorted({each for old in olds for each in old.notes}, key=lambda each: each.at)),
    )
