"""The grid of an asset: the instants that are whole steps from where most of its samples lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomscan.store.block import Block, Micros
from anomscan.store.findings import MANY, THIRD, Findings, instant
from anomscan.store.roster import Roster
from anomscan.telemetry.cadence import Cadence
from anomscan.wording import counted

#: Of several grids that would do, the one that begins at the roundest time: multiples of these, in microseconds.
_ROUND = [
    Cadence.parse(text).step_us
    for text in ("1D", "12h", "6h", "1h", "30min", "15min", "10min", "5min", "1min", "30s", "15s", "10s", "5s", "1s")
]


def on_grid(incoming: Block, stored: Block | None, known: Roster, tolerance: int, findings: Findings) -> Block:
    """The rows on the grid of their assets; the others are noted as rejects.

    What is stored of an asset lies on one grid. If more of its samples say another one, they have it, and the asset is
    noted as one whose stored samples have to go. An asset of which many samples lie off any one grid fails.

    Parameters
    ----------
    incoming
        Rows in the store's order, each name with a row.
    stored
        As for :func:`anomscan.store.merge.merge`.
    known
        The roster's entries of ``incoming.names``.
    tolerance
        How far from the grid a timestamp may lie, in microseconds; it is moved there.

    Returns
    -------
    Rows in order, of all names or fewer.
    """
    step = findings.layout.cadence.step_us
    edges = incoming.edges()
    firsts = incoming.timestamps[edges[:-1]]
    starts = _roundest(firsts % step - tolerance, firsts % step + tolerance, step) if tolerance else firsts
    anchors = np.where(known.samples > 0, known.last, starts)
    shift = None if _lies_exactly(incoming, anchors, edges, step) else _shift(incoming, anchors, step)
    if shift is None or not (off := np.abs(shift) > tolerance).any():
        findings.count_grid(len(incoming.names))
    else:
        keep = np.ones(len(incoming), bool)
        _sort_out(incoming, stored, known, anchors, np.unique(incoming.assets[off]), keep, tolerance, findings)
        incoming = incoming.take(keep)
        shift = _shift(incoming, anchors, step)
    return incoming.earlier(shift) if shift is not None and shift.any() else incoming


def _lies_exactly(rows: Block, anchors: Micros, edges: NDArray[np.int64], step: int) -> bool:
    """Whether all rows lie on the grids of their assets to the microsecond."""
    # A row one step after another row of its asset is on the grid if that row is.
    suspect = np.diff(rows.timestamps, prepend=0) != step
    suspect[edges[:-1]] = True
    places = np.flatnonzero(suspect)
    return not bool(((rows.timestamps[places] - anchors[rows.assets[places]]) % step).any())


def _shift(rows: Block, anchors: Micros, step: int) -> Micros:
    """(n,) how far each row lies after the nearest instant of the grid; negative before it."""
    return _off_by(rows.timestamps, anchors[rows.assets], step)


def _off_by(timestamps: Micros, anchors: Micros | int, step: int) -> Micros:
    return np.asarray((timestamps - anchors + step // 2) % step - step // 2)


def _roundest(lows: Micros, highs: Micros, step: int) -> Micros:
    """For each range of offsets from the multiples of a step the roundest in it; the lowest of the equally round."""
    found = lows.copy()
    for unit in (1_000, *sorted(unit for unit in _ROUND if unit < step), step):
        rounded = -(-lows // unit) * unit
        np.copyto(found, rounded, where=rounded <= highs)
    return found % step


def _taken(samples: Micros, anchor: int, step: int, tolerance: int) -> Micros:
    """The instants of a grid that some samples lie near enough to."""
    shift = _off_by(samples, anchor, step)
    near = np.abs(shift) <= tolerance
    return np.unique(samples[near] - shift[near])


def _densest(samples: Micros, step: int, tolerance: int) -> int:
    """An instant of the grid that takes most samples; of equals the one of the earliest sample."""
    if tolerance and np.count_nonzero(np.abs(_off_by(samples, 0, step)) <= tolerance) * 2 > len(samples):
        return 0  # not one in the middle of them, for the sake of a few that are further off
    offsets = samples % step
    order = np.argsort(offsets, kind="stable")
    around = np.concatenate([offsets[order], offsets[order] + step])
    begins = np.arange(len(samples))
    ends = np.searchsorted(around, around[: len(samples)] + 2 * tolerance, "right")
    most = np.flatnonzero(ends - begins == (ends - begins).max())
    # The sample that came first in each of the densest stretches; every other of reduceat's is one.
    earliest = np.minimum.reduceat(
        np.concatenate([order, order, [len(samples)]]), np.stack([begins[most], ends[most]], axis=1).ravel()
    )[::2]
    best = most[np.argmin(earliest)]
    low, high = around[best], around[ends[best] - 1]
    anchor = _roundest(np.array([high - tolerance]), np.array([low + tolerance]), step)
    return int(anchor[0])


def _sort_out(
    incoming: Block,
    stored: Block | None,
    known: Roster,
    anchors: Micros,
    doubtful: NDArray[np.int32],
    keep: NDArray[np.bool_],
    tolerance: int,
    findings: Findings,
) -> None:
    """Find the grids of some assets again, in ``anchors``, and take the rows off them out of ``keep``."""
    cadence, edges = findings.layout.cadence, incoming.edges()
    distance = f"within {tolerance / 1e6:g}s of" if tolerance else "a whole number of"
    off_counts, counts, first = [], [], None
    places = {name: place for place, name in enumerate(stored.names)} if stored is not None else {}
    for asset in doubtful.tolist():
        name, own = incoming.names[asset], slice(edges[asset], edges[asset + 1])
        timestamps = incoming.timestamps[own]
        samples = np.unique(timestamps)
        there = samples[:0]
        if stored is not None and name in places:
            there = stored.timestamps[stored.assets == places[name]]
        before = int(known.samples[asset])
        anchor = _densest(samples, cadence.step_us, tolerance)
        if before:
            old = int(anchors[asset])
            stay = before + len(np.setdiff1d(_taken(samples, old, cadence.step_us, tolerance), there))
            if len(_taken(samples, anchor, cadence.step_us, tolerance)) <= stay:
                anchor = old
            else:
                findings.regridded.add(name)
        anchors[asset] = anchor
        shift = _off_by(timestamps, anchor, cadence.step_us)
        is_off = np.abs(shift) > tolerance
        rows = own.start + np.flatnonzero(is_off)
        example = known.last[asset] if before and name not in findings.regridded else timestamps[~is_off][0]
        rest = f"is not {distance} steps of {cadence.name} from its sample at {instant(example)}"
        told = [f"asset '{name}': {instant(moment)} {rest}" for moment in incoming.timestamps[rows].tolist()]
        off_samples = len(np.unique(timestamps[is_off]))
        off_counts.append(off_samples)
        counts.append(len(samples))
        first = first or (told[0] if told else None)
        keep[rows] = False
        if off_samples >= MANY and off_samples * THIRD > len(samples):
            keep[own] = False
            findings.regridded.discard(name)
            findings.fail(
                name,
                f"{off_samples:,} of {counted(len(samples), 'sample')} off its grid, the first: {told[0]}",
                int(np.abs(shift).max()),
            )
        else:
            findings.reject(incoming, rows, told)
    findings.count_grid(len(incoming.names), np.array(off_counts), np.array(counts), first)
