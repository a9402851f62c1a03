"""Rows of many assets as arrays, in the order in which the store keeps them.

The store's order is (bucket, asset, timestamp, arrived_at, commit). The bucket is a hash of the asset's id, so that one
asset, or one part of a large fleet, is read without the rest.
"""

from __future__ import annotations

import functools
import hashlib
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomscan.telemetry import arrow
from anomscan.telemetry.rows import ARRIVED_AT, ASSET, HEALTH, ORIGIN, TIMESTAMP, Layout, value_column
from anomscan.telemetry.series import Floats, Series

Codes = NDArray[np.int32]
Micros = NDArray[np.int64]

BUCKETS = 64

#: Rows whose runs are shorter on average are sorted one by one.
SHORTEST_RUN = 8


@functools.lru_cache(1 << 16)
def bucket_of(asset: str) -> int:
    """The bucket of an asset: always the same everywhere, as part of the format."""
    return zlib.crc32(asset.encode()) % BUCKETS


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows of some assets.

    Parameters
    ----------
    names
        Ids in the store's order; some may have no row.
    assets
        (n,) int32 into ``names``.
    timestamps, arrived_at
        (n,) int64, microseconds since 1970, UTC.
    values
        (n, d) float64; NaN where a value is empty.
    health_names
        Sorted.
    health
        (n,) int32 into ``health_names``; -1 where there is none.
    origin
        (n,) the numbers of fetched rows in their fetch, -1 where there is none; None for rows that are stored.
    """

    names: list[str]
    assets: Codes
    timestamps: Micros
    values: Floats
    health_names: tuple[str, ...]
    health: Codes
    arrived_at: Micros
    origin: Micros | None = None

    def __len__(self) -> int:
        return len(self.assets)

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Block:
        """The rows at places, under a mask, or of a slice (then views)."""
        # Indexing rows of several values is slow.
        places = np.flatnonzero(which) if isinstance(which, np.ndarray) and which.dtype == bool else which

        def taken(array: NDArray[Any]) -> NDArray[Any]:
            return array[places] if isinstance(places, slice) else array.take(places, axis=0)

        return replace(
            self,
            assets=taken(self.assets),
            timestamps=taken(self.timestamps),
            values=taken(self.values),
            health=taken(self.health),
            arrived_at=taken(self.arrived_at),
            origin=None if self.origin is None else taken(self.origin),
        )

    def order(self) -> NDArray[np.int64] | None:
        """The places of the rows in the store's order; None if they are in that order.

        Rows of the same sample and the same arrival keep their order: the later commit stays the later one.
        """
        if len(self) == 0:
            return None
        # Runs of one asset in rising time are moved as a whole: queries often give such runs, and so do the files.
        same, later = self.assets[1:] == self.assets[:-1], self.timestamps[1:] > self.timestamps[:-1]
        starts = np.concatenate([[0], np.flatnonzero(~(same & later)) + 1])
        assets = self.assets[starts]
        if bool((assets[1:] > assets[:-1]).all()):
            return None
        if len(starts) * SHORTEST_RUN > len(self):
            return self._order_of_rows()
        runs = np.lexsort((self.timestamps[starts], assets))
        lengths = np.diff(starts, append=len(self))
        assets, firsts, lasts = assets[runs], starts[runs], (starts + lengths - 1)[runs]
        overlap = (assets[1:] == assets[:-1]) & (self.timestamps[firsts[1:]] <= self.timestamps[lasts[:-1]])
        if bool(overlap.any()):
            return self._order_of_rows()
        return _places(firsts, lengths[runs])

    def _order_of_rows(self) -> NDArray[np.int64] | None:
        start = self.timestamps.min()
        span = int(self.timestamps.max()) - int(start) + 1
        if len(self.names) * span >= 2**63:
            return np.lexsort((self.arrived_at, self.timestamps, self.assets))
        # One key, because a stable sort of a few sorted runs (one per file) costs little more than their merge.
        key = self.assets * np.int64(span) + (self.timestamps - start)
        order = np.argsort(key, kind="stable")
        key, arrived_at = key[order], self.arrived_at[order]
        if bool(((key[1:] == key[:-1]) & (arrived_at[1:] < arrived_at[:-1])).any()):
            return np.lexsort((self.arrived_at, self.timestamps, self.assets))
        return order

    def in_order(self) -> Block:
        """The rows in the store's order."""
        order = self.order()
        return self if order is None else self.take(order)

    def repeats(self) -> NDArray[np.bool_]:
        """(n,) bool, for rows in order: whether a row has the same asset and timestamp as the row before it."""
        same = np.zeros(len(self), bool)
        same[1:] = (self.assets[1:] == self.assets[:-1]) & (self.timestamps[1:] == self.timestamps[:-1])
        return same

    def agrees(
        self, rows: NDArray[np.int64], *, has_health: bool = True, added: NDArray[np.bool_] | None = None
    ) -> NDArray[np.bool_]:
        """(m,) bool: whether rows have the values of the rows before them, and the health unless it does not count.

        Of the variables under the mask ``added``, (d,) bool, the rows before may have no value.
        """
        ours, theirs = self.values[rows], self.values[rows - 1]
        equal = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        if added is not None:
            equal |= np.isnan(theirs) & added
        same = equal.all(axis=1)
        return np.asarray(same & (self.health[rows] == self.health[rows - 1]) if has_health else same)

    def latest(self, as_of: int | None = None) -> Block:
        """One row per sample, in order: the revision that arrived last, or last up to ``as_of`` (microseconds)."""
        known = self
        if as_of is not None and not bool((self.arrived_at <= as_of).all()):
            known = self.take(self.arrived_at <= as_of)
        order = known.order()
        if order is None:  # then nothing repeats either
            return known
        known = known.take(order)
        repeats = known.repeats()
        return known.take(np.append(~repeats[1:], True)[: len(known)]) if repeats.any() else known

    def trimmed(self) -> Block:
        """The same rows, which are in order, without names that have no row."""
        if len(self) == 0:
            return replace(self, names=[])
        begins = np.append(True, self.assets[1:] != self.assets[:-1])
        used = self.assets[begins].tolist()
        if len(used) == len(self.names):
            return self
        return replace(self, names=[self.names[place] for place in used], assets=np.cumsum(begins, dtype=np.int32) - 1)

    def without(self, names: Collection[str]) -> Block:
        """The same rows, which are in order, but for those of some assets."""
        gone = np.array([name in names for name in self.names], bool)
        return self.take(~gone[self.assets]).trimmed() if gone.any() else self

    def edges(self) -> NDArray[np.int64]:
        """(names + 1,), of rows in order: where each asset's begin, and where the last one's end."""
        return np.searchsorted(self.assets, np.arange(len(self.names) + 1, dtype=np.int32))

    def earlier(self, by: Micros) -> Block:
        """The same rows, each so many microseconds earlier."""
        return replace(self, timestamps=self.timestamps - by)

    def bucket_rows(self) -> NDArray[np.int64]:
        """(64,), of rows in order: how many each bucket has."""
        buckets = np.fromiter((bucket_of(name) for name in self.names), np.int64, len(self.names))
        return np.bincount(buckets, weights=np.diff(self.edges()), minlength=BUCKETS).astype(np.int64)

    def digest(self, state: hashlib.blake2b) -> None:
        """Add rows in order, each name with a row, to a hash.

        All but the arrival counts. Bucket by bucket, so that it does not matter how large the blocks are.
        """
        edges = self.edges()
        place = start = 0
        for stop in np.cumsum(self.bucket_rows()).tolist():
            if start < stop:
                last = int(self.assets[stop - 1]) + 1
                health, texts = _compact(self.health[start:stop], self.health_names)
                steps = np.diff(self.timestamps[start:stop], prepend=0)
                # The steps are usually all equal, so only their changes are hashed.
                changes = np.concatenate([[0], np.flatnonzero(steps[1:] != steps[:-1]) + 1])
                names, lengths = self.names[place:last], np.diff(edges[place : last + 1])
                state.update(repr((names, lengths.tolist(), texts, len(changes))).encode())
                values = self.values[start:stop]
                for array in (changes, steps[changes], np.where(np.isnan(values), np.nan, values), health):
                    state.update(np.ascontiguousarray(array).data)
                place = last
            start = stop

    def series(self, layout: Layout) -> Iterator[Series]:
        """The assets that have rows, one after another; of rows as ``latest`` gives them."""
        edges = self.edges().tolist()
        timestamps = self.timestamps.view("datetime64[us]")
        arrived_at = self.arrived_at.view("datetime64[us]")
        for name, start, stop in zip(self.names, edges, edges[1:], strict=False):
            if start < stop:
                yield Series(
                    name,
                    layout.cadence,
                    layout.variables,
                    timestamps[start:stop],
                    self.values[start:stop],
                    self.health[start:stop],
                    self.health_names,
                    arrived_at[start:stop],
                )


def concat(blocks: Sequence[Block]) -> Block:
    """Blocks one after another (earlier commits first), with their names merged."""
    if len(blocks) == 1:
        return blocks[0]
    names = in_store_order(set(chain.from_iterable(block.names for block in blocks)))
    health_names = tuple(sorted(set(chain.from_iterable(block.health_names for block in blocks))))
    return Block(
        names,
        np.concatenate([_recode(block.assets, block.names, names) for block in blocks]),
        np.concatenate([block.timestamps for block in blocks]),
        np.concatenate([block.values for block in blocks]),
        health_names,
        np.concatenate([_recode(block.health, block.health_names, health_names) for block in blocks]),
        np.concatenate([block.arrived_at for block in blocks]),
    )


def empty(layout: Layout) -> Block:
    """No rows."""
    micros, codes = np.empty(0, np.int64), np.empty(0, np.int32)
    return Block([], codes, micros, np.empty((0, len(layout.variables))), (), codes, micros)


def from_table(table: pa.Table, layout: Layout, *, arrived_at: int | None = None, asset: str | None = None) -> Block:
    """Rows of ``layout.schema``, in their order, each name with a row.

    Parameters
    ----------
    table
        With a column ``arrived_at``, unless that is given.
    layout
        Of the rows.
    arrived_at
        Microseconds since 1970, UTC, for all rows.
    asset
        Take only its rows, which stand together.
    """
    assets, ids = arrow.codes(table.column(ASSET))
    if asset is not None:
        where = np.flatnonzero(assets == ids.index(asset)) if asset in ids else assets[:0]
        table = table.slice(int(where[0]) if len(where) else 0, len(where))
        assets, ids = np.zeros(len(where), np.int32), [asset]
    used = np.zeros(len(ids), bool)
    used[assets] = True
    names = in_store_order([ids[place] for place in np.flatnonzero(used).tolist()])
    health, texts = arrow.codes(table.column(HEALTH))
    health_names = tuple(sorted(texts))
    columns = [arrow.floats(table.column(value_column(variable))) for variable in layout.variables]
    return Block(
        names,
        _recode(assets, ids, names),
        arrow.numbers(table.column(TIMESTAMP), "int64"),
        columns[0].reshape(-1, 1) if len(columns) == 1 else np.stack(columns, axis=1),
        health_names,
        _recode(health, texts, health_names),
        arrow.numbers(table.column(ARRIVED_AT), "int64") if arrived_at is None else np.full(len(table), arrived_at),
        arrow.numbers(table.column(ORIGIN), "int64") if ORIGIN in table.column_names else None,
    )


def file_schema(layout: Layout) -> pa.Schema:
    """The schema of the store's files: ``layout.schema`` with dictionary-encoded texts, and ``arrived_at``."""
    text = pa.dictionary(pa.int32(), pa.string())
    fields = [field.with_type(text) if pa.types.is_string(field.type) else field for field in layout.schema]
    return pa.schema([*fields, pa.field(ARRIVED_AT, pa.timestamp("us"), nullable=False)])


def to_table(block: Block, layout: Layout) -> pa.Table:
    """Rows in the store's order as ``file_schema``; of the names no more than occur."""
    first, last = int(block.assets[0]), int(block.assets[-1])
    schema = file_schema(layout)
    columns = [
        arrow.to_codes(block.assets - np.int32(first), block.names[first : last + 1]),
        arrow.to_numbers(block.timestamps, schema.field(TIMESTAMP).type),
        *(arrow.to_floats(block.values[:, place]) for place in range(len(layout.variables))),
        arrow.to_codes(block.health, block.health_names),
        arrow.to_numbers(block.arrived_at, schema.field(ARRIVED_AT).type),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _places(firsts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of runs that are given by first row and length."""
    ends = np.cumsum(lengths)
    return np.repeat(firsts - (ends - lengths), lengths) + np.arange(ends[-1])


def _compact(codes: Codes, texts: Sequence[str]) -> tuple[NDArray[np.unsignedinteger[Any]], list[str | None]]:
    """Codes into only the texts that occur, in as few bytes as they need."""
    used = np.zeros(len(texts) + 1, bool)
    used[codes] = True  # the last for -1
    places = np.cumsum(used) - 1
    occurring = [text for text, occurs in zip([*texts, None], used.tolist(), strict=True) if occurs]
    return places.astype(np.min_scalar_type(len(occurring)))[codes], occurring


def in_store_order(names: Iterable[str]) -> list[str]:
    """Ids, sorted by bucket and by code point."""
    return [name for _, name in sorted((bucket_of(name), name) for name in names)]


def _recode(codes: Codes, old: Sequence[str], new: Sequence[str]) -> Codes:
    """Codes into ``old`` as codes into ``new``, which holds all that occurs; -1 stays."""
    if list(old) == list(new):
        return codes
    places = {name: place for place, name in enumerate(new)}
    table = np.fromiter(chain((places.get(name, -1) for name in old), [-1]), np.int32, len(old) + 1)
    return table[codes]
