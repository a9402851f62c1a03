"""What is known of each asset of a source without reading its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from anomscan.storage.places import Place, opened
from anomscan.store.block import Micros
from anomscan.store.parts import reading
from anomscan.telemetry import arrow

_NUMBERS = ("samples", "last", "smallest_step", "first_arrival")


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
    def load(cls, path: Place) -> Roster:
        """Read a roster.

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
            table = pq.ParquetFile(file, page_checksum_verification=True).read(use_threads=False)
            columns = [arrow.numbers(table.column(name), "int64") for name in _NUMBERS]
            return cls(table.column("asset").to_pylist(), *columns)

    def save(self, out: BinaryIO) -> None:
        """Write it."""
        columns = [
            arrow.to_texts(self.names),
            *(arrow.to_numbers(getattr(self, name), pa.int64()) for name in _NUMBERS),
        ]
        table = pa.Table.from_arrays(columns, names=["asset", *_NUMBERS])
        pq.write_table(table, out, compression="zstd", use_dictionary=False, write_page_checksum=True)

    def pick(self, names: list[str], places: dict[str, int]) -> Roster:
        """The entries of ``names``, blank for unknown ones; ``places`` has the place of each name."""
        where = np.fromiter((places.get(name, -1) for name in names), np.int64, len(names))
        return Roster(names, *(_at(getattr(self, field), where) for field in _NUMBERS))

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
