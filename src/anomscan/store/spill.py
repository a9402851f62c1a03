"""The rows of a fetch until they are merged: most wait in a file without a name, so it ends with the process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from errno import EIO
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomscan.store.block import BUCKETS, Block, Codes, bucket_of, in_store_order

_Arrays = Sequence[NDArray[Any]]


class Spill(AbstractContextManager["Spill"]):
    """Rows put in piece by piece, and then taken out some buckets at a time.

    Parameters
    ----------
    folder
        Where the file is made, once one is needed.
    arrived_at
        When all the rows arrived, microseconds since 1970, UTC.
    """

    def __init__(self, folder: Path, arrived_at: int) -> None:
        self._folder, self._arrived_at = folder, arrived_at
        self._file: FileIO | None = None
        self._pieces: list[_Piece] = []
        # Texts have numbers by the order in which they come, until all are known.
        self._names: dict[str, int] = {}
        self._health_names: dict[str, int] = {}
        #: (64,) rows in each bucket.
        self.bucket_rows = np.zeros(BUCKETS, np.int64)
        #: The outermost timestamps, microseconds since 1970, UTC.
        self.earliest, self.latest = int(np.iinfo(np.int64).max), int(np.iinfo(np.int64).min)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def add(self, block: Block, *, in_memory: bool = False) -> None:
        """Put in rows that stand in the store's order, each name with a row.

        Raises
        ------
        OSError
            They cannot be written.
        """
        if len(block) == 0:
            return
        arrays = (
            _numbered(block.names, self._names)[block.assets],
            block.timestamps,
            block.values,
            _numbered(block.health_names, self._health_names)[block.health],
            np.full(len(block), -1) if block.origin is None else block.origin,
        )
        if not in_memory and self._file is None:
            # Without a buffer: what could not be written must not be tried again when the file is closed.
            self._file = tempfile.TemporaryFile(buffering=0, dir=self._folder)  # noqa: SIM115
        rows = block.bucket_rows()
        self._pieces.append(_Piece(rows, arrays, None if in_memory else self._file))
        self.bucket_rows += rows
        self.earliest = min(self.earliest, int(block.timestamps.min()))
        self.latest = max(self.latest, int(block.timestamps.max()))

    def blocks(self, spans: Iterable[tuple[int, int]]) -> Iterator[Block]:
        """The rows of ranges of buckets (first, stop), as they were put in, each name with a row."""
        names = in_store_order(self._names)
        ranks = _ranks(names, self._names)
        name_edges = np.searchsorted([bucket_of(name) for name in names], np.arange(BUCKETS + 1)).tolist()
        health_names = tuple(sorted(self._health_names))
        health_ranks = _ranks(health_names, self._health_names)
        for first, stop in spans:
            before, end = name_edges[first], name_edges[stop]
            assets, timestamps, values, health, origin = self._read(first, stop)
            yield Block(
                names[before:end],
                ranks[assets] - np.int32(before),
                timestamps,
                values,
                health_names,
                health_ranks[health],
                np.full(len(assets), self._arrived_at),
                origin,
            )
            del assets, timestamps, values, health, origin

    def _read(self, first: int, stop: int) -> _Arrays:
        pieces = [arrays for piece in self._pieces if (arrays := piece.read(first, stop)) is not None]
        return [np.concatenate(arrays) for arrays in zip(*pieces, strict=True)]


class _Piece:
    """Some rows of a spill, kept in memory or moved to a file.

    Parameters
    ----------
    bucket_rows
        (64,) rows in each bucket.
    arrays
        (rows, ...) each.
    file
        To write them to; None to keep them.
    """

    def __init__(self, bucket_rows: NDArray[np.int64], arrays: _Arrays, file: FileIO | None) -> None:
        self._edges = np.concatenate([[0], np.cumsum(bucket_rows)]).tolist()
        self._arrays, self._file = arrays, file
        if file is not None:
            self._places = [_write(file, np.ascontiguousarray(array)) for array in arrays]
            self._arrays = [array[:0].copy() for array in arrays]

    def read(self, first: int, stop: int) -> _Arrays | None:
        """The rows of the buckets ``first`` to ``stop`` (exclusive); None where there are none."""
        start, end = self._edges[first], self._edges[stop]
        if start == end:
            return None
        if self._file is None:
            return [array[start:end] for array in self._arrays]
        arrays = [np.empty((end - start, *array.shape[1:]), array.dtype) for array in self._arrays]
        for array, place in zip(arrays, self._places, strict=True):
            _read(self._file, place + start * array.nbytes // len(array), array)
        return arrays


def _numbered(texts: Sequence[str], numbers: dict[str, int]) -> Codes:
    """The number of each text, new numbers for new texts; and, for the code -1, -1 at the end."""
    return np.array([*(numbers.setdefault(text, len(numbers)) for text in texts), -1], np.int32)


def _ranks(texts: Sequence[str], numbers: dict[str, int]) -> Codes:
    """The place of each number's text among ``texts``; and, for the number -1, -1 at the end."""
    ranks = np.full(len(texts) + 1, -1, np.int32)
    ranks[[numbers[text] for text in texts]] = np.arange(len(texts))
    return ranks


def _write(file: FileIO, array: NDArray[Any]) -> int:
    """Append an array to a file; where it begins."""
    begin = file.seek(0, 2)
    data = array.data.cast("B")
    while data:
        data = data[file.write(data) :]
    return begin


def _read(file: FileIO, place: int, array: NDArray[Any]) -> None:
    """Fill an array from a file."""
    file.seek(place)
    data = array.data.cast("B")
    while data:
        count = file.readinto(data)
        if not count:
            raise OSError(EIO, "a temporary file lost its end")
        data = data[count:]
