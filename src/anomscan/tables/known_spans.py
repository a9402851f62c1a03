"""Spans in which something is known to have been wrong with an asset, from a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anomscan.errors import ConfigError, InputError
from anomscan.tables.dialects import Dialect, cleaned
from anomscan.tables.sniffing import Sought, sniffed
from anomscan.telemetry.cadence import first_instant, last_instant

#: The columns, each by the names it may have; the last may be left out.
_COLUMNS = {"asset": ("asset",), "from": ("from", "start", "since"), "to": ("to", "end", "last")}
_LABELS = ("label", "kind")


@dataclass(frozen=True, slots=True)
class KnownSpan:
    """One of them.

    Parameters
    ----------
    asset
        Its id.
    start, end
        datetime64[us], UTC, both inclusive.
    label
        What it was; empty if nobody says.
    """

    asset: str
    start: np.datetime64
    end: np.datetime64
    label: str


def read_known_spans(path: Path, timezone: str) -> list[KnownSpan]:
    """Read a CSV file with the columns ``asset``, ``from``, ``to`` and, if there is one, ``label``.

    Parameters
    ----------
    timezone
        IANA name: where days begin and end.

    Raises
    ------
    InputError
        The file cannot be read, lacks a column, holds no span, or one that ends before it begins.
    """
    dialect = sniffed(path, Dialect(), Sought(["asset"], "asset", ()))
    found = []
    with cleaned(path, dialect) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=dialect.delimiter or ",")
        try:
            for line, cells in _rows(reader, path):
                found.append(_span(cells, f"{path}, line {line}", timezone))
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read as CSV: {error}") from None
    if not found:
        raise InputError(f"{path} names no span", hint="it needs a row for each: asset,from,to")
    return found


def _rows(reader: Iterator[list[str]], path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    header = [name.strip().lower() for name in next(reader, [])]
    places = {}
    for name, allowed in {**_COLUMNS, "label": _LABELS}.items():
        at = next((header.index(each) for each in allowed if each in header), None)
        if at is None and name != "label":
            raise InputError(f"{path} has no column '{name}'", hint="its columns are asset,from,to and perhaps label")
        if at is not None:
            places[name] = at
    for line, row in enumerate(reader, start=2):
        if any(cell.strip() for cell in row):
            yield line, {name: row[at].strip() if at < len(row) else "" for name, at in places.items()}


def _span(cells: dict[str, str], place: str, timezone: str) -> KnownSpan:
    if not cells["asset"]:
        raise InputError(f"{place}: there is no asset")
    try:
        start, end = first_instant(cells["from"], timezone), last_instant(cells["to"] or cells["from"], timezone)
    except ConfigError as error:
        raise InputError(f"{place}: {error.message}", hint="write 2017-01-31 or 2017-01-31T06:00:00Z") from None
    if end < start:
        raise InputError(f"{place}: the span ends before it begins", hint="swap from and to")
    return KnownSpan(cells["asset"], start, end, cells.get("label", ""))
