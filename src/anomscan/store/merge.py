"""Fetched rows compared with stored ones: which are new, which are revisions, and whether they can be right."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomscan.errors import InputError
from anomscan.store.block import Block, concat
from anomscan.store.roster import Roster
from anomscan.telemetry.cadence import Cadence, instant_text
from anomscan.telemetry.rows import Layout

#: How many contradictions to name, and after how many steps a cadence that none of them keeps is an error.
NAMED, STEPS = 3, 10


@dataclass(slots=True)
class Findings:
    """The summary of a whole commit; each ``merge`` adds to it.

    Parameters
    ----------
    assets, new, revised, unchanged
        Counts: assets with rows; samples not known before, with another value than before, as before.
    """

    layout: Layout
    assets: int = 0
    new: int = 0
    revised: int = 0
    unchanged: int = 0
    _contradictions: int = 0
    _named: list[str] = field(default_factory=list)
    _off_grid: str | None = None
    _steps: int = 0
    _smallest: int = 0

    @property
    def refused(self) -> bool:
        """Whether ``check`` is certain to raise."""
        return self._contradictions > 0 or self._off_grid is not None

    def check(self) -> None:
        """Refuse a commit that cannot be right.

        Raises
        ------
        InputError
            Contradicting rows, timestamps off the cadence, or a cadence that no asset keeps.
        """
        cadence = self.layout.cadence
        if self._contradictions:
            more = f" and {self._contradictions - len(self._named)} more" if self._contradictions > NAMED else ""
            count = f"{self._contradictions} sample{'s' if self._contradictions > 1 else ''}"
            raise InputError(
                f"{count} with contradicting rows: {'; '.join(self._named)}{more}; nothing was stored",
                hint="a sample has one value: correct the source",
            )
        if self._off_grid is not None:
            raise InputError(
                f"{self._off_grid}; nothing was stored",
                hint="declare the cadence of the data, or correct the timestamps",
            )
        if self._steps >= STEPS and self._smallest > cadence.step_us:
            smallest = _step_text(self._smallest)
            raise InputError(
                f"the cadence is declared as {cadence.name}, but no two samples are that far apart: "
                f"the smallest step is {smallest}; nothing was stored",
                hint=f'cadence = "{smallest}"',
            )

    def collapse(self, incoming: Block) -> Block:
        """Rows in order with identical ones collapsed; contradicting ones are noted."""
        repeats = incoming.repeats()
        if not repeats.any():
            return incoming
        again = np.flatnonzero(repeats)
        against = again[~incoming.agrees(again)]
        samples = np.cumsum(~repeats)[against]
        first_of_sample = np.append(True, samples[1:] != samples[:-1])[: len(samples)]
        against = against[first_of_sample]
        self._contradictions += len(against)
        for row in against[: NAMED - len(self._named)].tolist():
            self._named.append(_contradiction(incoming, row, self.layout))
        return incoming.take(~repeats)

    def check_grid(self, incoming: Block, known: Roster) -> None:
        """Note the first timestamp that is not a whole number of steps from the samples of its asset."""
        step, edges = self.layout.cadence.step_us, incoming.edges()[:-1]
        anchors = np.where(known.samples > 0, known.last, incoming.timestamps[edges])
        # A row one step after another row of its asset is on the grid if that row is.
        suspect = np.diff(incoming.timestamps, prepend=0) != step
        suspect[edges] = True
        rows = np.flatnonzero(suspect)
        off = rows[(incoming.timestamps[rows] - anchors[incoming.assets[rows]]) % step != 0]
        if len(off) and self._off_grid is None:
            row = int(off[0])
            asset = int(incoming.assets[row])
            self._off_grid = (
                f"asset '{incoming.names[asset]}': {_instant(incoming.timestamps[row])} is not a whole number of "
                f"steps of {self.layout.cadence.name} from its sample at {_instant(anchors[asset])}"
            )

    def count_steps(self, entries: Roster) -> None:
        """Note the steps between the samples that the assets of the commit now have."""
        self._steps += int((entries.samples - 1).sum())
        steps = entries.smallest_step[entries.smallest_step > 0]
        if len(steps):
            self._smallest = min(self._smallest or int(steps.min()), int(steps.min()))


def merge(
    incoming: Block, stored: Block | None, known: Roster, arrived_at: int, findings: Findings
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
    findings
        Where counts and errors are noted.

    Returns
    -------
    The rows to store, in the store's order, each name with a row, and the entries as they become.
    """
    incoming = findings.collapse(incoming.in_order())
    findings.assets += len(incoming.names)
    findings.check_grid(incoming, known)

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
    agrees = both.agrees(candidates)
    fresh = fetched.copy()
    fresh[candidates[agrees]] = False
    findings.unchanged += int(agrees.sum())
    findings.revised += len(candidates) - int(agrees.sum())
    findings.new += int(fetched.sum()) - len(candidates)

    entries = _entries(both, fetched, repeats, incoming.names, known, arrived_at)
    findings.count_steps(entries)
    return both.take(fresh).trimmed(), entries


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


def _contradiction(block: Block, row: int, layout: Layout) -> str:
    """How a row differs from the row before it, in words."""
    asset, timestamp = block.names[int(block.assets[row])], layout.cadence.text(_datetime(block.timestamps[row]))
    for place, variable in enumerate(layout.variables):
        first, second = block.values[row - 1, place], block.values[row, place]
        if first != second and not (np.isnan(first) and np.isnan(second)):
            return f"asset '{asset}' at {timestamp}: {variable} {_value_text(first)} and {_value_text(second)}"
    first, second = (_health_text(block, place) for place in (row - 1, row))
    return f"asset '{asset}' at {timestamp}: health {first} and {second}"


def _value_text(value: float) -> str:
    return "empty" if np.isnan(value) else repr(float(value))


def _health_text(block: Block, row: int) -> str:
    code = int(block.health[row])
    return "none" if code < 0 else f"'{block.health_names[code]}'"


def _datetime(micros: np.int64) -> np.datetime64:
    return np.datetime64(int(micros), "us")


def _instant(micros: np.int64) -> str:
    return instant_text(_datetime(micros))


def _step_text(step_us: int) -> str:
    """Whole seconds in the form of a cadence; the grid of a cadence has nothing finer."""
    for partition in ("D", "h", "min"):
        unit_us = Cadence.parse(f"1{partition}").step_us
        if step_us % unit_us == 0:
            return f"{step_us // unit_us}{partition}"
    return f"{step_us // 1_000_000}s"
