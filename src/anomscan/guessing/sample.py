"""The rows that guesses are made from, and what can be seen of each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomscan.tables.dialects import Dialect
from anomscan.tables.moments import is_number
from anomscan.tables.values import MISSING
from anomscan.telemetry import arrow

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?-?$"
#: So large a share of a column's cells must be numbers for it to hold numbers; the others would be put aside.
MOSTLY = 0.95


@dataclass(frozen=True)
class Column:
    """A column as it was found: text, numbers, dates or timestamps of Arrow."""

    name: str
    cells: pa.Array
    dialect: Dialect = field(default_factory=Dialect)

    @cached_property
    def texts(self) -> pa.Array:
        """Its cells as text without the blanks around them, null where one is missing."""
        if not pa.types.is_string(self.cells.type):
            return self.cells.cast(pa.string(), safe=False)
        trimmed = pc.utf8_trim_whitespace(self.cells)
        return pc.if_else(
            pc.is_in(pc.utf8_lower(trimmed), arrow.to_texts(MISSING)), pa.nulls(1, pa.string())[0], trimmed
        )

    @cached_property
    def codes(self) -> tuple[NDArray[np.int32], list[str]]:
        """Its texts as codes, -1 where one is missing."""
        return arrow.codes(pa.chunked_array([self.texts]))

    @property
    def filled(self) -> int:
        """How many cells are not missing."""
        return len(self.texts) - int(self.texts.null_count)

    @property
    def distinct(self) -> int:
        """How many different texts it has."""
        return len(self.codes[1])

    @property
    def typed_time(self) -> bool:
        """Whether the file itself says that it holds dates or timestamps."""
        return bool(pa.types.is_timestamp(self.cells.type) or pa.types.is_date(self.cells.type))

    @property
    def share_of_numbers(self) -> float:
        """The share of its cells with text that are numbers as programs write them."""
        good = pc.sum(pc.match_substring_regex(self.texts, _NUMBER)).as_py() or 0
        return good / self.filled if self.filled else 0.0

    @cached_property
    def numbers(self) -> NDArray[np.float64] | None:
        """(n,) float64, NaN where a cell is missing or no number; None if it does not hold numbers."""
        if is_number(self.cells.type):
            return arrow.floats(pa.chunked_array([self.cells.cast(pa.float64(), safe=False)]))
        if not pa.types.is_string(self.cells.type) or self.filled == 0:
            return None
        plain = pc.replace_substring_regex(self.texts, r"\s*%$", "")
        if self.dialect.signs is not None:
            plain = self.dialect.signs(plain)
        plain = pc.replace_substring(plain, "\N{MINUS SIGN}", "-")
        good = pc.fill_null(pc.match_substring_regex(plain, _NUMBER), False)
        count = pc.sum(good).as_py() or 0
        if count < MOSTLY * self.filled:
            return None
        plain = pc.replace_substring_regex(plain, r"^(.*)-$", r"-\1")
        plain = pc.if_else(good, plain, pa.nulls(1, pa.string())[0])
        return arrow.floats(pa.chunked_array([plain.cast(pa.float64())]))


@dataclass(frozen=True)
class Sample:
    """The first rows of a table, or all of them.

    Parameters
    ----------
    place
        What errors call the table.
    columns
        By name, in their order; each name once.
    whole
        Whether these are all rows.
    dialect
        How the file is written.
    said
        Settings of the source that reading it took, such as ``sheet``.
    files
        How many files there are, of which this is the first.
    """

    place: str
    columns: Mapping[str, Column]
    whole: bool = True
    dialect: Dialect = field(default_factory=Dialect)
    said: Mapping[str, object] = field(default_factory=dict)
    files: int = 1

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(next(iter(self.columns.values())).cells)


def column_of(name: str, cells: Sequence[object]) -> Column:
    """A column of Python objects, as JSON, a workbook or a database gives them."""
    given = [cell for cell in cells if cell is not None]
    if given and all(isinstance(cell, date) for cell in given):
        if all(not isinstance(cell, datetime) for cell in given):
            return Column(name, pa.array(cells, pa.date32()))
        moments = [
            cell if isinstance(cell, datetime) or not isinstance(cell, date) else datetime(*cell.timetuple()[:3])
            for cell in cells
        ]
        return Column(name, pa.array(moments))
    if given and all(isinstance(cell, (int, float, Decimal)) and not isinstance(cell, bool) for cell in given):
        if all(isinstance(cell, int) and abs(cell) < 2**62 for cell in given):
            return Column(name, pa.array(cells, pa.int64()))
        return Column(name, pa.array([None if cell is None else float(str(cell)) for cell in cells], pa.float64()))
    return Column(name, arrow.to_texts([None if cell is None else str(cell) for cell in cells]))
