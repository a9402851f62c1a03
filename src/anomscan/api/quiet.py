"""A console for Python: it keeps warnings and says nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anomscan.jobs.tally import Tally


@dataclass(slots=True)
class Quiet:
    """A console that keeps warnings and says nothing else."""

    warnings: list[str] = field(default_factory=list)
    can_ask: bool = False

    def agrees(self, question: str) -> bool:
        """There is nobody to ask."""
        return False

    def data(self, line: str) -> None:
        """Say nothing."""

    def info(self, message: str, **facts: object) -> None:
        """Say nothing."""

    def warn(self, message: str) -> None:
        """Keep it."""
        self.warnings.append(message)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, data: bool) -> None:
        """Draw nothing."""

    @contextmanager
    def progress(self, what: str, total: int | None, *, unit: str = "assets") -> Iterator[Callable[[int], None]]:
        """Show nothing."""
        yield lambda count: None

    @contextmanager
    def scanning(self, total: int, before: Tally) -> Iterator[Callable[[Tally], None]]:
        """Show nothing."""
        yield lambda tally: None
