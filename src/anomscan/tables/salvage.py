"""Use the rows that can be used: those that cannot are handed out one by one, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.tables.columns import Piece, from_objects, needed, to_rows
from anomscan.tables.moments import RowsError, Where
from anomscan.tables.origins import Origins
from anomscan.tables.times import Times
from anomscan.tables.values import Numbers, Plausible
from anomscan.telemetry import arrow
from anomscan.telemetry.rows import ASSET, ORIGIN, Layout

_T = TypeVar("_T")
#: Of some of the rows of a piece, (m,).
Places = NDArray[np.int64]

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
    hint
        The way out, if many rows are like it.
    """

    reason: str
    row: Mapping[str, str | None]
    hint: str | None = None


def pieces_of(values: Mapping[str, Sequence[object]], columns: Columns, place: Where) -> Iterator[Piece | Reject]:
    """Rows of Python objects, see :func:`anomscan.tables.columns.from_objects`; those that it refuses as rejects."""
    count = len(values[columns.timestamp])
    left = list(range(count))

    def as_text(row: int) -> Mapping[str, str | None]:
        return {name: None if own[row] is None else str(own[row]) for name, own in values.items()}

    held: Callable[[int], Mapping[str, str | None]] = as_text
    while left:
        own = values if len(left) == count else {name: [given[row] for row in left] for name, given in values.items()}
        try:
            piece = from_objects(own, columns, place)
        except (RowsError, UnicodeEncodeError) as error:
            hint = error.hint if isinstance(error, RowsError) else None
            if isinstance(error, RowsError):
                wrong = {at: error.what(at) for at in error.rows.tolist()}
            else:
                what = " has text that is not Unicode (half of a surrogate pair)"
                wrong = {at: what for at in range(len(left)) if any(_is_half(given[at]) for given in own.values())}
            for at, what in wrong.items():
                yield Reject(f"{place(left[at])}{what}", as_text(left[at]), hint)
            left = [row for at, row in enumerate(left) if at not in wrong]
        else:
            if len(left) < count:
                place, held = _of_rows(place, left), _of_rows(held, left)
            yield replace(piece, place=place, held=held)
            return


def _is_half(value: object) -> bool:
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return True
    return False


def _of_rows(told: Callable[[int], _T], rows: Sequence[int]) -> Callable[[int], _T]:
    return lambda row: told(rows[row])


class Salvage:
    """Converts pieces of rows; its patience is one fetch's.

    A piece that cannot be converted is tried again without the rows that were at fault, all that were found at once;
    where it is not told which, it is halved until they stand alone. If the first rows are all at fault, the format may
    be wrong: the others are then put off until a few of them, of as many assets as there are, have shown a good one.

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
        convert: Callable[[Places], pa.Table],
        content: Callable[[int], Mapping[str, str | None]],
        place: Where,
        asset_of: Callable[[Mapping[str, str | None]], str | None] = lambda row: None,
    ) -> Iterator[pa.Table | Reject]:
        """Convert ``count`` rows.

        Parameters
        ----------
        convert
            Some of the rows, in rising order, as the store takes them; InputError if one cannot be used.
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
        given = _Rows([np.arange(count)] if count else [], convert, content, place, asset_of)
        if not self._is_hopeless:
            yield from self._converted(given, patient=False)
        if not given.waiting:
            return
        if given.has_good():
            for rows in (*self._put_off, given):
                yield from self._converted(rows, patient=True)
            self._put_off.clear()
        else:
            self._put_off.append(given)
            if self._first is not None and sum(rows.count for rows in self._put_off) > _WAITING:
                raise self._first

    @property
    def _is_hopeless(self) -> bool:
        return self._used == 0 and self._rejected >= _PATIENCE

    def _converted(self, given: _Rows, *, patient: bool) -> Iterator[pa.Table | Reject]:
        """Convert rows, and then those that cannot be; without patience no more once it is hopeless."""
        waiting = given.waiting
        reasons: dict[int, tuple[str, str | None]] = {}
        while waiting and (patient or not self._is_hopeless):
            part = waiting.pop()
            try:
                rows = given.convert(part)
            except InputError as error:
                self._first = self._first or InputError(error.message, hint=error.hint)
                if isinstance(error, RowsError):
                    wrong = error.rows
                    if not patient and self._used == 0 and len(wrong) > _PATIENCE:
                        wrong = wrong[:_PATIENCE]
                        waiting.append(part[wrong[-1] + 1 :])
                        part = part[: wrong[-1] + 1]
                    for row in wrong.tolist():
                        reasons[int(part[row])] = f"{given.place(int(part[row]))}{error.what(row)}", error.hint
                        self._count()
                    if len(wrong) < len(part):
                        waiting.append(np.delete(part, wrong))
                elif len(part) > 1:
                    waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
                else:
                    reasons[int(part[0])] = error.message, error.hint
                    self._count()
            else:
                self._used += len(part)
                rows, impossible = self._plausible.without(rows)
                for row, what in impossible.items():
                    reason = f"{given.place(int(part[row]))}, {what}"
                    reasons[int(part[row])] = reason, None
                    self._count(InputError(reason))
                yield rows
        for row in sorted(reasons):
            reason, hint = reasons[row]
            yield Reject(reason, given.content(row), hint)

    def _count(self, error: InputError | None = None) -> None:
        """Count a reject; too many of them are the fetch's first error, or this one."""
        self._rejected += 1
        if self._rejected > _MOST:
            raise self._first or error or InputError("too many rows cannot be used")

    def put_aside(self, reject: Reject, *, hint: str | None = None) -> None:
        """Count a row that was refused before.

        Raises
        ------
        InputError
            Where too many rows cannot be used: the first row's reason.
        """
        self._first = self._first or InputError(reject.reason, hint=hint)
        self._count()

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

    waiting: list[Places]
    convert: Callable[[Places], pa.Table]
    content: Callable[[int], Mapping[str, str | None]]
    place: Where
    asset_of: Callable[[Mapping[str, str | None]], str | None]

    @property
    def count(self) -> int:
        return sum(map(len, self.waiting))

    def has_good(self) -> bool:
        """Whether one of some rows is good: of rows all over, and of as many assets as they have."""
        rows = np.concatenate(self.waiting)
        some = rows[:: max(len(rows) // (10 * _TRIED), 1)].tolist()
        firsts = {self.asset_of(self.content(row)): row for row in reversed(some)}
        return any(map(self._is_good, (*list(firsts.values())[:_TRIED], *some[:: max(len(some) // _TRIED, 1)])))

    def _is_good(self, row: int) -> bool:
        try:
            self.convert(np.array([row]))
        except InputError:
            return False
        return True


class Usable:
    """Makes the store's rows of one fetch's pieces; to be finished after the last.

    Parameters
    ----------
    asset
        The id of all rows, where no column holds it.
    origins
        Where the rows are numbered.
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
        origins: Origins | None = None,
    ) -> None:
        self._origins = origins or Origins()
        self._layout = layout
        self._columns = columns
        self._times = times
        self._asset = asset
        self._numbers = numbers
        self._salvage = Salvage(plausible)
        self.finish = self._salvage.finish
        self.refuse_waiting = self._salvage.refuse_waiting

    def rejected(self, reject: Reject, *, hint: str | None = None) -> Reject:
        """A row that its reader refused; ``hint`` is the way out, if all are like it.

        Raises
        ------
        InputError
            Where too many rows cannot be used.
        """
        self._salvage.put_aside(reject, hint=hint)
        return reject

    def rows(self, piece: Piece) -> Iterator[pa.Table | Reject]:
        """The rows of ``layout.schema`` that a piece has, with their numbers in ``origin``, and the rejects.

        Raises
        ------
        InputError
            Where the format must be wrong, or too many rows cannot be used.
        """
        names = needed(self._columns)
        column = self._columns.asset
        first = self._origins.add(len(piece.rows), piece.place)

        def convert(part: Places) -> pa.Table:
            whole = len(part) == len(piece.rows)
            rows = piece.rows if whole else piece.rows.take(arrow.to_numbers(part, pa.int64()))
            converted = to_rows(
                replace(piece, rows=rows, place=lambda row: piece.place(int(part[row]))),
                self._layout,
                self._columns,
                self._times,
                self._asset,
                self._numbers,
            )
            return converted.append_column(ORIGIN, arrow.to_numbers(part + first, pa.int64()))

        def content(row: int) -> dict[str, str | None]:
            if piece.held is None:
                values = {name: piece.rows[name][row].as_py() for name in names}
                texts = {name: None if value is None else str(value) for name, value in values.items()}
            else:
                texts = dict(piece.held(row))
            return texts if column is not None or self._asset is None else {ASSET: self._asset, **texts}

        def asset_of(row: Mapping[str, str | None]) -> str | None:
            return None if column is None else row[column]

        return self._salvage.rows(len(piece.rows), convert, content, piece.place, asset_of)
