"""Parquet files of rows in the store's order, read by ranges of buckets."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from anomscan.errors import StoreError
from anomscan.storage.places import ObjectPlace, Place, opened
from anomscan.store.block import Block, concat, file_schema, from_table
from anomscan.store.manifest import REFETCH, SUPERSEDED, DataFile, Manifest, load
from anomscan.store.partitions import Key, key_of
from anomscan.telemetry import arrow
from anomscan.telemetry.rows import ARRIVED_AT, ASSET, HEALTH, Layout, value_column


class PartReader:
    """Reads one file; opened when first needed, and the last row group kept for the buckets that share it."""

    def __init__(self, folder: Place, part: DataFile, layout: Layout) -> None:
        self._folder, self._path, self._part, self._layout = folder, folder / part.name, part, layout
        self._source: pa.NativeFile | None = None
        self._file: pq.ParquetFile | None = None
        self._edges: list[int] = []
        self._keys: dict[int, Key] = {}
        self._held: tuple[int, Block] | None = None
        self._absent: tuple[str, ...] = ()
        self._columns: list[str] | None = None  # all

    @property
    def absent(self) -> tuple[str, ...]:
        """The variables that came after the file was written: it has no value of them.

        Raises
        ------
        StoreError, FileNotFoundError, ServiceError
            As for ``read``.
        """
        self.open()
        return self._absent

    @property
    def name(self) -> str:
        """What the file is called."""
        return self._part.name

    @property
    def is_dropped(self) -> bool:
        """Whether its rows were dropped."""
        return self._part.until is not None

    def counts(self, as_of: int | None) -> bool:
        """Whether its rows count now, or did as of an instant (microseconds since 1970, UTC)."""
        return self._part.counts(as_of)

    def twin(self) -> PartReader:
        """A reader of the same open file for another thread."""
        other = copy(self)
        other._held = None
        if self._file is not None:
            other._file = _parquet(self._path, self._source, self._file.metadata)
        return other

    def read(self, first: int, stop: int, asset: str | None = None) -> Block | None:
        """The rows of the buckets ``first`` to ``stop`` (exclusive), or of one asset; None if there are none.

        Raises
        ------
        StoreError
            The file is damaged.
        FileNotFoundError
            It is gone: the manifest it stood in is an old one.
        ServiceError
            It is on object storage that cannot be reached, or refuses us.
        """
        begin = self._part.rows_of(0, first)
        end = begin + self._part.rows_of(first, stop)
        with reading(self._path):
            if asset is None:
                return _joined(self._blocks(begin, end, None))
            tables = [self._group(group) for group, *_ in self._groups(begin, end, (asset, asset))]
            if not tables:
                return None
            block = self._block(pa.concat_tables(tables), asset)
        return block if len(block) else None

    def between(self, low: Key, high: Key) -> Block | None:
        """The rows of the assets from ``low`` to ``high``, both inclusive, in the store's order; None without any.

        Raises
        ------
        StoreError, FileNotFoundError, ServiceError
            As for ``read``.
        """
        if low == high:
            return self.read(low[0], low[0] + 1, low[1])
        begin, end = self._part.rows_of(0, low[0]), self._part.rows_of(0, high[0] + 1)
        # Of a single bucket, which may be large, only the row groups around the assets are read.
        ids = (low[1], high[1]) if low[0] == high[0] else None
        with reading(self._path):
            block = _joined(self._blocks(begin, end, ids))
        if block is None:
            return None
        places = bisect_left(block.names, low, key=key_of), bisect_right(block.names, high, key=key_of)
        start, stop = np.searchsorted(block.assets, np.array(places, np.int32)).tolist()
        if stop - start == len(block):
            return block
        return block.take(slice(start, stop)).trimmed() if start < stop else None

    def last_arrival(self) -> int:
        """When the last of its rows arrived, microseconds since 1970, UTC; errors are those of ``read``."""
        with reading(self._path):
            file = self._open()
            return max(
                int(arrow.numbers(file.read_row_group(group, [ARRIVED_AT]).column(ARRIVED_AT), "int64").max())
                for group in range(file.num_row_groups)
            )

    def _blocks(self, begin: int, end: int, ids: tuple[str, str] | None) -> Iterator[Block]:
        """The rows from ``begin`` to ``end``; those of no asset between the two ids may be left out."""
        whole: list[pa.Table] = []
        for group, start, stop in self._groups(begin, end, ids):
            if begin <= start and stop <= end:
                whole.append(self._group(group))
                continue
            if whole:
                yield self._block(pa.concat_tables(whole))
                whole = []
            if self._held is not None and self._held[0] == group:
                block = self._held[1]
            else:
                block = self._block(self._group(group))
            self._held = (group, block) if stop > end else None
            yield block.take(slice(max(begin - start, 0), min(end, stop) - start)).trimmed()
        if whole:
            yield self._block(pa.concat_tables(whole))

    def _groups(self, begin: int, end: int, ids: tuple[str, str] | None) -> Iterator[tuple[int, int, int]]:
        """(number, first row, stop) of the row groups around some rows that may hold an id between the two."""
        if begin < end:
            self._open()
            groups = range(bisect_right(self._edges, begin) - 1, bisect_left(self._edges, end))
            if ids is not None and len(groups) > 1:
                first, last = (key_of(asset) for asset in ids)
                start = max(bisect_left(groups, first, key=self._first_key) - 1, 0)
                groups = groups[start : bisect_right(groups, last, lo=start, key=self._first_key)]
            for group in groups:
                yield group, self._edges[group], self._edges[group + 1]

    def _first_key(self, group: int) -> Key:
        """The place of a row group's first asset in the store's order.

        Read from its rows, and not from the statistics in the file: pyarrow ends the process where they are broken.
        """
        if group not in self._keys:
            rows = self._open().iter_batches(1, row_groups=[group], columns=[ASSET], use_threads=False)
            batch = next(rows, None)
            name = batch.column(ASSET)[0].as_py() if batch else None
            if name is None:
                raise ValueError("a row group begins with no asset")
            self._keys[group] = key_of(name)
        return self._keys[group]

    def _block(self, table: pa.Table, asset: str | None = None) -> Block:
        """Rows as the manifest has announced them: in the store's order, and none beyond the file's times.

        Raises
        ------
        ValueError
            They are not.
        """
        block = from_table(table, self._layout, asset=asset)
        if len(block):
            back = block.timestamps[1:] < block.timestamps[:-1]
            back &= block.assets[1:] == block.assets[:-1]
            if back.any() or (block.assets[1:] < block.assets[:-1]).any():
                raise ValueError("its rows are out of order")
            if block.timestamps.min() < self._part.earliest or block.timestamps.max() > self._part.latest:
                raise ValueError("a timestamp lies outside the times that the manifest says")
        return block

    def _group(self, group: int) -> pa.Table:
        table = self._open().read_row_group(group, columns=self._columns, use_threads=False)
        for variable in self._absent:
            table = table.append_column(value_column(variable), pa.nulls(len(table), pa.float64()))
        return table

    def open(self) -> None:
        """Open it now: an open local file can be read even after it has been removed.

        Raises
        ------
        StoreError, FileNotFoundError, ServiceError
            As for ``read``.
        """
        with reading(self._path):
            self._open()

    def _open(self) -> pq.ParquetFile:
        if self._file is None:
            try:
                self._source = opened(self._path)
            except FileNotFoundError:  # a commit may have put it aside since the manifest was read
                self._path = self._folder / SUPERSEDED / self.name
                self._source = opened(self._path)
            self._file = _parquet(self._path, self._source)
            data = self._file.metadata
            if data.num_rows != sum(self._part.rows):
                raise pa.ArrowInvalid("another number of rows than the manifest says")
            self._absent, self._columns = _columns(self._file.schema_arrow, self._layout)
            groups = (data.row_group(group).num_rows for group in range(data.num_row_groups))
            self._edges = list(accumulate(groups, initial=0))
        return self._file


def _columns(has: pa.Schema, layout: Layout) -> tuple[tuple[str, ...], list[str] | None]:
    """The variables of a layout that a file has no column of, and the columns to read, None for all.

    Variables that are not wanted any more are passed over; all other columns must be there.
    """
    due = file_schema(layout)
    if has.equals(due):
        return (), None
    absent = tuple(variable for variable in layout.variables if value_column(variable) not in has.names)
    own = {field.name: field.type for field in due if field.name not in map(value_column, absent)}
    there = dict(zip(has.names, has.types, strict=True))
    others = there.keys() - own.keys()
    prefix = value_column("")
    if any(there.get(name) != kind for name, kind in own.items()) or not all(
        name.startswith(prefix) and there[name] == pa.float64() for name in others
    ):
        raise pa.ArrowInvalid("other columns than the manifest says")
    return absent, list(own) if others else None


def read_parts(readers: Sequence[PartReader], first: int, stop: int, asset: str | None = None) -> Block | None:
    """What several files hold of a range of buckets, earlier commits first; None where there is nothing."""
    blocks = [block for reader in readers if (block := reader.read(first, stop, asset)) is not None]
    return concat(blocks) if blocks else None


def _joined(blocks: Iterator[Block]) -> Block | None:
    """Blocks of one file, one after another; None where there is no row."""
    found = [block for block in blocks if len(block)]
    return concat(found) if found else None


@contextmanager
def present(folder: Place) -> Iterator[None]:
    """For callers that have the newest manifest: a missing file means damage."""
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError(f"{folder} lacks a file that its manifest lists: {error}", hint=REFETCH) from None


def same_rows(folder: Place, manifest: Manifest, error: FileNotFoundError) -> Manifest:
    """For readers whose files were removed meanwhile: a newer manifest of the same rows.

    Raises
    ------
    StoreError
        There is none: the files are missing, or other rows took their place.
    """
    newer = load(folder)
    if newer is None or newer.sequence == manifest.sequence:
        with present(folder):
            raise error
    if newer.revision != manifest.revision:
        raise StoreError(f"{folder} was replaced while it was being read", hint="run it again")
    return newer


def _parquet(path: Place, source: pa.NativeFile, metadata: pq.FileMetaData | None = None) -> pq.ParquetFile:
    return pq.ParquetFile(
        source,
        metadata=metadata,
        read_dictionary=[ASSET, HEALTH],
        page_checksum_verification=True,
        # A row group in one request, rather than one for each column.
        pre_buffer=isinstance(path, ObjectPlace),
    )


@contextmanager
def reading(path: Place) -> Iterator[None]:
    """Name the file that is damaged or cannot be read; the caller deals with missing files."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, LookupError, ValueError) as error:
        if isinstance(path, ObjectPlace) and isinstance(error, OSError) and (meaning := path.meaning(error)):
            raise meaning from None
        if isinstance(error, OSError) and error.errno is not None:
            raise StoreError(f"{path} cannot be read: {error.strerror}") from None
        raise StoreError(f"{path} is damaged: {error}", hint=REFETCH) from None
