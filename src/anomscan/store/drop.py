"""Taking rows out of the store: they no longer count, but what was known before still holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from anomscan.storage import lock
from anomscan.store.block import Block
from anomscan.store.compact import TakeOut, clean, rewritten
from anomscan.store.manifest import LOCK, Manifest, load
from anomscan.store.roster import Roster
from anomscan.store.writer import last_arrival, swap


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was taken out.

    Parameters
    ----------
    assets, samples
        How many assets had such samples, and how many there were.
    unknown
        Assets that were asked for and have no row; sorted.
    """

    assets: int
    samples: int
    unknown: tuple[str, ...]


def drop(folder: Path, assets: Collection[str] | None, first: int, last: int, at: int, late_us: int) -> Dropped:
    """Take rows with all their revisions out of the data of a source that has some.

    Parameters
    ----------
    folder
        The source's.
    assets
        Ids; None for all.
    first, last
        The outermost timestamps, both inclusive, microseconds since 1970, UTC.
    at
        When, microseconds since 1970, UTC; where the last commit arrived later, just after it.
    late_us
        How late data may come, in microseconds.

    Raises
    ------
    LockedError
        Another live process is writing.
    StoreError
        The store is damaged.
    OutputError
        The store cannot be written; it stays as it was.
    """
    with ExitStack() as stack:
        stack.enter_context(lock.hold(folder / LOCK, f"source '{folder.name}' of the store"))
        before = load(folder)
        if before is None or before.roster is None:
            return Dropped(0, 0, tuple(sorted(assets or ())))
        clean(folder, before)
        roster = Roster.listed(folder, before)
        wanted = None if assets is None else frozenset(assets)
        unknown = () if wanted is None else tuple(sorted(wanted.difference(roster.names)))
        if not before.files or (wanted is not None and len(unknown) == len(wanted)):
            return Dropped(0, 0, unknown)
        arrived = last_arrival(folder, before)
        at = at if arrived is None else max(at, arrived + 1)
        counts = _take_out(folder, before, roster, TakeOut(wanted, first, last, at), late_us)
    return Dropped(*counts, unknown)


def _take_out(folder: Path, before: Manifest, roster: Roster, out: TakeOut, late_us: int) -> tuple[int, int]:
    """Commit without the rows; how many assets and samples they were of."""
    state = hashlib.blake2b(before.revision.encode(), digest_size=16)
    state.update(b"drop")
    gone: set[str] = set()
    entries: list[Roster] = []
    samples = 0

    def note(taken: Block, left: Block) -> None:
        nonlocal samples
        taken = taken.latest().trimmed()
        taken.digest(state)
        samples += len(taken)
        gone.update(taken.names)
        stays = np.array([name in gone for name in left.names], bool)
        entries.append(Roster.of(left.take(stays[left.assets]).trimmed()))

    try:
        after = rewritten(folder, before, late_us=late_us, out=replace(out, note=note))
    except BaseException:
        clean(folder, before)
        raise
    if gone:
        after = replace(after, revision=state.hexdigest(), arrived=out.at)
        swap(folder, before, after, roster.without(gone).updated(entries))
    else:
        clean(folder, before)
    return len(gone), samples
