"""The records of one asset, as a JSON parser gives them -> rows of ``Layout.schema``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomscan.config import Columns
from anomscan.errors import AssetError
from anomscan.sources.columns import check_columns, from_objects, needed, to_rows
from anomscan.sources.rest.paging import kind_of, look_up
from anomscan.sources.times import Times, shown
from anomscan.telemetry.rows import ASSET, TIMESTAMP, Layout


class Records:
    """Takes the records of one asset, page by page.

    Parameters
    ----------
    thing
        What gave them, for errors.
    """

    def __init__(self, asset: str, thing: str, layout: Layout, columns: Columns, times: Times) -> None:
        self._asset = asset
        self._thing = f"the answer of {thing}"
        self._layout = layout
        self._columns = columns
        self._times = times
        self._wanted = needed(columns)
        self._always = [name for name in (columns.asset, columns.timestamp) if name is not None]
        self._keys: dict[str, None] = {}
        self._any = False

    def rows(self, records: list[Any], page: int) -> pa.Table:
        """The rows of a page, in its order; a value or health that is null or has no key is empty.

        Raises
        ------
        AssetError, InputError
            Naming the record, counted from 1 in its page, and the field that cannot be used.
        """

        def place(row: int) -> str:
            return f"record {row + 1}" if page == 1 else f"page {page}, record {row + 1}"

        keys: dict[str, None] = {}
        for row, record in enumerate(records):
            if not isinstance(record, dict):
                raise AssetError(f"{self._thing}: {place(row)} is {kind_of(record)}, not an object")
            keys |= dict.fromkeys(record)
        if records:
            check_columns(self._always, list(keys), self._thing)
        self._keys |= keys
        try:
            values = {name: [record.get(name) for record in records] for name in self._wanted}
            rows = to_rows(
                from_objects(values, self._columns, place), self._layout, self._columns, self._times, self._asset
            )
        except UnicodeEncodeError:
            raise AssetError(f"{self._thing} has text that is not Unicode (half of a surrogate pair)") from None
        if self._columns.asset is not None:
            row = pc.index(pc.equal(rows[ASSET], self._asset), False).as_py()
            if row >= 0:
                raise AssetError(f"{self._thing}: {place(row)} is of another asset, {shown(rows[ASSET][row])}")
        return rows

    def whole(self, pages: list[pa.Table]) -> pa.Table:
        """The rows of all pages together, each once.

        Raises
        ------
        InputError
            If no record has a column.
        AssetError
            If records contradict one another.
        """
        if self._keys:
            check_columns(self._wanted, list(self._keys), self._thing)
        rows = pa.concat_tables([self._layout.schema.empty_table(), *pages])
        names = rows.column_names
        once = rows.group_by(names, use_threads=False).aggregate([]).select(names).cast(self._layout.schema)
        counts = pc.value_counts(once[TIMESTAMP])
        if (at := pc.index(pc.greater(counts.field("counts"), 1), True).as_py()) >= 0:
            moment = self._layout.cadence.text(np.datetime64(counts.field("values")[at].as_py(), "us"))
            raise AssetError(f"{self._thing} has records of {moment} that contradict one another")
        return once


def ids_of(elements: list[Any], path: str | None) -> list[str]:
    """The asset ids in the elements of a list.

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
    for row, element in enumerate(elements):
        value = look_up(element, path)[1] if path else element
        if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
            where = f" at '{path}'" if path else ""
            keys = (
                f"its keys are: {', '.join(list(element)[:20])}; see assets_id" if isinstance(element, dict) else None
            )
            raise AssetError(f"element {row + 1} of the list has no id{where} but {kind_of(value)}", hint=keys)
        ids.append(str(value))
    return ids
