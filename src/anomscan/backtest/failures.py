"""One asset's failure stays its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from anomscan.errors import AnomscanError, AssetError


@dataclass(frozen=True, slots=True)
class Failure:
    """An asset that could not be scanned, and why."""

    asset: str
    error: AnomscanError


class Case(Protocol):
    """Anything that belongs to one asset."""

    @property
    def asset(self) -> str:
        """The asset's id."""


Given = TypeVar("Given", bound=Case)
Made = TypeVar("Made")


def surviving(
    work: Callable[[Sequence[Given]], Sequence[Made | Failure]], cases: Sequence[Given | Failure]
) -> list[Made | Failure]:
    """Do work for many assets at once and, if that fails, for one after another, so that only the one at fault fails.

    Parameters
    ----------
    work
        Gives an entry for each of some assets, in order, and the same one whoever else is among them.
    cases
        Those that have failed already stay as they are.

    Raises
    ------
    AnomscanError
        Where the fault is not one asset's: a model or a service cannot be used.
    """
    made = iter(_made(work, [case for case in cases if not isinstance(case, Failure)]))
    return [case if isinstance(case, Failure) else next(made) for case in cases]


def _made(work: Callable[[Sequence[Given]], Sequence[Made | Failure]], cases: list[Given]) -> list[Made | Failure]:
    if not cases:
        return []
    try:
        made = list(work(cases))
        if len(made) == len(cases):
            return made
        broken: Exception = ValueError(f"{len(made)} results for {len(cases)} assets")
    except AssetError as error:
        broken = error
    except AnomscanError:
        raise
    except Exception as error:  # whatever a detector or odd telemetry may raise
        from concurrent.futures import CancelledError

        if isinstance(error, CancelledError):  # the run is being aborted
            raise
        broken = error
    if len(cases) == 1:
        return [Failure(cases[0].asset, _named(broken, cases[0].asset))]
    return [each for case in cases for each in _made(work, [case])]


def _named(error: Exception, asset: str) -> AssetError:
    """The error as that asset's, with the original as its cause."""
    if isinstance(error, AssetError):
        return error
    named = AssetError(f"asset '{asset}': {type(error).__name__}: {error}".rstrip(" :"))
    named.__cause__ = error
    return named
