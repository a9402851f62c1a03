"""What an engine is: a function is mapped over items, results come back as they complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Lost:
    """What comes back instead of a result if an item has killed its worker each time.

    Parameters
    ----------
    reason
        One line.
    """

    reason: str


class Engine(Protocol):
    """Maps a function over items. Used as a context manager; its workers live as long as the block."""

    def __enter__(self) -> Self:
        """Prepare the workers.

        Raises
        ------
        AnomscanError
            If there are no workers, or they run another version than this process.
        """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the workers, without waiting for their current work."""

    @property
    def workers(self) -> int:
        """How many items are processed at a time."""

    def map(
        self, work: Callable[..., Result], items: Iterable[Item], load: Callable[[Item], object] | None = None
    ) -> Iterator[tuple[Item, Result | Lost]]:
        """Do the work on each item.

        Parameters
        ----------
        work
            A pure function of an item, which a worker elsewhere gets once, pickled. If it raises ``AwayError`` there,
            for want of what it reads, it is called again with the item and what ``load`` makes of it.
        items
            Small descriptions of what to do; taken from the iterable as workers come free.
        load
            Called in this process.

        Yields
        ------
        Each item, once, with its result or that it was lost; in the order in which they complete. What ``work`` raises
        is raised here, and ends the mapping.
        """
