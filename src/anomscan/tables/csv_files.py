"""Read a CSV in bounded pieces."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.tables.columns import Piece, check_columns, needed
from anomscan.tables.opening import Stream, opened

_BLOCK_BYTES = 1 << 20  # Arrow reads some thirty blocks ahead


def read_csv(path: Path, columns: Columns, notices: list[str]) -> Iterator[Piece]:
    """CSV with a header, UTF-8, fields between commas, quoted with ``"`` where needed; ``.gz`` is unpacked.

    Every field is read as text, so ids keep their zeros.

    Raises
    ------
    InputError
        Naming the file, and the line where there is one.
    """
    import pyarrow.csv as pacsv

    header = _header(path)
    wanted = needed(columns)
    check_columns(wanted, header, str(path))
    with opened(path) as raw:
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


class _Watched(io.RawIOBase):
    """A stream that remembers what passed through it."""

    def __init__(self, stream: Stream) -> None:
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
def _text(path: Path) -> Iterator[io.TextIOWrapper]:
    with opened(path) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
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
