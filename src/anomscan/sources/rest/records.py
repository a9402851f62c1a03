"""The records of one asset -> rows of ``Layout.schema``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomscan.config import Columns
from anomscan.errors import AssetError, InputError
from anomscan.sources.rest.paths import kind_of, look_up
from anomscan.sources.rest.shapes import Columnar
from anomscan.store.block import from_table
from anomscan.tables.columns import check_columns, from_objects, needed, to_rows
from anomscan.tables.moments import Place, RowsError, shown
from anomscan.tables.origins import Origins
from anomscan.tables.salvage import Places, Reject, Salvage
from anomscan.tables.times import Times
from anomscan.tables.values import Numbers, Plausible
from anomscan.telemetry import arrow
from anomscan.telemetry.rows import ASSET, ORIGIN, Layout


@dataclass(frozen=True, slots=True)
class Taken:
    """The rows of a page's records; equal for equal records, in whatever order.

    Parameters
    ----------
    rows
        Of the records that can be used, in their order, with their places in the page in ``origin``.
    refused
        What the others held.
    reasons
        Why, one for each of ``refused``.
    """

    rows: pa.Table
    refused: tuple[Mapping[str, str | None], ...] = ()
    reasons: tuple[str, ...] = field(default=(), compare=False)

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
    """

    def __init__(
        self,
        asset: str,
        thing: str,
        layout: Layout,
        columns: Columns,
        times: Times,
        numbers: Numbers | None = None,
        plausible: Plausible | None = None,
        origins: Origins | None = None,
    ) -> None:
        self._schema = layout.numbered
        self._origins = origins or Origins()
        self._asset = asset
        self._thing = f"the answer of {thing}"
        self._layout = layout
        self._columns = columns
        self._times = times
        self._wanted = needed(columns)
        self._always = [name for name in (columns.asset, columns.timestamp) if name is not None]
        self._keys: dict[str, None] = {}
        self._numbers = numbers
        self._salvage = Salvage(plausible=plausible)

    def rows(self, records: Columnar | None, page: int) -> Taken:
        """The rows and rejects of a page; a value or health that is null or has no key is empty.

        Raises
        ------
        AssetError, InputError
            A column that is missing, or no record that can be used: naming the record, counted from 1 in its page, and
            the field.
        """
        if records is None or not len(records):
            return Taken(pa.Table.from_batches([], self._schema))
        found, place = records, partial(_place, page)

        if len(found.misshapen) < len(found):
            check_columns(self._always, found.has, self._thing)
            self._keys |= dict.fromkeys(found.has)

        def convert(part: Places) -> pa.Table:
            rows = part.tolist()
            if misshapen := [at for at, row in enumerate(rows) if row in found.misshapen]:
                what = [f" {found.misshapen[row]}" for row in rows if row in found.misshapen]
                told = dict(zip(misshapen, what, strict=True))
                raise RowsError(np.array(misshapen), told.__getitem__, lambda at: place(rows[at]), hint=found.hint)
            columns = found.columns
            if len(rows) < len(found):
                columns = {name: [values[row] for row in rows] for name, values in columns.items()}
            converted = self._converted(columns, lambda at: place(rows[at]))
            return converted.append_column(ORIGIN, arrow.to_numbers(part, pa.int64()))

        def content(row: int) -> dict[str, str | None]:
            if row in found.texts:
                return {self._columns.asset or ASSET: self._asset, "record": found.texts[row]}
            held = {name: values[row] for name, values in found.columns.items()}
            texts = {name: None if value is None else str(value) for name, value in held.items()}
            return texts if self._columns.asset is not None else {ASSET: self._asset, **texts}

        tables = [pa.Table.from_batches([], self._schema)]
        rejects: list[Reject] = []
        for item in self._salvage.rows(len(found), convert, content, place):
            if isinstance(item, Reject):
                rejects.append(Reject(f"asset '{self._asset}', {item.reason}", item.row))
            else:
                tables.append(item)
        self._salvage.refuse_waiting()
        return Taken(
            pa.concat_tables(tables), tuple(each.row for each in rejects), tuple(each.reason for each in rejects)
        )

    def _converted(self, values: Mapping[str, Sequence[Any]], place: Place) -> pa.Table:
        try:
            rows = to_rows(
                from_objects(values, self._columns, place),
                self._layout,
                self._columns,
                self._times,
                self._asset,
                self._numbers,
            )
        except UnicodeEncodeError:
            raise InputError(f"{place(0)} has text that is not Unicode (half of a surrogate pair)") from None
        if self._columns.asset is not None:
            other = arrow.flags(pc.not_equal(rows[ASSET], arrow.to_texts([self._asset])[0]).combine_chunks())
            if other.any():
                raise RowsError(
                    np.flatnonzero(other), lambda row: f" is of another asset, {shown(rows[ASSET][row])}", place
                )
        return rows

    def _numbered(self, number: int, page: Taken) -> pa.Table:
        """A page's rows with their numbers in the fetch."""
        records = arrow.numbers(page.rows[ORIGIN], "int64")
        if not len(records):
            return page.rows
        first = self._origins.add(int(records.max()) + 1, lambda row: f"asset '{self._asset}', {_place(number, row)}")
        return page.rows.set_column(page.rows.num_columns - 1, ORIGIN, arrow.to_numbers(records + first, pa.int64()))

    def whole(self, pages: Sequence[Taken]) -> tuple[pa.Table, list[Reject]]:
        """The rows of all pages together, those that agree once, and the rejects.

        Raises
        ------
        InputError
            If no record has a column, or none can be used.
        """
        self._salvage.finish()
        if self._keys:
            check_columns(self._wanted, list(self._keys), self._thing)
        rows = pa.concat_tables([pa.Table.from_batches([], self._schema), *map(self._numbered, count(1), pages)])
        if not len(rows):
            return rows, [reject for page in pages for reject in page.rejects]
        block = from_table(rows, self._layout, arrived_at=0)
        order = block.order()
        places = np.arange(len(rows)) if order is None else order
        ordered = block.take(places)
        repeated = np.flatnonzero(ordered.repeats())
        repeated = repeated[ordered.agrees(repeated)]
        once = np.delete(np.arange(len(rows)), places[repeated])
        return (
            rows.take(arrow.to_numbers(once, pa.int64())),
            [reject for page in pages for reject in page.rejects],
        )


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
