"""Use the rows that can be used: those that cannot are handed out one by one, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.tables.columns import Piece, needed, to_rows
from anomscan.tables.moments import Place
from anomscan.tables.times import Times
from anomscan.tables.values import Numbers, Plausible
from anomscan.telemetry.rows import ASSET, Layout

#: So many rows are tried before the format, rather than a row, is held to be wrong ...
_PATIENCE = 50
#: ... of so many assets, where a table holds several: a single one may have no good row at all.
_ASSETS = 20
#: More rejects than this are not a row's fault either.
_MOST = 200_000


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

    Parameters
    ----------
    assets
        Of how many assets rows must be at fault before the format is held to be wrong.
    plausible
        What puts impossible values aside: a reject tells of them, and the row goes on without them.
    """

    def __init__(self, assets: int = 1, plausible: Plausible | None = None) -> None:
        self._assets = assets
        self._plausible = plausible or Plausible()
        self._at_fault: set[str | None] = set()
        self._first: InputError | None = None
        self._used = 0
        self._rejected = 0

    def rows(
        self,
        count: int,
        convert: Callable[[slice], pa.Table],
        content: Callable[[int], Mapping[str, str | None]],
        place: Place,
        asset_of: Callable[[Mapping[str, str | None]], str | None] = lambda row: None,
    ) -> Iterator[pa.Table | Reject]:
        """Convert ``count`` rows.

        Parameters
        ----------
        convert
            Some of the rows as the store takes them; InputError if one cannot be used.
        content
            What one row holds.
        place
            Where it stands.
        asset_of
            Whose row that is, of what it holds.

        Raises
        ------
        InputError
            Where the format must be wrong, or too many rows cannot be used: the first row's reason.
        """
        waiting = [slice(0, count)] if count else []
        while waiting:
            part = waiting.pop()
            try:
                rows = convert(part)
            except InputError as error:
                self._first = self._first or error
                if part.stop - part.start > 1:
                    middle = (part.start + part.stop) // 2
                    waiting += [slice(middle, part.stop), slice(part.start, middle)]
                    continue
                reject = Reject(error.message, content(part.start))
                self.put_aside(reject, asset_of(reject.row))
                yield reject
            else:
                self._used += part.stop - part.start
                rows, impossible = self._plausible.without(rows)
                for row, what in impossible.items():
                    reason = f"{place(part.start + row)}, {what}"
                    self._rejected += 1
                    if self._rejected > _MOST:
                        raise InputError(reason)
                    yield Reject(reason, content(part.start + row))
                yield rows

    def put_aside(self, reject: Reject, asset: str | None) -> None:
        """Count a row that was refused before.

        Raises
        ------
        InputError
            Where too many rows cannot be used: the first row's reason.
        """
        self._first = self._first or InputError(reject.reason)
        self._rejected += 1
        self._at_fault.add(asset)
        hopeless = self._rejected >= _PATIENCE and len(self._at_fault) >= self._assets
        if self._rejected > _MOST or (self._used == 0 and hopeless):
            raise self._first from None

    def finish(self) -> None:
        """Refuse what has rows of which none can be used.

        Raises
        ------
        InputError
            The first row's reason.
        """
        if self._used == 0 and self._first is not None:
            raise self._first


class Usable:
    """Makes the store's rows of one fetch's pieces; to be finished after the last.

    Parameters
    ----------
    asset
        The id of all rows, where no column holds it.
    """

    def __init__(
        self,
        layout: Layout,
        columns: Columns,
        times: Times,
        numbers: Numbers | None = None,
        plausible: Plausible | None = None,
        *,
        asset: str | None = None,
    ) -> None:
        self._layout = layout
        self._columns = columns
        self._times = times
        self._asset = asset
        self._numbers = numbers
        self._salvage = Salvage(1 if columns.asset is None else _ASSETS, plausible)
        self.finish = self._salvage.finish

    def rejected(self, reject: Reject) -> Reject:
        """A row that its reader refused.

        Raises
        ------
        InputError
            Where too many rows cannot be used.
        """
        self._salvage.put_aside(reject, None if self._columns.asset is None else reject.row.get(self._columns.asset))
        return reject

    def rows(self, piece: Piece) -> Iterator[pa.Table | Reject]:
        """The rows of ``layout.schema`` that a piece has, and the rejects.

        Raises
        ------
        InputError
            Where the format must be wrong, or too many rows cannot be used.
        """
        names = needed(self._columns)
        column = self._columns.asset

        def convert(part: slice) -> pa.Table:
            rows = piece.rows.slice(part.start, part.stop - part.start)
            return to_rows(
                replace(piece, rows=rows, place=lambda row: piece.place(part.start + row)),
                self._layout,
                self._columns,
                self._times,
                self._asset,
                self._numbers,
            )

        def content(row: int) -> dict[str, str | None]:
            values = {name: piece.rows[name][row].as_py() for name in names}
            texts = {name: None if value is None else str(value) for name, value in values.items()}
            return texts if column is not None or self._asset is None else {ASSET: self._asset, **texts}

        def asset_of(row: Mapping[str, str | None]) -> str | None:
            return None if column is None else row[column]

        return self._salvage.rows(len(piece.rows), convert, content, piece.place, asset_of)
