"""Parquet files of rows in the store's order, written block by block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anomscan.storage.durable import replace_file
from anomscan.store.block import BUCKETS, Block, file_schema, to_table
from anomscan.store.manifest import DataFile
from anomscan.telemetry.rows import ARRIVED_AT, ASSET, HEALTH, TIMESTAMP, Layout, value_column

#: Buckets share a row group until it has this many rows; a bucket of more than the second number is cut.
SMALL_GROUP, LARGE_GROUP = 16_384, 131_072

#: Of so many values of a column no more than one in so many may be distinct for a dictionary.
SAMPLE, DISTINCT = 16_384, 2


class PartWriter:
    """Writes one file; a context manager. The file appears at the end of the block, and only if it has rows.

    Parameters
    ----------
    folder, name
        Where it will lie.
    layout
        Of the rows.
    """

    def __init__(self, folder: Path, name: str, layout: Layout) -> None:
        self._folder, self._name, self._layout = folder, name, layout
        self._stack = ExitStack()
        self._writer: pq.ParquetWriter | None = None
        self._rows = np.zeros(BUCKETS, np.int64)
        self._earliest, self._latest = np.iinfo(np.int64).max, np.iinfo(np.int64).min

    def __enter__(self) -> PartWriter:
        self._stack.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, block: Block) -> None:
        """Append whole buckets, in order and after those before.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        if len(block) == 0:
            return
        if self._writer is None:
            out = self._stack.enter_context(replace_file(self._folder / self._name, follow=False))
            self._writer = _parquet_writer(out, block, self._layout)
            self._stack.push(self._finish)
        rows = block.bucket_rows()
        self._rows += rows
        self._earliest = min(self._earliest, int(block.timestamps.min()))
        self._latest = max(self._latest, int(block.timestamps.max()))
        for start, stop in _row_groups(rows):
            table = to_table(block.take(slice(start, stop)), self._layout)
            self._writer.write_table(table, row_group_size=stop - start)

    @property
    def parts(self) -> list[DataFile]:
        """The file's entry in the manifest; none where there is no row."""
        used = np.flatnonzero(self._rows)
        if len(used) == 0:
            return []
        first, stop = int(used[0]), int(used[-1]) + 1
        return [DataFile(self._name, first, tuple(self._rows[first:stop].tolist()), self._earliest, self._latest)]

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None and kind is None:
            self._writer.close()
        elif self._writer is not None:
            # A file that cannot be finished must not be finished again by the garbage collector.
            self._writer.is_open = False


def _parquet_writer(out: BinaryIO, sample: Block, layout: Layout) -> pq.ParquetWriter:
    """Encode values as their first rows suggest: by a dictionary where few are distinct, else by their bytes."""
    values = {value_column(name): sample.values[:SAMPLE, place] for place, name in enumerate(layout.variables)}
    few = [name for name, column in values.items() if len(np.unique(column)) * DISTINCT < len(column)]
    return pq.ParquetWriter(
        out,
        file_schema(layout),
        # Batches of the default size, 1,024 values, cost more to begin than to write.
        write_batch_size=LARGE_GROUP,
        compression="lz4",
        use_dictionary=[ASSET, HEALTH, ARRIVED_AT, *few],
        # Similar numbers share their first bytes, so these are stored side by side.
        column_encoding={TIMESTAMP: "DELTA_BINARY_PACKED"}
        | dict.fromkeys((name for name in values if name not in few), "BYTE_STREAM_SPLIT"),
        write_page_checksum=True,
        write_statistics=[ASSET],
        store_schema=False,
    )


def _row_groups(rows: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    start = stop = 0
    for count in rows.tolist():
        stop += count
        if stop - start >= SMALL_GROUP:
            yield from _pieces(start, stop)
            start = stop
    if start < stop:
        yield from _pieces(start, stop)


def _pieces(start: int, stop: int) -> Iterator[tuple[int, int]]:
    count = -(-(stop - start) // LARGE_GROUP)
    yield from pairwise(start + (stop - start) * piece // count for piece in range(count + 1))
