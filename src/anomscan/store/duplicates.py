"""Rows that contradict one another: several of one sample, in one commit, with other values or another health."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anomscan.store.block import Block
from anomscan.store.findings import Findings
from anomscan.store.rules import Duplicates
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.series import Floats


def settled(rows: Block, how: Duplicates, findings: Findings) -> Block:
    """One row a sample: identical ones collapse, and contradicting ones are rejected or made one.

    Parameters
    ----------
    rows
        In the store's order; those of a sample as they came.
    how
        ``reject``: none of them; ``first``, ``last``: that one; ``mean``: the mean of the values of those that differ,
        empty ones left out, with the health of the last.

    Returns
    -------
    Rows in order, of all names or fewer.
    """
    repeats = rows.repeats()
    if not repeats.any():
        return rows
    again = np.flatnonzero(repeats)
    against = again[~rows.agrees(again)]
    if len(against) == 0:
        return rows.take(~repeats)
    samples = np.cumsum(~repeats) - 1
    is_doubtful = np.zeros(samples[-1] + 1, bool)
    is_doubtful[samples[against]] = True
    doubtful = is_doubtful[samples]
    if how == "reject":
        _, first = np.unique(samples[against], return_index=True)
        told = {int(samples[row]): _contradiction(rows, row, findings.layout) for row in against[first].tolist()}
        places = np.flatnonzero(doubtful)
        findings.reject(rows, places, (told[sample] for sample in samples[places].tolist()))
        return rows.take(~repeats & ~doubtful)
    ends = np.append(~repeats[1:], True)
    kept = np.where(doubtful, ends if how != "first" else ~repeats, ~repeats)
    if how == "mean":
        rows = replace(rows, values=_means(rows, np.flatnonzero(doubtful), samples, ends))
    return rows.take(kept)


def _means(rows: Block, places: NDArray[np.int64], samples: NDArray[np.int64], ends: NDArray[np.bool_]) -> Floats:
    """The values of all rows, with those at the ends of doubtful samples replaced by means."""
    some = rows.take(places)
    # Equal rows side by side, as a row that is given twice counts once.
    order = np.lexsort((some.health, *some.values.T, samples[places]))
    some, sorted_samples = some.take(order), samples[places][order]
    later = np.arange(1, len(order))
    same = np.append(False, some.agrees(later) & (sorted_samples[1:] == sorted_samples[:-1]))
    distinct, owners = some.values[~same], sorted_samples[~same]
    starts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1]))
    filled = ~np.isnan(distinct)
    counts = np.add.reduceat(filled, starts, dtype=np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        means = np.add.reduceat(np.where(filled, distinct, 0.0), starts) / np.where(counts == 0, np.nan, counts)
    if not np.isfinite(means[counts > 0]).all():  # a sum beyond float64, of values that are not
        parts = np.repeat(np.maximum(counts, 1), np.diff(starts, append=len(owners)), axis=0)
        means = np.where(counts == 0, np.nan, np.add.reduceat(np.where(filled, distinct, 0.0) / parts, starts))
    values = rows.values.copy()
    values[places[ends[places]]] = means
    return values


def _contradiction(block: Block, row: int, layout: Layout) -> str:
    """How a row differs from the row before it, in words."""
    asset, timestamp = block.names[int(block.assets[row])], layout.cadence.text(_datetime(block.timestamps[row]))
    head = f"contradicting rows of asset '{asset}' at {timestamp}"
    for place, variable in enumerate(layout.variables):
        first, second = block.values[row - 1, place], block.values[row, place]
        if first != second and not (np.isnan(first) and np.isnan(second)):
            return f"{head}: {variable} {_value_text(first)} and {_value_text(second)}"
    first, second = (_health_text(block, place) for place in (row - 1, row))
    return f"{head}: health {first} and {second}"


def _value_text(value: float) -> str:
    return "empty" if np.isnan(value) else repr(float(value))


def _health_text(block: Block, row: int) -> str:
    code = int(block.health[row])
    return "none" if code < 0 else f"'{block.health_names[code]}'"


def _datetime(micros: np.int64) -> np.datetime64:
    return np.datetime64(int(micros), "us")
