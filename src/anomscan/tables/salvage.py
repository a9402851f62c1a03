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

#: After so many rows without a good one the others wait: only if one of them is good too are all tried one by one.
_PATIENCE = 50
#: So many rows of a piece, and the first of so many of its assets, are tried to find a good one.
_TRIED = 200
#: More rejects than this are not a row's fault.
_MOST = 200_000
#: More rows than this do not wait: the format is wrong.
_WAITING = 1_000_000


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

    A piece that cannot be converted is halved until the rows at fault stand alone. If the first rows are all at fault,
    the format may be wrong, which would take long to find out row by row: the others are then put off until a few of
    them, of as many assets as there are, have shown a good one.

    Parameters
    ----------
    plausible
        What puts impossible values aside: a reject tells of them, and the row goes on without them.
    """

    def __init__(self, plausible: Plausible | None = None) -> None:
        self._plausible = plausible or Plausible()
        self._first: InputError | None = None
        self._used = 0
        self._rejected = 0
        self._put_off: list[_Rows] = []

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
        given = _Rows([slice(0, count)] if count else [], convert, content, place, asset_of)
        if not self._is_hopeless:
            yield from self._one_by_one(given, patient=False)
        if not given.waiting:
            return
        if given.has_good():
            for rows in (*self._put_off, given):
                yield from self._one_by_one(rows, patient=True)
            self._put_off.clear()
        else:
            self._put_off.append(given)
            if self._first is not None and sum(rows.count for rows in self._put_off) > _WAITING:
                raise self._first

    @property
    def _is_hopeless(self) -> bool:
        return self._used == 0 and self._rejected >= _PATIENCE

    def _one_by_one(self, given: _Rows, *, patient: bool) -> Iterator[pa.Table | Reject]:
        """Convert rows; without patience no more once it is hopeless."""
        waiting = given.waiting
        while waiting and (patient or not self._is_hopeless):
            part = waiting.pop()
            try:
                rows = given.convert(part)
            except InputError as error:
                self._first = self._first or error
                if part.stop - part.start > 1:
                    middle = (part.start + part.stop) // 2
                    waiting += [slice(middle, part.stop), slice(part.start, middle)]
                    continue
                reject = Reject(error.message, given.content(part.start))
                self.put_aside(reject)
                yield reject
            else:
                self._used += part.stop - part.start
                rows, impossible = self._plausible.without(rows)
                for row, what in impossible.items():
                    reason = f"{given.place(part.start + row)}, {what}"
                    self._rejected += 1
                    if self._rejected > _MOST:
                        raise InputError(reason)
                    yield Reject(reason, given.content(part.start + row))
                yield rows

    def put_aside(self, reject: Reject) -> None:
        """Count a row that was refused before.

        Raises
        ------
        InputError
            Where too many rows cannot be used: the first row's reason.
        """
        self._first = self._first or InputError(reject.reason)
        self._rejected += 1
        if self._rejected > _MOST:
            raise self._first from None

    def refuse_waiting(self) -> None:
        """Refuse rows that are put off, where they cannot wait for more.

        Raises
        ------
        InputError
            The first row's reason.
        """
        if self._put_off and self._first is not None:
            raise self._first

    def finish(self) -> None:
        """Refuse what has rows of which none can be used.

        Raises
        ------
        InputError
            The first row's reason.
        """
        if self._used == 0 and self._first is not None:
            raise self._first


@dataclass(slots=True)
class _Rows:
    """Some rows of a piece that wait to be converted, the last of ``waiting`` first; see ``Salvage.rows``."""

    waiting: list[slice]
    convert: Callable[[slice], pa.Table]
    content: Callable[[int], Mapping[str, str | None]]
    place: Place
    asset_of: Callable[[Mapping[str, str | None]], str | None]

    @property
    def count(self) -> int:
        return sum(part.stop - part.start for part in self.waiting)

    def has_good(self) -> bool:
        """Whether one of some rows is good: of rows all over, and of as many assets as they have."""
        rows = [row for part in self.waiting for row in range(part.start, part.stop)]
        some = rows[:: max(len(rows) // (10 * _TRIED), 1)]
        firsts = {self.asset_of(self.content(row)): row for row in reversed(some)}
        return any(map(self._is_good, (*list(firsts.values())[:_TRIED], *some[:: max(len(some) // _TRIED, 1)])))

    def _is_good(self, row: int) -> bool:
        try:
            self.convert(slice(row, row + 1))
        except InputError:
            return False
        return True


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
        self._salvage = Salvage(plausible)
        self.finish = self._salvage.finish

    def rejected(self, reject: Reject) -> Reject:
        """A row that its reader refused.

        Raises
        ------
        InputError
            Where too many rows cannot be used.
        """
        self._salvage.put_aside(reject)
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
