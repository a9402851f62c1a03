"""The user's columns -> rows of ``Layout.schema``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import cast
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.tables.moments import RowsError, Where, shown
from anomscan.tables.times import Times
from anomscan.tables.values import EXACT, Numbers, Signs
from anomscan.telemetry import arrow
from anomscan.telemetry.rows import Layout

_TIMES = (date, datetime, int, float, Decimal)

# To make a scalar of a Python value, pyarrow imports pandas.
_TRUE = pc.is_null(pa.nulls(1))[0]
_NO_TEXT = arrow.to_texts([""])[0]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows as a reader found them.

    Parameters
    ----------
    rows
        The user's columns, each under its own name.
    place
        Where row i stands, as text for errors: the file and the line.
    typed_times
        Whether timestamps that are text are ISO 8601 whatever ``timestamp_format`` says.
    signs
        Makes plain numbers of text with other signs; None where they are plain.
    held
        What row i held, as text; None where that is what ``rows`` hold.
    """

    rows: pa.RecordBatch
    place: Where
    typed_times: bool = False
    signs: Signs | None = None
    held: Callable[[int], Mapping[str, str | None]] | None = None


def needed(columns: Columns) -> list[str]:
    """The names of the columns that are read, each once."""
    named = [columns.asset, columns.timestamp, *columns.values, columns.health]
    return list(dict.fromkeys(name for name in named if name is not None))


def check_columns(wanted: Iterable[str], has: Sequence[str], thing: str) -> None:
    """Refuse a file or query that lacks a column, or has it twice.

    Raises
    ------
    InputError
        Naming the column, the thing, and the columns it has, the nearest first.
    """
    for name in wanted:
        if name not in has:
            near = difflib.get_close_matches(name, has, n=1, cutoff=0.6)
            shown = ", ".join(has[:20]) + (f" and {len(has) - 20} more" if len(has) > 20 else "")
            hint = f"it has: {shown}" if has else None
            if near:
                hint = f"did you mean '{near[0]}'? {hint}"
            raise InputError(f"{thing} has no column '{name}'", hint=hint)
        if has.count(name) > 1:
            raise InputError(f"{thing} has more than one column '{name}'")


def to_rows(
    piece: Piece,
    layout: Layout,
    columns: Columns,
    times: Times,
    asset: str | None = None,
    numbers: Numbers | None = None,
) -> pa.Table:
    """Rows as the store takes them.

    Parameters
    ----------
    asset
        The id of all rows, where no column holds it.
    numbers
        Reads the values; by default what reads those of a source that says nothing about them.

    Returns
    -------
    A table of ``layout.schema``, in the order of the piece.

    Raises
    ------
    InputError
        Naming file, line, column and text of the first row that cannot be used.
    """
    batch, place = piece.rows, piece.place
    if columns.asset is None:
        ids = arrow.to_texts([asset or ""] * len(batch))
    else:
        ids = _ids(plain(batch[columns.asset], columns.asset, place), columns.asset, place)
    moments = times.read(
        plain(batch[columns.timestamp], columns.timestamp, place), columns.timestamp, place, typed=piece.typed_times
    )
    read = (numbers or Numbers()).read
    values = [read(plain(batch[name], name, place), name, place, piece.signs) for name in columns.values]
    if columns.health is None:
        health = pa.nulls(len(batch), pa.string())
    else:
        health = labels(plain(batch[columns.health], columns.health, place), columns.health, place)
    return pa.Table.from_arrays([ids, moments, *values, health], schema=layout.schema)


def from_objects(values: Mapping[str, Sequence[object]], columns: Columns, place: Where) -> Piece:
    """Rows of Python objects, as a JSON parser or a database driver gives them.

    Parameters
    ----------
    values
        Column name -> (n,) objects, None where empty.

    Raises
    ------
    InputError
        An object that cannot be an id, a timestamp or a label, naming its place.
    """
    typed_times = not any(isinstance(value, str) for value in values[columns.timestamp])
    arrays = {}
    for name in needed(columns):
        if name == columns.timestamp:
            arrays[name] = _texts(values[name], name, place, _TIMES, "a timestamp")
        elif name in columns.values:
            arrays[name] = _number_objects(values[name])
        elif name == columns.asset:
            arrays[name] = _texts(values[name], name, place, (int, Decimal, UUID), "an asset id (text or an integer)")
        else:
            arrays[name] = _texts(values[name], name, place, (int, Decimal, bool), "a health (text or an integer)")
    return Piece(pa.RecordBatch.from_pydict(arrays), place, typed_times)


def _texts(values: Sequence[object], name: str, place: Where, kinds: tuple[type, ...], wanted: str) -> pa.Array:
    """Objects as text, where they are text or of ``kinds``."""
    if set(map(type, values)) <= {str, type(None)}:
        return arrow.to_texts(cast("Sequence[str | None]", values))
    texts: list[str | None] = []
    wrong: list[int] = []
    for row, value in enumerate(values):
        fractional = isinstance(value, Decimal) and value != value.to_integral_value()
        if value is None or isinstance(value, str):
            texts.append(value)
        elif type(value) not in kinds or (fractional and float not in kinds):
            wrong.append(row)
        elif isinstance(value, date):
            texts.append(value.isoformat())
        else:
            texts.append(str(int(value) if isinstance(value, Decimal) and not fractional else value))
    if wrong:
        raise RowsError.of(
            np.array(wrong), lambda row: f", column '{name}': {shown(values[row])} is not {wanted}", place
        )
    return arrow.to_texts(texts)


def _number_objects(values: Sequence[object]) -> pa.Array:
    """Objects as float64, or as text where some are not numbers (the text is looked at later)."""
    if set(map(type, values)) <= {float, int, type(None)}:
        try:
            numbers = np.array(values, np.float64)
            if not (np.abs(numbers) >= EXACT).any():
                return arrow.to_floats(numbers)
        except OverflowError:  # an integer beyond float64 is named as text
            pass
    return arrow.to_texts([None if value is None else str(value) for value in values])


def plain(column: pa.Array, name: str, place: Where) -> pa.Array:
    """A column without dictionaries, and all text of one type.

    Raises
    ------
    InputError
        Bytes that are not text.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid:
            raise InputError(f"{place(0)}: column '{name}' holds bytes that are not UTF-8 text") from None
    return column


def _ids(column: pa.Array, name: str, place: Where) -> pa.Array:
    if pa.types.is_integer(column.type):
        column = column.cast(pa.string())
    if not (pa.types.is_string(column.type) or pa.types.is_null(column.type)):
        raise InputError(
            f"{place(0)}: column '{name}' holds {column.type}; an asset id is text or an integer",
            hint="write the ids as text",
        )
    column = pc.utf8_trim_whitespace(column.cast(pa.string()))
    if column.null_count or _has_empty(column):
        empty = np.flatnonzero(arrow.flags(pc.fill_null(pc.equal(column, _NO_TEXT), _TRUE)))
        raise RowsError.of(empty, lambda row: f": no asset id in column '{name}'", place)
    return column


def labels(column: pa.Array, name: str, place: Where) -> pa.Array:
    """Text without the blanks around it; null where empty.

    Raises
    ------
    InputError
        If they are neither text nor integers.
    """
    kind = column.type
    if not (
        pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
    ):
        raise InputError(f"{place(0)}: column '{name}' holds {kind}, neither text nor integers")
    column = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.equal(column, _NO_TEXT), pa.nulls(1, pa.string())[0], column) if _has_empty(column) else column


def _has_empty(column: pa.Array) -> bool:
    """Whether one of the texts is empty; looking at the lengths alone takes no time."""
    return bool(pc.min_max(pc.binary_length(column))["min"].as_py() == 0)
