"""Readers of one file each: CSV, Parquet and JSON lines, in bounded pieces.

A reader takes the path, the columns of the settings and a list for its notices, and yields the file's rows. It refuses
a file without the columns, cut off or otherwise broken; a file with no row at all it leaves to the caller.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.sources.columns import Piece, check_columns, from_objects, needed

_BLOCK_BYTES = 1 << 20  # Arrow reads some thirty blocks ahead
_BATCH_ROWS = 64 << 10
_JSON_ROWS = 16 << 10

_Bytes = io.BufferedReader | gzip.GzipFile
Reader = Callable[[Path, Columns, list[str]], Iterator[Piece]]


def read_csv(path: Path, columns: Columns, notices: list[str]) -> Iterator[Piece]:
    """CSV with a header, UTF-8, fields between commas, quoted with ``"`` where needed; ``.gz`` is unpacked.

    Every field is read as text, so ids keep their zeros.

    Raises
    ------
    InputError
        Naming the file, and the line where there is one.
    """
    header = _header(path)
    wanted = needed(columns)
    check_columns(wanted, header, str(path))
    with _opened(path) as raw:
        stream = _Watched(raw)
        rows = 0
        try:
            for batch in pacsv.open_csv(
                pa.PythonFile(stream, mode="r"),
                # Without threads the memory is one block, and the order that of the file.
                read_options=pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                parse_options=pacsv.ParseOptions(newlines_in_values=True),
                convert_options=pacsv.ConvertOptions(
                    include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False
                ),
            ):
                yield Piece(batch, partial(_csv_place, path, rows))
                rows += len(batch)
        except pa.ArrowInvalid as error:
            _check_lines(path, len(header))
            raise InputError(f"{path} cannot be read as CSV: {error}") from None
    # A quote that nobody closed swallows the lines after it, without a word from the parser.
    if stream.quotes and (stream.quotes % 2 or stream.newlines > rows + 1):
        _check_lines(path, len(header))
    if rows and stream.last not in (b"\n", b"\r", b'"'):
        notices.append(f"{path} does not end with a newline: if it was cut off, its last field is too short")


def read_parquet(path: Path, columns: Columns, notices: list[str]) -> Iterator[Piece]:
    """Parquet, a batch of rows at a time.

    Raises
    ------
    InputError
        Naming the file.
    """
    wanted = needed(columns)
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty")
        with pq.ParquetFile(path) as file:
            check_columns(wanted, file.schema_arrow.names, str(path))
            rows = 0
            for batch in file.iter_batches(_BATCH_ROWS, columns=wanted, use_threads=False):
                yield Piece(batch.select(wanted), partial(_row_place, path, rows))
                rows += len(batch)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise InputError(f"{path} cannot be read: {os.strerror(error.errno)}") from None
        raise InputError(f"{path} is not whole Parquet, cut off or broken: {error}") from None


def read_jsonl(path: Path, columns: Columns, notices: list[str]) -> Iterator[Piece]:
    """One JSON object a line, UTF-8; a value or health whose key is absent is empty; ``.gz`` is unpacked.

    Raises
    ------
    InputError
        Naming the file and the line.
    """
    wanted = needed(columns)
    always = [name for name in (columns.asset, columns.timestamp) if name is not None]
    unseen = set(wanted)
    keys: dict[str, None] = {}
    objects: list[dict[str, Any]] = []
    numbers: list[int] = []
    number = 0

    def piece(objects: list[dict[str, Any]], numbers: list[int]) -> Piece:
        values = {name: [row.get(name) for row in objects] for name in wanted}
        return from_objects(values, columns, partial(_line_place, path, numbers))

    with _opened(path) as raw:
        for number, line in enumerate(raw, 1):
            if not line.strip():
                continue
            row = _json_object(line, path, number)
            if unseen:
                keys.update(dict.fromkeys(row))
                unseen.difference_update(row)
                if not objects:
                    check_columns(always, list(keys), f"{path} line {number}")
            objects.append(row)
            numbers.append(number)
            if len(objects) == _JSON_ROWS:
                yield piece(objects, numbers)
                objects, numbers = [], []
    if number == 0:
        raise InputError(f"{path} is empty")
    if objects:
        yield piece(objects, numbers)
    if keys:
        check_columns(wanted, list(keys), str(path))


READERS: dict[str, Reader] = {"csv": read_csv, "parquet": read_parquet, "jsonl": read_jsonl}


class _Watched(io.RawIOBase):
    """A stream that remembers what passed through it."""

    def __init__(self, stream: _Bytes) -> None:
        self._stream = stream
        self.last = b""
        self.newlines = 0
        self.quotes = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.newlines += block.count(b"\n")
        self.quotes += block.count(b'"')
        self.last = block[-1:] or self.last
        return block


@contextmanager
def _opened(path: Path) -> Iterator[_Bytes]:
    """The file's bytes, unpacked where it is named ``.gz``; what is wrong with it becomes an InputError."""
    packed = path.suffix.lower() == ".gz"
    try:
        with path.open("rb") as raw, gzip.open(raw) if packed else nullcontext(raw) as stream:
            yield stream
    except EOFError:
        raise InputError(f"{path} is cut off: its gzip stream has no end") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is not whole gzip: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {os.strerror(error.errno) if error.errno else error}") from None


@contextmanager
def _text(path: Path) -> Iterator[io.TextIOWrapper]:
    with _opened(path) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
        yield text


def _header(path: Path) -> list[str]:
    with _text(path) as text:
        try:
            header = next((row for row in csv.reader(text) if row), None)
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path} is not CSV in UTF-8: {error}") from None
    if header is None:
        raise InputError(f"{path} is empty")
    return header


def _check_lines(path: Path, width: int) -> None:
    """Read a CSV again, slowly, to name the line that is broken, if one is."""
    with _text(path) as text:
        reader = csv.reader(text, strict=True)
        line = 1
        try:
            for row in reader:
                if row and len(row) != width:
                    raise InputError(
                        f"{path} line {line}: the header has {width} fields, here are {len(row)}",
                        hint="the file is cut off there, or broken",
                    )
                line = reader.line_num + 1
        except csv.Error as error:
            raise InputError(
                f"{path} line {line}: {error}", hint="a quoted field does not end; the file is cut off there, or broken"
            ) from None
        except UnicodeDecodeError:
            raise InputError(f"{path} is not UTF-8 text, somewhere after line {line}") from None


def _csv_place(path: Path, first: int, row: int) -> str:
    """Where a row stands, by reading the file again: rows may span lines, and lines may be blank."""
    with _text(path) as text:
        reader = csv.reader(text)
        line, left = 1, first + row + 1
        try:
            for fields in reader:
                if fields:
                    if left == 0:
                        return f"{path} line {line}"
                    left -= 1
                line = reader.line_num + 1
        except (csv.Error, UnicodeDecodeError):
            return f"{path} row {first + row + 1}"
    return f"{path} row {first + row + 1}"


def _row_place(path: Path, first: int, row: int) -> str:
    return f"{path} row {first + row + 1}"


def _line_place(path: Path, numbers: list[int], row: int) -> str:
    return f"{path} line {numbers[row]}"


def _json_object(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        row = json.loads(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(row, ensure_ascii=False).encode()  # half a surrogate pair is an escape, but no text
    except UnicodeError:
        raise InputError(f"{path} line {number} is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} line {number} is not JSON: {error}", hint="the file is cut off there, or broken"
        ) from None
    if not isinstance(row, dict):
        raise InputError(f"{path} line {number} is not a JSON object")
    return row
