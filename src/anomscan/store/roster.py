"""What is known of each asset of a source without reading its rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anomscan.storage.places import Place, opened
from anomscan.store.block import BUCKETS, Block, Micros, bucket_of
from anomscan.store.manifest import Manifest
from anomscan.store.part_reader import reading
from anomscan.telemetry import arrow

_NUMBERS = ("samples", "last", "smallest_step", "first_arrival")
_SCHEMA = pa.schema([("asset", pa.string()), *((name, pa.int64()) for name in _NUMBERS)])


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """One entry per asset.

    Parameters
    ----------
    names
        Ids; sorted by code point in a stored roster.
    samples
        (n,) int64: how many timestamps it has.
    last
        (n,) int64: the newest of them, microseconds since 1970, UTC.
    smallest_step
        (n,) int64: the smallest step seen between two of them, microseconds; 0 where there is one only.
    first_arrival
        (n,) int64: when the first of its rows arrived, microseconds since 1970, UTC.
    """

    names: list[str]
    samples: Micros
    last: Micros
    smallest_step: Micros
    first_arrival: Micros

    @classmethod
    def blank(cls, names: list[str]) -> Roster:
        """Assets of which nothing is known."""
        zeros = np.zeros(len(names), np.int64)
        return cls(names, zeros, zeros, zeros, zeros)

    @classmethod
    def listed(cls, folder: Place, manifest: Manifest) -> Roster:
        """The roster that a manifest lists; a blank one before the first commit. Errors are those of :meth:`load`."""
        return cls.load(folder / manifest.roster, manifest) if manifest.roster else cls.blank([])

    @classmethod
    def load(cls, path: Place, manifest: Manifest) -> Roster:
        """Read a roster and see that it is one of the rows that a manifest counts.

        Raises
        ------
        StoreError
            It is damaged.
        FileNotFoundError
            It is gone.
        ServiceError
            It is on object storage that cannot be reached, or refuses us.
        """
        with reading(path), opened(path) as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            if not parquet.schema_arrow.equals(_SCHEMA):
                raise ValueError("it has other columns than a roster")
            table = parquet.read(use_threads=False)
            if any(column.null_count for column in table.columns):
                raise ValueError("it has empty entries")
            columns = [arrow.numbers(table.column(name), "int64") for name in _NUMBERS]
            roster = cls(table.column("asset").to_pylist(), *columns)
            roster._check(manifest)
            return roster

    def _check(self, manifest: Manifest) -> None:
        """See that the entries are sound, and those of the rows that the manifest counts.

        Raises
        ------
        ValueError
            They are not.
        """
        if any(first >= second for first, second in pairwise(self.names)):
            raise ValueError("its assets are not in order")
        if len(self.names) and (self.samples.min() < 1 or self.smallest_step.min() < 0):
            raise ValueError("it has a negative count")
        buckets = np.fromiter(map(bucket_of, self.names), np.int64, len(self.names))
        samples = np.bincount(buckets, self.samples, minlength=BUCKETS)
        rows = manifest.bucket_rows()
        latest = max((file.latest for file in manifest.files), default=None)
        if (
            (samples > rows).any()
            or ((samples > 0) != (rows > 0)).any()
            or max(self.last.tolist(), default=None) != latest
        ):
            raise ValueError("it does not fit the rows in the store")

    def save(self, out: BinaryIO) -> None:
        """Write it."""
        columns = [
            arrow.to_texts(self.names),
            *(arrow.to_numbers(getattr(self, name), pa.int64()) for name in _NUMBERS),
        ]
        table = pa.Table.from_arrays(columns, schema=_SCHEMA)
        pq.write_table(table, out, compression="zstd", use_dictionary=False, write_page_checksum=True)

    @classmethod
    def of(cls, block: Block) -> Roster:
        """The entries of assets of which these are all rows, in the store's order, each name with a row."""
        if len(block) == 0:
            return cls.blank([])
        edges, repeats = block.edges(), block.repeats()
        starts = edges[:-1]
        steps = np.diff(block.timestamps, prepend=0)
        steps[repeats] = steps[starts] = np.iinfo(np.int64).max
        smallest = np.minimum.reduceat(steps, starts)
        return cls(
            block.names,
            np.add.reduceat(~repeats, starts, dtype=np.int64),
            block.timestamps[edges[1:] - 1],
            np.where(smallest == np.iinfo(np.int64).max, 0, smallest),
            np.minimum.reduceat(block.arrived_at, starts),
        )

    def pick(self, names: list[str], places: dict[str, int]) -> Roster:
        """The entries of ``names``, blank for unknown ones; ``places`` has the place of each name."""
        where = np.fromiter((places.get(name, -1) for name in names), np.int64, len(names))
        return Roster(names, *(_at(getattr(self, field), where) for field in _NUMBERS))

    def take(self, which: NDArray[np.bool_]) -> Roster:
        """Some of the entries."""
        names = [name for name, is_taken in zip(self.names, which.tolist(), strict=True) if is_taken]
        return Roster(names, *(getattr(self, field)[which] for field in _NUMBERS))

    def without(self, names: Collection[str]) -> Roster:
        """The entries of other assets."""
        return self.take(np.array([name not in names for name in self.names], bool)) if names else self

    def forgetting(self, names: Collection[str]) -> Roster:
        """The same assets, with nothing known of some of them."""
        kept = np.array([name not in names for name in self.names], bool)
        return Roster(self.names, *(np.where(kept, getattr(self, field), 0) for field in _NUMBERS))

    def updated(self, newer: list[Roster]) -> Roster:
        """These entries with others put in their places or beside them, sorted by id."""
        rosters = [self, *newer]
        starts = np.cumsum([0, *(len(roster.names) for roster in rosters)]).tolist()
        places = {
            name: start + place
            for start, roster in zip(starts, rosters, strict=False)
            for place, name in enumerate(roster.names)
        }
        names = sorted(places)
        where = np.fromiter((places[name] for name in names), np.int64, len(names))
        columns = (np.concatenate([getattr(roster, field) for roster in rosters])[where] for field in _NUMBERS)
        return Roster(names, *columns)


def _at(values: Micros, where: Micros) -> Micros:
    return np.append(values, 0)[where]
