"""Who the assets are: from a CSV file, or from any rows of text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from anomscan.config import AssetColumns
from anomscan.errors import InputError
from anomscan.tables.columns import check_columns
from anomscan.tables.dialects import Dialect, cleaned
from anomscan.tables.sniffing import Sought, sniffed
from anomscan.telemetry.cadence import parse_instant
from anomscan.telemetry.names import PREFIX

#: Columns that hold a date or an instant.
_TIMES = ("commissioned", "retired")


def read_asset_list(path: Path, columns: AssetColumns) -> dict[str, dict[str, str]]:
    """Asset -> what is said of it, by the names of the settings (``cohort``, ``name``, ...); empty cells are left out.

    Raises
    ------
    InputError
        The file cannot be read, lacks a column, names an asset twice, or has an invalid date.
    """
    wanted = columns_of(columns)
    names = list(dict.fromkeys(wanted.values()))
    dialect = sniffed(path, Dialect(), Sought(names, names[0], ()))
    with cleaned(path, dialect) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=dialect.delimiter or ",")
        try:
            header = [name.strip() for name in next(reader, [])]
            check_columns(names, header, str(path))
            places = {name: header.index(column) for name, column in wanted.items()}
            cells = (
                (f"{path}, line {reader.line_num}", {name: row[at] for name, at in places.items() if at < len(row)})
                for row in reader
            )
            return assets_of(cells, str(path))
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read as CSV: {error}") from None


def columns_of(columns: AssetColumns) -> dict[str, str]:
    """What is said of an asset -> the column that says it."""
    return {name: column for name, column in columns.model_dump().items() if column is not None}


def assets_of(rows: Iterable[tuple[str, Mapping[str, str]]], thing: str) -> dict[str, dict[str, str]]:
    """Asset -> what is said of it, by the names of the settings (``cohort``, ``name``, ...); empty cells are left out.

    Parameters
    ----------
    rows
        Of each row what errors call it, and its cells, among them ``asset``.
    thing
        What errors call all of them.

    Raises
    ------
    InputError
        An asset is there twice, or has a name that cohorts have; an invalid date; no asset at all.
    """
    found: dict[str, dict[str, str]] = {}
    for place, row in rows:
        cells = {name: text.strip() for name, text in row.items() if text.strip()}
        asset = cells.pop("asset", "")
        if asset:
            _check(place, asset, cells, found)
            found[asset] = cells
    if not found:
        raise InputError(f"{thing} names no asset", hint="it needs a row for each")
    return found


def _check(place: str, asset: str, cells: Mapping[str, str], found: Mapping[str, object]) -> None:
    if asset.startswith(PREFIX):
        raise InputError(f"{place}: an asset cannot be called '{asset}': records of cohorts have such names")
    if asset in found:
        raise InputError(f"{place}: asset '{asset}' appears twice", hint="an asset has one row")
    for name in _TIMES:
        if name in cells:
            try:
                parse_instant(cells[name])
            except ValueError:
                raise InputError(f"{place}: '{cells[name]}' is not a date", hint="write it as 2024-01-31") from None
