"""A CSV row by row, by Python's parser: its header, the lines of rows, and rows of other widths."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomscan.errors import InputError
from anomscan.memory import rows_at_a_time
from anomscan.tables.columns import Piece
from anomscan.tables.dialects import Dialect, cleaned
from anomscan.tables.salvage import Reject
from anomscan.telemetry import arrow

_ODD_ROWS = 16 << 10
#: What loggers and editors leave at the end of a file.
_NOTHING = " \t\0\x1a"


@contextmanager
def _text(path: Path, dialect: Dialect) -> Iterator[io.TextIOWrapper]:
    with cleaned(path, dialect) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
        yield text


def header_of(path: Path, dialect: Dialect) -> list[str]:
    """The names in the header, as they are written.

    Raises
    ------
    InputError
        If there is none.
    """
    with _text(path, dialect) as text:
        try:
            header = next((row for row in csv.reader(text, delimiter=dialect.delimiter or ",") if row), None)
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path} is not CSV in UTF-8: {error}", hint="set encoding") from None
    if header is None:
        raise InputError(f"{path} is empty")
    return header


def check_quotes(path: Path, dialect: Dialect) -> None:
    """Name the line in which a quoted field begins that does not end, or that is not UTF-8, if there is one.

    Raises
    ------
    InputError
        Naming it.
    """
    with _text(path, dialect) as text:
        reader = csv.reader(text, delimiter=dialect.delimiter or ",", strict=True)
        line = 1
        try:
            for _ in reader:
                line = reader.line_num + 1
        except csv.Error as error:
            raise InputError(
                f"{path} line {line}: {error}", hint="a quoted field does not end; the file is cut off there, or broken"
            ) from None
        except UnicodeDecodeError:
            raise InputError(
                f"{path} is not UTF-8 text, somewhere after line {line}", hint='set encoding, as "cp1252"'
            ) from None


def odd_rows(
    path: Path, dialect: Dialect, header: list[str], wanted: list[str], *, whole: bool
) -> Iterator[Piece | Reject]:
    """The rows with other numbers of fields than the header.

    Parameters
    ----------
    whole
        Whether the last line ends.

    Raises
    ------
    InputError
        Where the file is cut off.
    """
    width, places = len(header), [header.index(name) for name in wanted]
    usable: list[list[str]] = []
    lines: list[int] = []
    most = rows_at_a_time(_ODD_ROWS, len(wanted))
    for line, row, last in _numbered(path, dialect):
        if len(row) == width or not any(cell.strip(_NOTHING) for cell in row):
            continue
        fault = f"{path} line {line}: the header has {width} fields, here are {len(row)}"
        if last and not whole and len(row) < width:
            raise InputError(fault, hint="the file is cut off there, or broken")
        if len(row) > max(places) and not any(cell.strip() for cell in row[width:]):
            usable.append([row[place] for place in places])
            lines.append(line)
        else:
            texts = [row[place] if place < len(row) else None for place in places]
            yield Reject(fault, dict(zip(wanted, texts, strict=True)))
        if len(usable) == most:
            yield _odd_piece(path, dialect, wanted, usable, lines)
            usable, lines = [], []
    if usable:
        yield _odd_piece(path, dialect, wanted, usable, lines)


def _odd_piece(path: Path, dialect: Dialect, wanted: list[str], rows: list[list[str]], lines: list[int]) -> Piece:
    columns = [arrow.to_texts(column) for column in zip(*rows, strict=True)]
    batch = pa.RecordBatch.from_arrays(columns, names=wanted)
    return Piece(batch, lambda row: f"{path} line {lines[row]}", signs=dialect.signs)


def _numbered(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str], bool]]:
    """The rows that are not empty, the header among them, with their lines, and whether they are the last."""
    with _text(path, dialect) as text, suppress(csv.Error, UnicodeDecodeError):
        reader = csv.reader(text, delimiter=dialect.delimiter or ",")
        held: tuple[int, list[str]] | None = None
        line = 1
        for row in reader:
            if row:
                if held is not None:
                    yield *held, False
                held = line, row
            line = reader.line_num + 1
        if held is not None:
            yield *held, True


class Lines:
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
        width = None
        for line, row, _ in _numbered(self._path, self._dialect):
            width = len(row) if width is None else width
            if len(row) == width:
                yield line
