"""Read a sheet of an Excel workbook, by calamine in a process of its own; the extra ``excel``."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

from anomscan.config import Columns
from anomscan.errors import InputError, MissingExtraError
from anomscan.memory import free_bytes, rows_at_a_time
from anomscan.storage.untrusted import check_regular
from anomscan.tables.columns import Piece, check_columns, needed
from anomscan.tables.dialects import USUAL, Dialect
from anomscan.tables.salvage import Reject, pieces_of
from anomscan.tables.sniffing import PREAMBLE, ROWS, Sought, with_signs
from anomscan.telemetry import arrow

_BATCH_ROWS = 16 << 10
_EPOCH = datetime(1899, 12, 30)
#: The end of the year 9999 in Excel's days.
_LAST_DAY = 2_958_466

#: The most memory that a workbook may take to read.
LARGEST_BOOK = 4 << 30
#: Beyond so many bytes it may not be more than so many times as large as it is packed.
_SURELY, _WELL_PACKED = 256 << 20, 200

_Cells = list[Any]


def sniffed(path: Path, said: Dialect, sought: Sought) -> Dialect:
    """Where the table is: the first sheet, and in it the first row, that has all names that are sought.

    Raises
    ------
    InputError
        The workbook cannot be read, or has no such sheet.
    """
    with _opened(path) as book:
        found: Dialect | None = None
        others = []
        for name in book.sheet_names if said.sheet is None else [said.sheet]:
            rows = iter(list(_rows(book, path, name, PREAMBLE + ROWS)))
            number, header = _header_in(rows, said, sought)
            if header is not None and found is not None:
                others.append(name)
            elif header is not None:
                sheet = name if len(book.sheet_names) > 1 else None
                found = replace(said, sheet=said.sheet or sheet, header_line=number)
                found = with_signs(found, said, sought, header, [_words(cells) for _, cells in rows])
        return said if found is None else replace(found, other_sheets=tuple(others))


def _header_in(rows: Iterator[tuple[int, _Cells]], said: Dialect, sought: Sought) -> tuple[int, list[str] | None]:
    """The first row that has all names, and its number; None where there is none."""
    for number, cells in rows:
        header = _texts(cells)
        if number <= PREAMBLE and number not in said.skip_rows and set(sought.names) <= set(header):
            return number, header
    return 0, None


def columns_in(path: Path, dialect: Dialect = USUAL) -> list[str]:
    """The names in the header.

    Raises
    ------
    InputError
        The workbook cannot be read, or its sheet is empty.
    """
    with _opened(path) as book:
        return _header(_table(book, path, dialect), path)


def read_excel(path: Path, columns: Columns, notices: list[str], dialect: Dialect = USUAL) -> Iterator[Piece | Reject]:
    """One sheet with a header; numbers in the column of timestamps are Excel's days.

    Raises
    ------
    InputError
        Naming the file.
    """
    wanted = needed(columns)
    with _opened(path) as book:
        table = _table(book, path, dialect)
        header = _header(table, path)
        check_columns(wanted, header, str(path))
        places = [header.index(name) for name in wanted]
        at = wanted.index(columns.timestamp)
        if dialect.units_row:
            next(table, None)
        rows_a_piece = rows_at_a_time(_BATCH_ROWS, len(wanted))
        while part := list(islice(table, rows_a_piece)):
            # Timestamps that are text, and those that are dates of Excel's.
            told: tuple[list[_Cells], list[_Cells]] = ([], [])
            numbers: tuple[list[int], list[int]] = ([], [])
            for number, cells in part:
                row = [_object(cells[place]) for place in places]
                if all(cell is None for cell in row) or row == wanted:
                    continue
                row[at] = _moment(row[at])
                told[isinstance(row[at], str)].append(row)
                numbers[isinstance(row[at], str)].append(number)
            for rows, lines in zip(told, numbers, strict=True):
                if rows:
                    values = dict(zip(wanted, map(list, zip(*rows, strict=True)), strict=True))
                    for name in columns.values:
                        values[name] = _plain_signs(values[name], dialect)
                    yield from pieces_of(values, columns, partial(_place, path, lines))


def sheets_of(path: Path, most: int, sheet: str | None = None) -> dict[str, list[_Cells]]:
    """The first rows of each sheet, or of one, as their cells.

    Raises
    ------
    InputError
        The workbook cannot be read, or has no such sheet.
    """
    with _opened(path) as book:
        names = book.sheet_names if sheet is None else [sheet]
        return {name: [cells for _, cells in _rows(book, path, name, most)] for name in names}


@dataclass(frozen=True, slots=True)
class _Book:
    """A workbook that another process reads.

    Parameters
    ----------
    path
        Of the file.
    asked, told
        Its stdin and stdout; see :mod:`anomscan.tables.excel_process`.
    sheet_names
        The names of its sheets.
    """

    path: Path
    asked: IO[bytes]
    told: IO[bytes]
    sheet_names: list[str]

    def rows(self, sheet: str, most: int | None) -> Iterator[_Cells]:
        """The rows of a sheet; of one sheet at a time, to the end.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        with suppress(BrokenPipeError):  # why it ended is found out below
            self.asked.write(json.dumps([sheet, most]).encode() + b"\n")
            self.asked.flush()
        while part := _heard(self.path, self.told):
            yield from part


@contextmanager
def _opened(path: Path) -> Iterator[_Book]:
    if importlib.util.find_spec("python_calamine") is None:
        raise MissingExtraError("reading Excel files", "excel")
    try:
        check_regular(path)
        path.open("rb").close()
        _check_size(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    free = free_bytes()
    most = LARGEST_BOOK if free is None else min(LARGEST_BOOK, free)
    # -P: nothing in the working folder, or beside that script, takes the place of a module.
    script = Path(__file__).with_name("excel_process.py")
    process = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-P", str(script), os.fspath(path), str(most)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        asked, told = process.stdin, process.stdout
        assert asked is not None and told is not None  # noqa: S101, PT018 - they are pipes
        yield _Book(path, asked, told, _heard(path, told))
    finally:
        process.kill()
        for stream in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]
        process.wait()


def _check_size(path: Path) -> None:
    """Refuse a workbook before it takes more memory than it may; whether it is one at all is found out later."""
    with suppress(zipfile.BadZipFile, ValueError, NotImplementedError), zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
        if size > max(_SURELY, _WELL_PACKED * path.stat().st_size):
            raise InputError(f"{path} unpacks to more than {_WELL_PACKED} times its size", hint="save it as CSV")


def _heard(path: Path, told: IO[bytes]) -> Any:
    """What the other process says next.

    Raises
    ------
    InputError
        If that is an error, or nothing.
    """
    try:
        heard = pickle.load(told)  # noqa: S301 - written by our own script
    except (EOFError, pickle.UnpicklingError):  # it was ended, in the middle of it or not
        heard = "memory"
    if heard == "password":
        raise InputError(f"{path} is locked with a password", hint="save it without")
    if heard == "memory":
        raise InputError(
            f"{path} takes more memory to read than there is, or more than {LARGEST_BOOK >> 30} GB",
            hint="a cell far from the others may be filled; clear it, or save the sheet as CSV",
        )
    if isinstance(heard, str):
        hint = 'if it is text under that name, set format = "csv"'
        raise InputError(f"{path} is not a whole workbook, cut off or {heard}", hint=hint)
    return heard


def _rows(book: _Book, path: Path, sheet: str, most: int | None = None) -> Iterator[tuple[int, _Cells]]:
    """The rows of a sheet and their numbers, from 1."""
    if sheet not in book.sheet_names:
        raise InputError(f"{path} has no sheet '{sheet}'", hint=f"it has: {', '.join(book.sheet_names)}")
    yield from enumerate(book.rows(sheet, most), 1)


def _table(book: _Book, path: Path, dialect: Dialect) -> Iterator[tuple[int, _Cells]]:
    """The rows from the header on, without those that are to be left out."""
    if not book.sheet_names:
        raise InputError(f"{path} has no sheet")
    for number, cells in _rows(book, path, dialect.sheet or book.sheet_names[0]):
        comment = dialect.comment is not None and cells and str(cells[0]).startswith(dialect.comment)
        if number >= dialect.header_line and number not in dialect.skip_rows and not comment:
            yield number, cells


def _header(table: Iterator[tuple[int, _Cells]], path: Path) -> list[str]:
    header = next((header for _, cells in table if any(header := _texts(cells))), None)
    if header is None:
        raise InputError(f"{path} is empty")
    return header


def _texts(cells: _Cells) -> list[str]:
    return [str(cell).strip() for cell in cells]


def _words(cells: _Cells) -> list[str]:
    """The text in cells, and a digit for what is not text."""
    return [cell.strip() if isinstance(cell, str) else "0" for cell in cells]


def _object(cell: Any) -> Any:
    """A cell as others give it: nothing for an empty one or an error, whole numbers without a fraction."""
    if isinstance(cell, str):
        return cell.strip() or None
    if isinstance(cell, bool) or not isinstance(cell, (int, float, date)):
        return str(cell)
    return int(cell) if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15 else cell


def _moment(cell: Any) -> Any:
    """Excel's days as a moment, to the millisecond, as finely as they are told."""
    if isinstance(cell, (int, float)) and 0 < cell < _LAST_DAY:
        with suppress(OverflowError):  # the last half of the last millisecond
            return _EPOCH + timedelta(milliseconds=round(cell * 86_400_000))
    return cell


def _plain_signs(cells: _Cells, dialect: Dialect) -> _Cells:
    """Numbers that stand there as text without the signs of another country."""
    texts = [cell for cell in cells if isinstance(cell, str)]
    if not texts or dialect.signs is None:
        return cells
    plain = iter(dialect.signs(arrow.to_texts(texts)).to_pylist())
    return [next(plain) if isinstance(cell, str) else cell for cell in cells]


def _place(path: Path, numbers: Sequence[int], row: int) -> str:
    return f"{path} row {numbers[row]}"
