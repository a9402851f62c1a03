"""Use the rows that can be used: those that cannot are handed out one by one, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.tables.columns import Piece, needed, to_rows
from anomscan.tables.times import Times
from anomscan.telemetry.rows import Layout

#: So many rows are tried before the format, rather than a row, is held to be wrong.
_PATIENCE = 50
#: More rejects than this are not a row's fault either.
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that cannot be used; the others go on.

    Parameters
    ----------
    reason
        Why, one line.
    row
        What it held: the user's columns as text, None where empty.
    """

    reason: str
    row: Mapping[str, str | None]


class Salvage:
    """Converts pieces of rows; its patience is one fetch's.

    A piece that cannot be converted is halved until the rows at fault stand alone.
    """

    def __init__(self) -> None:
        self._used = 0
        self._rejected = 0

    def rows(
        self,
        count: int,
        convert: Callable[[slice], pa.Table],
        content: Callable[[int], Mapping[str, str | None]],
    ) -> Iterator[pa.Table | Reject]:
        """Convert ``count`` rows.

        Parameters
        ----------
        convert
            Some of the rows as the store takes them; InputError if one cannot be used.
        content
            What one row holds.

        Raises
        ------
        InputError
            Where no row can be used, or too many cannot: the first row's reason.
        """
        waiting = [slice(0, count)] if count else []
        first: InputError | None = None
        while waiting:
            part = waiting.pop()
            try:
                rows = convert(part)
            except InputError as error:
                first = first or error
                if part.stop - part.start > 1:
                    middle = (part.start + part.stop) // 2
                    waiting += [slice(middle, part.stop), slice(part.start, middle)]
                    continue
                self._rejected += 1
                if self._rejected > _MOST or (self._used == 0 and self._rejected >= _PATIENCE):
                    raise first from None
                yield Reject(error.message, content(part.start))
            else:
                self._used += part.stop - part.start
                yield rows
        if self._used == 0 and first is not None:
            raise first


class Usable:
    """Makes the store's rows of one fetch's pieces."""

    def __init__(self, layout: Layout, columns: Columns, times: Times) -> None:
        self._layout = layout
        self._columns = columns
        self._times = times
        self._salvage = Salvage()

    def rows(self, piece: Piece) -> Iterator[pa.Table | Reject]:
        """The rows of ``layout.schema`` that a piece has, and the rejects.

        Raises
        ------
        InputError
            Where no row can be used, or too many cannot.
        """
        names = needed(self._columns)

        def convert(part: slice) -> pa.Table:
            rows = piece.rows.slice(part.start, part.stop - part.start)
            return to_rows(
                replace(piece, rows=rows, place=lambda row: piece.place(part.start + row)),
                self._layout,
                self._columns,
                self._times,
            )

        def content(row: int) -> dict[str, str | None]:
            values = {name: piece.rows[name][row].as_py() for name in names}
            return {name: None if value is None else str(value) for name, value in values.items()}

        return self._salvage.rows(len(piece.rows), convert, content)
