"""Read a CSV in bounded pieces."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.tables.columns import Piece, check_columns, needed
from anomscan.tables.dialects import USUAL, Dialect, cleaned
from anomscan.tables.opening import Stream
from anomscan.telemetry import arrow

_BLOCK_BYTES = 1 << 20  # Arrow reads some thirty blocks ahead


def columns_in(path: Path, dialect: Dialect = USUAL) -> list[str]:
    """The names in the header, without the blanks around them.

    Raises
    ------
    InputError
        If there is none.
    """
    return [name.strip() for name in _header(path, dialect)]


def read_csv(path: Path, columns: Columns, notices: list[str], dialect: Dialect = USUAL) -> Iterator[Piece]:
    """CSV with a header, fields quoted with ``"`` where needed; ``.gz`` is unpacked.

    Every field is read as text, so ids keep their zeros. Rows whose wanted fields are all empty, and repeated headers,
    are left out.

    Raises
    ------
    InputError
        Naming the file, and the line where there is one.
    """
    import pyarrow.csv as pacsv

    wanted = needed(columns)
    written = _header(path, dialect)
    # A header may have blanks around its names.
    header = written if set(wanted) <= set(written) else [name.strip() for name in written]
    check_columns(wanted, header, str(path))
    names = [written[header.index(name)] for name in wanted]
    signs = dialect.numbers if dialect.decimal == "," or dialect.thousands else None
    lines = _Lines(path, dialect)
    with cleaned(path, dialect) as raw:
        stream = _Watched(raw)
        rows = 0
        try:
            for batch in pacsv.open_csv(
                pa.PythonFile(stream, mode="r"),
                # Without threads the memory is one block, and the order that of the file.
                read_options=pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                parse_options=pacsv.ParseOptions(delimiter=dialect.delimiter or ",", newlines_in_values=True),
                convert_options=pacsv.ConvertOptions(
                    include_columns=names, column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            ):
                first = rows
                rows += len(batch)
                batch = pa.RecordBatch.from_arrays(batch.columns, names=wanted)
                idle = _no_rows(batch)
                if dialect.units_row and first == 0 and len(batch):
                    idle = np.union1d(idle, [0])
                if len(idle):
                    kept = np.delete(np.arange(len(batch)), idle)
                    batch = batch.take(arrow.to_numbers(kept, pa.int64()))
                    yield Piece(batch, partial(lines.kept_place, first, kept), signs=signs)
                else:
                    yield Piece(batch, partial(lines.place, first), signs=signs)
        except pa.ArrowInvalid as error:
            _check_lines(path, dialect, len(header))
            raise InputError(f"{path} cannot be read as CSV: {error}") from None
    # A quote that nobody closed swallows the lines after it, without a word from the parser.
    if stream.quotes and (stream.quotes % 2 or stream.newlines > rows + 1):
        _check_lines(path, dialect, len(header))
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


def _no_rows(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """The places of rows that are empty in all columns, or repeat the header."""
    places = []
    for texts in (dict.fromkeys(batch.schema.names, ""), {name: name for name in batch.schema.names}):
        flags = np.ones(len(batch), bool)
        for name, text in texts.items():
            alike = pc.equal(batch[name], arrow.to_texts([text])[0])
            if not pc.any(alike).as_py():
                break
            flags &= arrow.flags(alike)
        else:
            places.append(np.flatnonzero(flags))
    return np.unique(np.concatenate(places)) if places else np.zeros(0, np.int64)


@contextmanager
def _text(path: Path, dialect: Dialect) -> Iterator[io.TextIOWrapper]:
    with cleaned(path, dialect) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
        yield text


def _header(path: Path, dialect: Dialect) -> list[str]:
    with _text(path, dialect) as text:
        try:
            header = next((row for row in csv.reader(text, delimiter=dialect.delimiter or ",") if row), None)
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path} is not CSV in UTF-8: {error}", hint="set encoding") from None
    if header is None:
        raise InputError(f"{path} is empty")
    return header


def _check_lines(path: Path, dialect: Dialect, width: int) -> None:
    """Read a CSV again, slowly, to name the line that is broken, if one is."""
    with _text(path, dialect) as text:
        reader = csv.reader(text, delimiter=dialect.delimiter or ",", strict=True)
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


class _Lines:
    """Tells in which lines rows stand, by reading the file again: rows may span lines, and lines may be blank.

    Rows are asked for about in their order, so that one reading is enough; only lines of the last piece are held.
    """

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self._path = path
        self._dialect = dialect
        self._starts = self._read()
        self._lines = array("q")
        self._before = 0  # so many rows were read and are held no longer

    def place(self, first: int, row: int) -> str:
        """Where a row of the piece stands whose first is the file's row ``first``."""
        if first < self._before:
            self._starts, self._lines, self._before = self._read(), array("q"), 0
        wanted = first + row + 1  # the header is the first
        if (ahead := first - self._before - len(self._lines)) > 0:
            self._lines = array("q")
            next(islice(self._starts, ahead, ahead), None)
        else:
            del self._lines[: first - self._before]
        self._before = first
        missing = wanted + 1 - first - len(self._lines)
        self._lines.extend(islice(self._starts, max(missing, 0)))
        if len(self._lines) <= wanted - first:
            return f"{self._path} row {wanted}"
        return f"{self._path} line {self._lines[wanted - first]}"

    def kept_place(self, first: int, kept: NDArray[np.int64], row: int) -> str:
        """The same, for a piece of which only some rows are kept."""
        return self.place(first, int(kept[row]))

    def _read(self) -> Iterator[int]:
        with _text(self._path, self._dialect) as text, suppress(csv.Error, UnicodeDecodeError):
            reader = csv.reader(text, delimiter=self._dialect.delimiter or ",")
            line = 1
            for fields in reader:
                if fields:
                    yield line
                line = reader.line_num + 1
