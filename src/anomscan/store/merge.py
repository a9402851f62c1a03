"""Fetched rows compared with stored ones: which are new, which are revisions, and whether they can be right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomscan.store.block import Block, concat
from anomscan.store.duplicates import settled
from anomscan.store.findings import Findings
from anomscan.store.grid import on_grid
from anomscan.store.roster import Roster
from anomscan.store.rules import CommitRules


def merge(
    incoming: Block,
    stored: Block | None,
    known: Roster,
    arrived_at: int,
    rules: CommitRules,
    findings: Findings,
    added: NDArray[np.bool_] | None = None,
) -> tuple[Block, Roster]:
    """Find what a commit adds for some assets.

    Parameters
    ----------
    incoming
        The rows that were fetched, each name with a row.
    stored
        All stored revisions of these assets at least a step around the times of ``incoming``, or none where all of
        them are older; other rows do no harm.
    known
        The roster's entries of ``incoming.names``, as they were.
    arrived_at
        When ``incoming`` arrived, microseconds since 1970, UTC.
    rules
        What becomes of rows that do not fit.
    findings
        Where counts, rejects and errors are noted.
    added
        (d,) bool: the variables that came later than some of ``stored``. A row that brings no more than a value of them
        is new, not a revision.

    Returns
    -------
    The rows to store, in the store's order, each name with a row, and the entries as they become.
    """
    incoming, stored, known = _usable(incoming.in_order(), stored, known, rules, findings)
    findings.assets += len(incoming.names)
    if len(incoming) == 0:
        return incoming, known

    if stored is None:
        findings.new += len(incoming)
        fetched, repeats = np.ones(len(incoming), bool), np.zeros(len(incoming), bool)
        entries = _entries(incoming, fetched, repeats, incoming.names, known, arrived_at)
        findings.count_steps(entries)
        return incoming, entries

    both = concat([stored, incoming])
    fetched = np.zeros(len(both), bool)
    fetched[len(stored) :] = True
    order = both.order()
    if order is not None:
        both, fetched = both.take(order), fetched[order]

    # In the store's order the row before a fetched one is the revision that was known when it arrived, if there is one.
    repeats = both.repeats()
    candidates = np.flatnonzero(fetched & repeats)
    agrees = both.agrees(candidates, has_health=rules.has_health)
    completes = ~agrees & both.agrees(candidates, has_health=rules.has_health, added=added)
    fresh = fetched.copy()
    fresh[candidates[agrees]] = False
    findings.unchanged += int(agrees.sum())
    findings.revised += len(candidates) - int(agrees.sum()) - int(completes.sum())
    findings.new += int(fetched.sum()) - len(candidates) + int(completes.sum())

    entries = _entries(both, fetched, repeats, incoming.names, known, arrived_at)
    findings.count_steps(entries)
    return both.take(fresh).trimmed(), entries


def _usable(
    incoming: Block, stored: Block | None, known: Roster, rules: CommitRules, findings: Findings
) -> tuple[Block, Block | None, Roster]:
    """One row on the grid for each sample, and what is known; of assets that got another grid that is nothing."""
    names = incoming.names
    incoming = on_grid(incoming, stored, known, rules.tolerance_us, findings)
    incoming = settled(incoming, rules.duplicates, findings).trimmed()
    if incoming.names is not names:
        left = set(incoming.names)
        findings.regridded -= set(names) - left
        known = known.take(np.array([name in left for name in names], bool))
    if regridded := findings.regridded.intersection(incoming.names):
        known = known.forgetting(regridded)
        if stored is not None:
            stored = stored.without(regridded)
    return incoming, stored, known


def _entries(
    both: Block,
    fetched: NDArray[np.bool_],
    repeats: NDArray[np.bool_],
    names: list[str],
    known: Roster,
    arrived_at: int,
) -> Roster:
    """The roster's entries of ``names`` with the fetched rows counted in."""
    edges = both.edges()
    first_seen, last_seen = both.timestamps[edges[:-1]], both.timestamps[edges[1:] - 1]
    sole = fetched & ~repeats & ~np.append(repeats[1:], False)
    samples = np.add.reduceat(sole, edges[:-1], dtype=np.int64)

    steps = np.diff(both.timestamps, prepend=0)
    steps[repeats] = steps[edges[:-1]] = np.iinfo(np.int64).max
    smallest = np.minimum.reduceat(steps, edges[:-1])

    place = {name: place for place, name in enumerate(both.names)}
    where = np.fromiter((place[name] for name in names), np.int64, len(names))
    joins = first_seen[where] - known.last
    candidates = np.stack(
        [
            smallest[where],
            np.where(known.smallest_step > 0, known.smallest_step, np.iinfo(np.int64).max),
            np.where((known.samples > 0) & (joins > 0), joins, np.iinfo(np.int64).max),
        ]
    ).min(axis=0)
    old = known.samples > 0
    return Roster(
        names,
        known.samples + samples[where],
        np.where(old, np.maximum(known.last, last_seen[where]), last_seen[where]),
        np.where(candidates == np.iinfo(np.int64).max, 0, candidates),
        np.where(old, np.minimum(known.first_arrival, arrived_at), arrived_at),
    )
