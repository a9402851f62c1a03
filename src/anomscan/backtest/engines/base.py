"""What an engine is: a function is mapped over units of work, results come back as they complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeVar

Unit = TypeVar("Unit")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Lost:
    """What comes back in a result's place where a unit has ended its worker each time it was tried.

    Parameters
    ----------
    reason
        One line.
    """

    reason: str


class Engine(Protocol):
    """Maps a function over units. Used as a context manager; its workers live as long as the block."""

    def __enter__(self) -> Self:
        """Make the workers ready.

        Raises
        ------
        AnomscanError
            If there are none to be had, or they run another version than this process.
        """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the workers go, without waiting for what they are at."""

    @property
    def workers(self) -> int:
        """How many units are worked on at a time."""

    def map(self, work: Callable[[Unit], Result], units: Iterable[Unit]) -> Iterator[tuple[Unit, Result | Lost]]:
        """Do the work on each unit.

        Parameters
        ----------
        work
            A pure function, which a worker elsewhere gets once, pickled.
        units
            Small descriptions of what to do; taken from the iterable as workers come free.

        Yields
        ------
        Each unit, once, with its result or that it was lost; in the order in which they complete. What ``work`` raises
        is raised here, and ends the mapping.
        """
