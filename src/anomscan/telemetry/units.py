"""Cutting a fleet into units of work: ranges of assets in the store's order."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.block import bucket_of

#: An asset's place in the store's order.
Key = tuple[int, str]


def key_of(asset: str) -> Key:
    """The place of an asset in the store's order: its bucket, then its id by code point."""
    return bucket_of(asset), asset


@dataclass(frozen=True, slots=True)
class Unit:
    """Some neighbours in the store's order.

    Parameters
    ----------
    low, high
        The first and the last of them.
    assets
        How many there are.
    parts
        The smaller units it is made of; none if it is one of those.
    """

    low: Key
    high: Key
    assets: int
    parts: tuple[Unit, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[Unit]) -> Unit:
        """Some units that follow one another, as one."""
        if len(parts) == 1:
            return parts[0]
        return cls(parts[0].low, parts[-1].high, sum(part.assets for part in parts), tuple(parts))

    @property
    def name(self) -> str:
        """A name for files; the same bounds have the same."""
        bounds = f"{len(self.low[1])} {self.low[1]}{self.high[1]}".encode()
        return f"{self.low[0]:02d}-{self.high[0]:02d}-{hashlib.blake2b(bounds, digest_size=8).hexdigest()}"

    @property
    def pieces(self) -> tuple[Unit, ...]:
        """Its parts, or itself."""
        return self.parts or (self,)

    def holds(self, key: Key) -> bool:
        """Whether an asset is one of them, if it is in the store."""
        return self.low <= key <= self.high

    def meets(self, other: Unit) -> bool:
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

    Attributes
    ----------
    rows
        The samples of all assets.
    """

    def __init__(self, names: Sequence[str], samples: Sequence[int]) -> None:
        entries = sorted(zip(map(bucket_of, names), names, samples, strict=True))
        self._keys: list[Key] = [(bucket, name) for bucket, name, _ in entries]
        counts = np.array([count for _, _, count in entries], np.int64)
        self.rows = int(counts.sum())
        self._ends = np.cumsum(np.append(0, _rounded(counts)))

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def assets(self) -> Iterator[str]:
        """The ids, in the store's order."""
        return (name for _, name in self._keys)

    def units(self, most_rows: int) -> list[Unit]:
        """All assets, in units of at most so many samples, or of one asset that has more.

        Buckets, which files keep together, are cut only where they are larger than that. An asset counts up to an
        eighth more than it has, so that a fleet that grows by a day is cut as the day before.
        """
        buckets = np.array([bucket for bucket, _ in self._keys], np.int64)
        edges = [0, *(np.flatnonzero(np.diff(buckets)) + 1).tolist(), len(buckets)]
        units, start = [], 0
        while start < len(self._keys):
            fitting = int(np.searchsorted(self._ends, self._ends[start] + most_rows, "right")) - 1
            edge = edges[bisect_right(edges, fitting) - 1]
            stop = edge if edge > start else max(fitting, start + 1)
            units.append(self._unit(start, stop))
            start = stop
        return units

    def single(self) -> list[Unit]:
        """A unit for each asset."""
        return [self._unit(place, place + 1) for place in range(len(self._keys))]

    def halves(self, unit: Unit) -> Iterator[Unit]:
        """A unit of several assets in two."""
        start, stop = self._bounds(unit)
        middle = (start + stop) // 2
        yield self._unit(start, middle)
        yield self._unit(middle, stop)

    def _unit(self, start: int, stop: int) -> Unit:
        return Unit(self._keys[start], self._keys[stop - 1], stop - start)

    def _bounds(self, unit: Unit) -> tuple[int, int]:
        return bisect_left(self._keys, unit.low), bisect_right(self._keys, unit.high)


def _rounded(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts, rounded up to four binary digits: they change as often as they grow by an eighth or a sixteenth."""
    step = np.int64(1) << np.maximum(np.frexp(counts)[1].astype(np.int64) - 4, 0)
    return np.asarray(-(-counts // step) * step, np.int64)
