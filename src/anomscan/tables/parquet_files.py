"""Read a Parquet file in bounded pieces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.storage.untrusted import check_regular
from anomscan.tables.columns import Piece, check_columns, needed
from anomscan.tables.dialects import USUAL, Dialect

_BATCH_ROWS = 64 << 10
_BATCH_CELLS = 1 << 20


def columns_in(path: Path, dialect: Dialect = USUAL) -> list[str]:
    """The names of a file's columns.

    Raises
    ------
    InputError
        Naming the file.
    """
    with _opened(path) as file:
        return list(file.schema_arrow.names)


#: The most bytes that the columns of a row group may unpack to.
LARGEST_GROUP = 4 << 30

#: Beyond so many rows there may be no more than so many of them for each byte of the file.
_SURELY_ROWS, _ROWS_A_BYTE = 1 << 26, 64


def read_parquet(path: Path, columns: Columns, notices: list[str], dialect: Dialect = USUAL) -> Iterator[Piece]:
    """Parquet, a batch of rows at a time.

    Raises
    ------
    InputError
        Naming the file.
    """
    wanted = needed(columns)
    with _opened(path) as file:
        check_columns(wanted, file.schema_arrow.names, str(path))
        _check_size(path, file.metadata, len(wanted))
        rows = 0
        for batch in file.iter_batches(
            min(_BATCH_ROWS, _BATCH_CELLS // len(wanted)), columns=wanted, use_threads=False
        ):
            batch.validate(full=True)  # text that is not UTF-8
            yield Piece(batch.select(wanted), partial(_row_place, path, rows))
            rows += len(batch)


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        check_regular(path)
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty")
        # As bytes, for a name may be no text.
        with pa.OSFile(os.fsencode(path)) as raw, pq.ParquetFile(raw) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last: of a column's name
        if isinstance(error, OSError) and error.errno:
            raise InputError(f"{path} cannot be read: {os.strerror(error.errno)}") from None
        raise InputError(f"{path} is not whole Parquet, cut off or broken: {error}") from None


def _check_size(path: Path, data: pq.FileMetaData, wanted: int) -> None:
    """Refuse a file before it takes more memory than it may, or more rows than its bytes can say anything about.

    Parameters
    ----------
    wanted
        How many of its columns are read; each is taken to have its share of a row group.

    Raises
    ------
    InputError
        Naming the row group.
    """
    size = path.stat().st_size
    if data.num_rows > max(_SURELY_ROWS, _ROWS_A_BYTE * size):
        raise InputError(f"{path} says that it has {data.num_rows:,} rows in {size:,} bytes", hint="write it again")
    for number in range(data.num_row_groups):
        # Of the row group as a whole: pyarrow ends the process where the figures of a single column are broken.
        group = data.row_group(number)
        need = group.total_byte_size * min(wanted / max(group.num_columns, 1), 1.0)
        if need > LARGEST_GROUP:
            raise InputError(
                f"{path}: row group {number + 1} unpacks to {need / 2**30:.1f} GB, more than {LARGEST_GROUP >> 30} GB",
                hint="write it in smaller row groups, of a million rows or so",
            )


def _row_place(path: Path, first: int, row: int) -> str:
    return f"{path} row {first + row + 1}"
