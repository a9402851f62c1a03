"""The views of assets that the one file of a fleet holds: those that matter most, up to a size."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class View:
    """One asset's view, ready for the page; the least is the last on the page."""

    order: tuple[Any, ...]
    asset: str
    stem: str
    html: str
    drawing: str

    def __lt__(self, other: View) -> bool:
        return self.order > other.order

    @property
    def size(self) -> int:
        """How many characters it takes, which is nearly how many bytes."""
        return len(self.html) + len(self.drawing)


class Embedded:
    """Keeps the most urgent views that fit.

    Parameters
    ----------
    most
        How many characters all of them may take.
    """

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._heap: list[View] = []
        self.left_out = 0

    def offer(self, view: View) -> None:
        """Keep a view, and drop those that no longer fit, the least urgent first."""
        heapq.heappush(self._heap, view)
        self._size += view.size
        self.fit(self._most)

    def fit(self, most: int) -> None:
        """Drop the least urgent views until the others take no more characters than that."""
        while self._size > most:
            self._size -= heapq.heappop(self._heap).size
            self.left_out += 1

    @property
    def views(self) -> list[View]:
        """Those kept, the most urgent first."""
        return sorted(self._heap, reverse=True)
