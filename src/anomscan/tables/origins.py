"""Where the rows of a fetch stood, for what is found out about them only when they are compared with the others."""

from __future__ import annotations

from bisect import bisect_right
from threading import Lock

from anomscan.tables.moments import Where


class Origins:
    """Numbers the rows of a fetch, piece by piece.

    >>> origins = Origins()
    >>> origins.add(3, lambda row: f"a.csv line {row + 2}"), origins.add(2, lambda row: f"b.csv line {row + 2}")
    (0, 3)
    >>> origins.place(4)
    'b.csv line 3'
    """

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._places: list[Where] = []
        self._count = 0
        self._lock = Lock()

    def add(self, count: int, place: Where) -> int:
        """Number the rows of a piece; the number of its first."""
        with self._lock:
            first = self._count
            self._firsts.append(first)
            self._places.append(place)
            self._count += count
        return first

    def place(self, number: int) -> str:
        """Where a row stood."""
        piece = bisect_right(self._firsts, number) - 1
        return self._places[piece](number - self._firsts[piece])
