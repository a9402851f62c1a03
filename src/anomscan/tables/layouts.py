"""How a table lays its values out: a row each sample (long), a column each asset (wide), or a row each value (tags)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.tables.columns import Piece, labels, needed, plain
from anomscan.tables.moments import is_number
from anomscan.tables.sniffing import Sought
from anomscan.telemetry import arrow
from anomscan.telemetry.rows import ASSET, ORIGIN, TIMESTAMP, Layout, value_column

_T = TypeVar("_T")


class TableLayout(Protocol):
    """Makes rows of samples of the rows of a source."""

    @property
    def columns(self) -> Columns:
        """Which column of :meth:`long` holds what."""

    @property
    def sought(self) -> Sought:
        """What a table in this layout is known by."""

    def read(self, names: Callable[[], Sequence[str]]) -> Columns:
        """The columns to read; ``names`` tells which there are."""

    def long(self, piece: Piece) -> Piece:
        """The samples in some rows."""

    def whole(self, items: Iterable[pa.Table | _T], *, first: bool) -> Iterator[pa.Table | _T]:
        """The store's rows of one fetch, of those of its pieces; whatever else is among them passes.

        Parameters
        ----------
        first
            Whether it is the first fetch, which must find something.

        Raises
        ------
        InputError
            Where no row is of a variable.
        """

    def told(self) -> list[str]:
        """What the user should hear of, at the end of a fetch."""


def table_layout(kind: Literal["long", "wide", "tags"], columns: Columns, rows: Layout) -> TableLayout:
    """The layout of a source, for one fetch."""
    if kind == "wide":
        return Wide(columns)
    return Tags(columns, rows) if kind == "tags" else Long(columns)


class Long:
    """A row is a sample."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.sought = Sought(needed(columns), columns.timestamp, columns.values)

    def read(self, names: Callable[[], Sequence[str]]) -> Columns:
        """The same."""
        return self.columns

    def long(self, piece: Piece) -> Piece:
        """The same."""
        return piece

    def whole(self, items: Iterable[pa.Table | _T], *, first: bool) -> Iterator[pa.Table | _T]:
        """The same."""
        yield from items

    def told(self) -> list[str]:
        """Nothing."""
        return []


class Wide:
    """A column is an asset, named after it; a blank cell is not a sample."""

    def __init__(self, columns: Columns) -> None:
        self._timestamp = columns.timestamp
        self._ignored = {columns.timestamp, *columns.ignore, ""}
        self._value = columns.values[0]
        taken = {columns.timestamp, self._value}
        self._asset = next(name for name in (ASSET, "asset_id", "id") if name not in taken)
        self.columns = columns.model_copy(update={"asset": self._asset})
        self.sought = Sought([columns.timestamp], columns.timestamp, None)

    def read(self, names: Callable[[], Sequence[str]]) -> Columns:
        """All but those that are to be ignored."""
        assets = [name for name in names() if name not in self._ignored]
        if not assets:
            raise InputError("there is no column beside the timestamp", hint='layout = "wide" has a column each asset')
        return Columns(timestamp=self._timestamp, values=tuple(dict.fromkeys(assets)))

    def long(self, piece: Piece) -> Piece:
        """A row each cell that is not blank, asset by asset."""
        names = [name for name in piece.rows.schema.names if name != self._timestamp]
        given = {name: plain(piece.rows[name], name, piece.place) for name in names}
        filled = [np.flatnonzero(_filled(column)) for column in given.values()]
        rows = np.concatenate(filled).astype(np.int32)  # they are kept for what is found out later
        codes = np.repeat(np.arange(len(names), dtype=np.int32), [len(each) for each in filled])
        values = pa.concat_arrays(
            [column.take(_places(each)) for column, each in zip(_alike(given), filled, strict=True)]
        )
        columns = {
            self._asset: arrow.to_codes(codes, names),
            self._timestamp: piece.rows[self._timestamp].take(arrow.to_numbers(rows, pa.int32())),
            self._value: values,
        }

        def place(row: int) -> str:
            return f"{piece.place(int(rows[row]))} ({names[codes[row]]})"

        return replace(piece, rows=pa.RecordBatch.from_pydict(columns), held=None, place=place)

    def whole(self, items: Iterable[pa.Table | _T], *, first: bool) -> Iterator[pa.Table | _T]:
        """The same."""
        yield from items

    def told(self) -> list[str]:
        """Nothing."""
        return []


class Tags:
    """A row is one value: a tag says of which variable. The rows of one fetch are held until all are there.

    Rows with other tags are left out.
    """

    def __init__(self, columns: Columns, rows: Layout) -> None:
        self.columns = columns
        self._rows = rows
        self._tag = columns.tag or "tag"
        self._value = columns.value or "value"
        self._wanted = dict.fromkeys(columns.values, False)  # whether it was met
        self._others: dict[str, None] = {}
        self._read = Columns(asset=columns.asset, timestamp=columns.timestamp, values=(self._value,), health=self._tag)
        self.sought = Sought(needed(self._read), columns.timestamp, [self._value])

    def read(self, names: Callable[[], Sequence[str]]) -> Columns:
        """Asset, timestamp, the tag as a label, and the value."""
        return self._read

    def long(self, piece: Piece) -> Piece:
        """Each row with its value in the column of its variable, and nothing in the others."""
        tags = labels(plain(piece.rows[self._tag], self._tag, piece.place), self._tag, piece.place)
        values = plain(piece.rows[self._value], self._value, piece.place)
        found = pc.unique(tags).to_pylist()
        for tag in found:
            if tag in self._wanted:
                self._wanted[tag] = True
            elif tag is not None and len(self._others) < 20:
                self._others[tag] = None
        kept = np.flatnonzero(arrow.flags(pc.is_in(tags, arrow.to_texts(list(self._wanted)))))
        places = _places(kept)
        tags, values = tags.take(places), values.take(places)
        nothing = pa.nulls(1, values.type)[0]
        given = [name for name in (self.columns.asset, self.columns.timestamp) if name is not None]
        columns = {name: piece.rows[name].take(places) for name in given}
        for name in self._wanted:
            columns[name] = pc.if_else(pc.equal(tags, arrow.to_texts([name])[0]), values, nothing)
        return replace(
            piece, rows=pa.RecordBatch.from_pydict(columns), held=None, place=lambda row: piece.place(int(kept[row]))
        )

    def whole(self, items: Iterable[pa.Table | _T], *, first: bool) -> Iterator[pa.Table | _T]:
        """One row each sample; where values of a variable contradict one another, one each of them."""
        tables = []
        for item in items:
            if isinstance(item, pa.Table):
                tables.append(item)
            else:
                yield item
        if first and self._others and not any(self._wanted.values()):
            hint = f"it has: {', '.join(self._others)}"
            raise InputError(f"no row has '{self.columns.values[0]}' in column '{self._tag}'", hint=hint)
        if tables:
            yield self._together(pa.concat_tables(tables))

    def told(self) -> list[str]:
        """The variables of which no row was."""
        unseen = [name for name, met in self._wanted.items() if not met]
        if not unseen or len(unseen) == len(self._wanted):
            return []
        return [f"no row has '{name}' in column '{self._tag}'" for name in unseen]

    def _together(self, rows: pa.Table) -> pa.Table:
        assets, ids = arrow.codes(rows[ASSET])
        moments = arrow.numbers(rows[TIMESTAMP], "int64")
        order = np.lexsort((moments, assets))
        starts = np.ones(len(order), bool)
        starts[1:] = (np.diff(assets[order]) != 0) | (np.diff(moments[order]) != 0)
        samples = np.empty(len(order), np.int64)  # row -> its sample
        samples[order] = np.cumsum(starts) - 1
        firsts = order[starts]
        values = np.full((len(self._rows.variables), len(firsts)), np.nan)
        again: list[tuple[int, int, float, int]] = []  # variable, sample, value, row
        for place, variable in enumerate(self._rows.variables):
            given = arrow.floats(rows[value_column(variable)])
            at = np.flatnonzero(~np.isnan(given))
            _, first = np.unique(samples[at], return_index=True)
            values[place, samples[at[first]]] = given[at[first]]
            differ = at[given[at] != values[place, samples[at]]]
            again += [(place, int(samples[row]), float(given[row]), int(row)) for row in differ]
        extra = np.array([sample for _, sample, *_ in again], np.int64)
        taken = np.concatenate([np.arange(len(firsts)), extra])
        values = values[:, taken]
        for row, (place, _, value, _) in enumerate(again, len(firsts)):
            values[place, row] = value
        columns = [
            arrow.to_codes(assets[firsts[taken]], ids).dictionary_decode(),
            arrow.to_numbers(moments[firsts[taken]], pa.timestamp("us")),
            *map(arrow.to_floats, values),
            pa.nulls(len(taken), pa.string()),
        ]
        table = pa.Table.from_arrays(columns, schema=self._rows.schema)
        given = arrow.numbers(rows[ORIGIN], "int64")
        origins = np.concatenate([given[firsts], given[np.array([row for *_, row in again], np.int64)]])
        return table.append_column(ORIGIN, arrow.to_numbers(origins, pa.int64()))


def _places(rows: NDArray[np.int64]) -> pa.Array:
    return arrow.to_numbers(rows, pa.int64())


def _filled(column: pa.Array) -> NDArray[np.bool_]:
    """Which cells are not blank."""
    filled = pc.is_valid(column)
    if pa.types.is_string(column.type):
        filled = pc.not_equal(pc.utf8_trim_whitespace(column), arrow.to_texts([""])[0])
    elif pa.types.is_floating(column.type):
        filled = pc.invert(pc.is_nan(column))
    return arrow.flags(filled)


def _alike(columns: Mapping[str, pa.Array]) -> list[pa.Array]:
    """Columns of one type: of numbers, or else of text."""
    kinds = {}
    for name, column in columns.items():
        if not (pa.types.is_string(column.type) or pa.types.is_null(column.type) or is_number(column.type)):
            raise InputError(f"column '{name}' holds {column.type}, not numbers", hint="name it in columns.ignore")
        if not pa.types.is_null(column.type):
            kinds[column.type] = name
    text = any(map(pa.types.is_string, kinds))
    kind = next(iter(kinds)) if len(kinds) == 1 else pa.string() if text else pa.float64()
    return [column.cast(kind, safe=False) for column in columns.values()]
