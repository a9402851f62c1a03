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
        rows = 0
        for batch in file.iter_batches(
            min(_BATCH_ROWS, _BATCH_CELLS // len(wanted)), columns=wanted, use_threads=False
        ):
            yield Piece(batch.select(wanted), partial(_row_place, path, rows))
            rows += len(batch)


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty")
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise InputError(f"{path} cannot be read: {os.strerror(error.errno)}") from None
        raise InputError(f"{path} is not whole Parquet, cut off or broken: {error}") from None


def _row_place(path: Path, first: int, row: int) -> str:
    return f"{path} row {first + row + 1}"
