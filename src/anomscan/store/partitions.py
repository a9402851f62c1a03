"""Dividing a fleet into partitions: ranges of assets in the store's order."""

from __future__ import annotations

import hashlib
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from anomscan.memory import require, rows_at_a_time
from anomscan.store.block import BUCKETS, bucket_of
from anomscan.telemetry.rows import Layout
from anomscan.wording import counted

#: The memory that a value takes while rows are written, as measured: its rows are sorted, joined and divided.
_VALUE_BYTES = 64

#: An asset's place in the store's order.
Key = tuple[int, str]


def key_of(asset: str) -> Key:
    """The place of an asset in the store's order: its bucket, then its id by code point."""
    return bucket_of(asset), asset


@dataclass(frozen=True, slots=True)
class Partition:
    """Some neighbours in the store's order.

    Parameters
    ----------
    low, high
        The first and the last of them.
    assets
        How many there are.
    parts
        The smaller partitions it is made of; none if it is one of those.
    """

    low: Key
    high: Key
    assets: int
    parts: tuple[Partition, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[Partition]) -> Partition:
        """Consecutive partitions, joined."""
        if len(parts) == 1:
            return parts[0]
        return cls(parts[0].low, parts[-1].high, sum(part.assets for part in parts), tuple(parts))

    @property
    def name(self) -> str:
        """A name for files; the same bounds have the same."""
        bounds = f"{len(self.low[1])} {self.low[1]}{self.high[1]}".encode()
        return f"{self.low[0]:02d}-{self.high[0]:02d}-{hashlib.blake2b(bounds, digest_size=8).hexdigest()}"

    @property
    def pieces(self) -> tuple[Partition, ...]:
        """Its parts, or itself."""
        return self.parts or (self,)

    def holds(self, key: Key) -> bool:
        """Whether an asset is one of them, if it is in the store."""
        return self.low <= key <= self.high

    def meets(self, other: Partition) -> bool:
        """Whether the two may have an asset in common."""
        return self.low <= other.high and other.low <= self.high


class Cut:
    """The assets of a fleet, and how to divide them.

    Parameters
    ----------
    names
        Ids of assets.
    samples
        How many samples each of them has.
    """

    def __init__(self, names: Sequence[str], samples: Sequence[int]) -> None:
        entries = sorted(zip(map(bucket_of, names), names, samples, strict=True))
        self._keys: list[Key] = [(bucket, name) for bucket, name, _ in entries]
        self._ends = np.cumsum([0, *(count for _, _, count in entries)]).tolist()

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def assets(self) -> Iterator[str]:
        """The ids, in the store's order."""
        return (name for _, name in self._keys)

    @property
    def rows(self) -> int:
        """The samples of all assets."""
        return int(self._ends[-1])

    def partitions(self, most_rows: int) -> list[Partition]:
        """All assets, in partitions of at most so many samples, or of one asset that has more.

        What is too large is cut in two, and so on: between buckets, which files keep together, as long as there are
        several, then between assets. So a fleet that grows is cut once more here and there, and elsewhere as before.
        """
        buckets = [bucket for bucket, _ in self._keys]
        edges = [bisect_left(buckets, bucket) for bucket in range(BUCKETS + 1)]
        partitions = []
        waiting = [(0, BUCKETS, 0, len(self._keys))]
        while waiting:
            first, last, start, stop = waiting.pop()
            if start == stop:
                continue
            if stop - start == 1 or self._ends[stop] - self._ends[start] <= most_rows:
                partitions.append(self._partition(start, stop))
                continue
            middle = (first + last) // 2 if last - first > 1 else last
            cut = edges[middle] if middle < last else self._seam(start, stop)
            waiting += [(middle, last, cut, stop), (first, middle, start, cut)]
        return partitions

    def _seam(self, start: int, stop: int) -> int:
        """A split point near the middle that stays put as assets join or leave."""
        third = (stop - start) // 3
        middle = range(start + max(third, 1), stop - third)
        return min(middle, key=lambda place: zlib.crc32(self._keys[place][1].encode()))

    def rows_of(self, partition: Partition) -> int:
        """The samples of a partition."""
        start, stop = self._bounds(partition)
        return int(self._ends[stop] - self._ends[start])

    def single(self) -> list[Partition]:
        """A partition for each asset."""
        return [self._partition(place, place + 1) for place in range(len(self._keys))]

    def halves(self, partition: Partition) -> Iterator[Partition]:
        """A partition of several assets in two."""
        start, stop = self._bounds(partition)
        middle = (start + stop) // 2
        yield self._partition(start, middle)
        yield self._partition(middle, stop)

    def _partition(self, start: int, stop: int) -> Partition:
        return Partition(self._keys[start], self._keys[stop - 1], stop - start)

    def _bounds(self, partition: Partition) -> tuple[int, int]:
        return bisect_left(self._keys, partition.low), bisect_right(self._keys, partition.high)


def bucket_spans(rows: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Divide the non-empty buckets into ranges (first, stop) of at most so many rows, or of one bucket.

    >>> list(bucket_spans([0, 2, 2, 9, 0, 1], most=4))
    [(1, 3), (3, 4), (5, 6)]
    """
    first = held = 0
    for bucket, count in enumerate([*rows, 0]):
        if held and (count == 0 or held + count > most):
            yield first, bucket
            held = 0
        if held == 0:
            first = bucket
        held += count


def spans_in_memory(rows: Sequence[int], most: int, layout: Layout) -> list[tuple[int, int]]:
    """Divide the non-empty buckets into ranges to be written one after another.

    Parameters
    ----------
    rows
        Of each bucket.
    most
        Rows of a range, fewer where there are many variables; a bucket with more is a range of its own.

    Raises
    ------
    InputError
        If there is not enough memory for one of them.
    """
    variables = len(layout.variables)
    most = rows_at_a_time(most, variables)
    spans = list(bucket_spans(rows, most))
    if (largest := max((sum(rows[first:stop]) for first, stop in spans), default=0)) > most:
        require(
            largest * variables * _VALUE_BYTES,
            f"to write {largest:,} samples of {counted(variables, 'variable')}",
            "take fewer variables, or a source for each part of the fleet or of its variables",
        )
    return spans
