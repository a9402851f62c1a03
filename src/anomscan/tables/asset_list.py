"""Read who the assets are from a CSV file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from anomscan.config import AssetColumns
from anomscan.errors import InputError
from anomscan.tables.columns import check_columns
from anomscan.tables.dialects import Dialect, cleaned
from anomscan.tables.sniffing import Sought, sniffed
from anomscan.telemetry.cadence import parse_instant
from anomscan.telemetry.cohorts import PREFIX

#: Columns that hold a date or an instant.
_TIMES = ("commissioned", "retired")


def read_asset_list(path: Path, columns: AssetColumns) -> dict[str, dict[str, str]]:
    """Asset -> what is said of it, by the names of the settings (``cohort``, ``name``, ...); empty cells are left out.

    Raises
    ------
    InputError
        The file cannot be read, lacks a column, names an asset twice, or has a date that is none.
    """
    wanted = {name: column for name, column in columns.model_dump().items() if column is not None}
    names = list(dict.fromkeys(wanted.values()))
    dialect = sniffed(path, Dialect(), Sought(names, names[0], ()))
    with cleaned(path, dialect) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=dialect.delimiter or ",")
        try:
            header = [name.strip() for name in next(reader, [])]
            check_columns(names, header, str(path))
            places = {name: header.index(column) for name, column in wanted.items()}
            found: dict[str, dict[str, str]] = {}
            for row in reader:
                cells = {
                    name: row[place].strip()
                    for name, place in places.items()
                    if place < len(row) and row[place].strip()
                }
                asset = cells.pop("asset", "")
                if asset:
                    _check(path, reader.line_num, asset, cells, found)
                    found[asset] = cells
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read as CSV: {error}") from None
    if not found:
        raise InputError(f"{path} names no asset", hint="it needs a row for each, under a header")
    return found


def _check(path: Path, line: int, asset: str, cells: dict[str, str], found: dict[str, dict[str, str]]) -> None:
    place = f"{path}, line {line}"
    if asset.startswith(PREFIX):
        raise InputError(f"{place}: an asset cannot be called '{asset}': so are the records of cohorts")
    if asset in found:
        raise InputError(f"{place}: asset '{asset}' is there twice", hint="an asset has one row")
    for name in _TIMES:
        if name in cells:
            try:
                parse_instant(cells[name])
            except ValueError:
                raise InputError(f"{place}: '{cells[name]}' is not a date", hint="write it as 2024-01-31") from None
