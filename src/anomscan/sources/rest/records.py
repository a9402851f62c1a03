"""The records of one asset -> rows of ``Layout.schema``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomscan.errors import AssetError, InputError
from anomscan.sources.rest.paths import kind_of, look_up
from anomscan.sources.rest.shapes import Columnar
from anomscan.store.block import from_table
from anomscan.tables.columns import check_columns, needed
from anomscan.tables.layouts import TableLayout
from anomscan.tables.moments import Where, shown
from anomscan.tables.origins import Origins
from anomscan.tables.salvage import Reject, Usable, pieces_of
from anomscan.tables.times import Times
from anomscan.tables.values import Numbers, Plausible
from anomscan.telemetry import arrow
from anomscan.telemetry.rows import ASSET, ORIGIN, TIMESTAMP, Layout


@dataclass(frozen=True, slots=True)
class Taken:
    """The rows of a page's records; equal for equal records, in whatever order.

    Parameters
    ----------
    rows
        Of the records that can be used, in their order.
    refused
        What the others held.
    reasons
        Why, one for each of ``refused``.
    origins
        The numbers of the rows in the fetch.
    """

    rows: pa.Table
    refused: tuple[Mapping[str, str | None], ...] = ()
    reasons: tuple[str, ...] = field(default=(), compare=False)
    origins: pa.Array | None = field(default=None, compare=False)

    @property
    def rejects(self) -> list[Reject]:
        """The records that cannot be used."""
        return list(map(Reject, self.reasons, self.refused))


class Records:
    """Takes the records of one asset, page by page.

    Parameters
    ----------
    thing
        What gave them, for errors.
    tables
        How the records lay values out.
    """

    def __init__(
        self,
        asset: str,
        thing: str,
        layout: Layout,
        tables: TableLayout,
        times: Times,
        numbers: Numbers | None = None,
        plausible: Plausible | None = None,
        origins: Origins | None = None,
    ) -> None:
        self._asset = asset
        self._thing = f"the answer of {thing}"
        self._layout = layout
        self._tables = tables
        self._columns = tables.read(list)
        self._wanted = needed(self._columns)
        self._always = [name for name in (self._columns.asset, self._columns.timestamp) if name is not None]
        self._keys: dict[str, None] = {}
        self._origins = origins or Origins()
        self._usable = Usable(layout, tables.columns, times, numbers, plausible, asset=asset, origins=self._origins)

    def rows(self, records: Columnar | None, page: int) -> Taken:
        """The rows and rejects of a page; a value or health that is null or has no key is empty.

        Raises
        ------
        AssetError, InputError
            A column that is missing, or no record that can be used: naming the record, counted from 1 in its page, and
            the field.
        """
        nothing = pa.Table.from_batches([], self._layout.numbered)
        if records is None or not len(records):
            return Taken(nothing.drop_columns([ORIGIN]))
        if len(records.misshapen) < len(records):
            check_columns(self._always, records.has, self._thing)
            self._keys |= dict.fromkeys(records.has)
        tables, rejects = [nothing], []
        for item in self._items(records, partial(_place, page)):
            if isinstance(item, Reject):
                rejects.append(Reject(f"asset '{self._asset}', {item.reason}", item.row))
            else:
                tables.append(item)
        self._usable.refuse_waiting()
        rows = pa.concat_tables(tables)
        return Taken(
            rows.drop_columns([ORIGIN]),
            tuple(each.row for each in rejects),
            tuple(each.reason for each in rejects),
            rows[ORIGIN],
        )

    def _items(self, records: Columnar, place: Where) -> Iterator[pa.Table | Reject]:
        of_asset = {self._columns.asset or ASSET: self._asset}
        for row, what in sorted(records.misshapen.items()):
            reject = Reject(f"{place(row)} {what}", of_asset | {"record": records.texts[row]})
            yield self._usable.rejected(reject, hint=records.hint)
        columns = records.columns
        if sound := [row for row in range(len(records)) if row not in records.misshapen]:
            if len(sound) < len(records):
                columns = {name: [values[row] for row in sound] for name, values in columns.items()}
            for piece in pieces_of(columns, self._columns, lambda at: place(sound[at])):
                if isinstance(piece, Reject):
                    yield self._usable.rejected(replace(piece, row=of_asset | dict(piece.row)))
                    continue
                for item in self._usable.rows(self._tables.long(piece)):
                    if isinstance(item, Reject) or self._columns.asset is None:
                        yield item
                    else:
                        yield from self._own(item)

    def _own(self, rows: pa.Table) -> Iterator[pa.Table | Reject]:
        """The rows of the asset; those of others as rejects."""
        own = pc.equal(rows[ASSET], arrow.to_texts([self._asset])[0])
        if not pc.all(own).as_py():
            for row in rows.filter(pc.invert(own)).to_pylist():
                place = self._origins.place(row[ORIGIN])
                held = {name: None if row[name] is None else str(row[name]) for name in (ASSET, TIMESTAMP)}
                yield self._usable.rejected(Reject(f"{place} is of another asset, {shown(row[ASSET])}", held))
            rows = rows.filter(own)
        yield rows

    def whole(self, pages: Sequence[Taken]) -> tuple[pa.Table, list[Reject]]:
        """The rows of all pages together, those that agree once, with their numbers in ``origin``; and the rejects.

        Raises
        ------
        InputError
            If no record has a column, or none can be used.
        """
        self._usable.finish()
        if self._keys:
            check_columns(self._wanted, list(self._keys), self._thing)
        rejects = [reject for page in pages for reject in page.rejects]
        given = [page.rows.append_column(ORIGIN, page.origins) for page in pages if page.origins is not None]
        tables = list(self._tables.whole(given, first=True))
        rows = pa.concat_tables([pa.Table.from_batches([], self._layout.numbered), *tables])
        if not len(rows):
            if rejects:  # those that could be used were of other assets
                raise InputError(rejects[0].reason)
            return rows, rejects
        block = from_table(rows, self._layout, arrived_at=0)
        order = block.order()
        places = np.arange(len(rows)) if order is None else order
        ordered = block.take(places)
        repeated = np.flatnonzero(ordered.repeats())
        repeated = repeated[ordered.agrees(repeated)]
        once = np.delete(np.arange(len(rows)), places[repeated])
        return rows.take(arrow.to_numbers(once, pa.int64())), rejects


def _place(page: int, row: int) -> str:
    return f"record {row + 1}" if page == 1 else f"page {page}, record {row + 1}"


def ids_of(elements: list[Any] | None, path: str | None) -> list[str]:
    """The asset ids in the elements of a list; none where there is no list.

    Parameters
    ----------
    path
        Where the id is in an element; None where the elements are ids.

    Raises
    ------
    AssetError
        If one has none.
    """
    ids: list[str] = []
    for row, element in enumerate(elements or []):
        value = look_up(element, path)[1] if path else element
        if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
            where = f" at '{path}'" if path else ""
            keys = (
                f"its keys are: {', '.join(list(element)[:20])}; see assets_id" if isinstance(element, dict) else None
            )
            raise AssetError(f"element {row + 1} of the list has no id{where} but {kind_of(value)}", hint=keys)
        ids.append(str(value))
    return ids
