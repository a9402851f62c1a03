"""Read a sheet of an Excel workbook, by calamine; the extra ``excel``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from anomscan.config import Columns
from anomscan.errors import InputError, MissingExtraError
from anomscan.tables.columns import Piece, check_columns, from_objects, needed
from anomscan.tables.dialects import USUAL, Dialect
from anomscan.tables.sniffing import PREAMBLE, ROWS, Sought, with_signs
from anomscan.telemetry import arrow

_BATCH_ROWS = 16 << 10
_EPOCH = datetime(1899, 12, 30)
#: The end of the year 9999 in Excel's days.
_LAST_DAY = 2_958_466

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
            rows = islice(_rows(book, path, name), PREAMBLE + ROWS)
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


def read_excel(path: Path, columns: Columns, notices: list[str], dialect: Dialect = USUAL) -> Iterator[Piece]:
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
        while part := list(islice(table, _BATCH_ROWS)):
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
                    yield from_objects(values, columns, partial(_place, path, lines))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import python_calamine as calamine
    except ImportError:
        raise MissingExtraError("reading Excel files", "excel") from None
    try:
        # An error of the operating system has no number in calamine's words.
        path.open("rb").close()
        with calamine.CalamineWorkbook.from_path(str(path)) as book:
            yield book
    except calamine.PasswordError:
        raise InputError(f"{path} is locked with a password", hint="save it without") from None
    except calamine.CalamineError as error:
        hint = 'if it is text under that name, set format = "csv"'
        raise InputError(f"{path} is not a whole workbook, cut off or broken: {error}", hint=hint) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


def _rows(book: Any, path: Path, sheet: str) -> Iterator[tuple[int, _Cells]]:
    """The rows of a sheet and their numbers, from 1."""
    if sheet not in book.sheet_names:
        raise InputError(f"{path} has no sheet '{sheet}'", hint=f"it has: {', '.join(book.sheet_names)}")
    yield from enumerate(book.get_sheet_by_name(sheet).iter_rows(), 1)


def _table(book: Any, path: Path, dialect: Dialect) -> Iterator[tuple[int, _Cells]]:
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
    """The text in cells, and a digit for what is no text."""
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
