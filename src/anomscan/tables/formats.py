"""The one table of file formats: how a file is named, and what reads it. A new format is a module and a line here."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Protocol

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.tables.columns import Piece
from anomscan.tables.dialects import Dialect
from anomscan.tables.opening import PACKED, member_name, unpacked_name
from anomscan.tables.salvage import Reject
from anomscan.tables.sniffing import Sought

#: Format -> the module that has ``columns_in``, and its function that reads; imported only when a file is read.
_READERS = {
    "csv": ("anomscan.tables.csv_files", "read_csv"),
    "parquet": ("anomscan.tables.parquet_files", "read_parquet"),
    "jsonl": ("anomscan.tables.json_lines", "read_jsonl"),
    "json": ("anomscan.tables.json_files", "read_json"),
    "excel": ("anomscan.tables.excel_files", "read_excel"),
}
#: Format -> the module that has ``sniffed``, where files are written in more than one way.
_SNIFFERS = {"csv": "anomscan.tables.sniffing", "excel": "anomscan.tables.excel_files"}

#: Extension -> format; those of ``_PACKABLE`` may be followed by one of ``PACKED``.
EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
}
_PACKABLE = ("csv", "jsonl", "json")


class Reader(Protocol):
    """Reads a file of one format."""

    def __call__(
        self, path: Path, columns: Columns, notices: list[str], dialect: Dialect = ...
    ) -> Iterator[Piece | Reject]:
        """Yield the rows of a file in bounded pieces, and rejects; a file without a row is not refused.

        Parameters
        ----------
        path
            Of the file.
        columns
            The columns to read.
        notices
            Grows by what the user should hear of although the file was read.
        dialect
            How it is written, if it is CSV or a workbook.

        Raises
        ------
        InputError
            If the file lacks a column, is cut off or otherwise broken, naming it, and the line where there is one.
        """


def reader(kind: str) -> Reader:
    """What reads a format, one of the table's."""
    module, name = _READERS[kind]
    found: Reader = getattr(import_module(module), name)
    return found


def sniffed(kind: str, path: Path, said: Dialect, sought: Sought) -> Dialect:
    """How a file is written: as it was said, the rest found out, see :func:`anomscan.tables.sniffing.sniffed`.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    if kind not in _SNIFFERS:
        return said
    found: Dialect = import_module(_SNIFFERS[kind]).sniffed(path, said, sought)
    return found


def columns_in(kind: str, path: Path, dialect: Dialect) -> list[str]:
    """The names of the columns of a file in one of the table's formats.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    found: list[str] = import_module(_READERS[kind][0]).columns_in(path, dialect)
    return found


def format_of(path: Path) -> str | None:
    """The format that a file's name tells, None where it tells none."""
    name = unpacked_name(path).lower()
    kind = next((kind for ending, kind in EXTENSIONS.items() if name.endswith(ending)), None)
    return None if kind not in _PACKABLE and path.suffix.lower() in PACKED else kind


def known_format(path: Path) -> str:
    """The format that a file's name tells, or the name of the one file in a ``.zip``.

    Raises
    ------
    InputError
        If it tells none.
    """
    kind = format_of(path)
    if kind is None and path.suffix.lower() == ".zip":
        inside = format_of(Path(member_name(path)))
        kind = inside if inside in _PACKABLE else None
    if kind is None:
        raise InputError(
            f"the format of {path} cannot be told from its name",
            hint=f"set format to one of {', '.join(_READERS)}, or end its name in one of {', '.join(EXTENSIONS)}",
        )
    return kind
