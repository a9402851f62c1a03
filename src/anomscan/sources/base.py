"""What a source is: a request goes in, rows come out in tables of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from anomscan.errors import AnomscanError
from anomscan.tables.salvage import Reject
from anomscan.telemetry.rows import Layout


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a source.

    Parameters
    ----------
    assets
        The ids wanted; None for all the source has.
    start, end
        datetime64[us], UTC, both inclusive; None for no bound.
    since
        Where to begin with the assets whose history is known; the others begin at ``start``. A source may give more.
    """

    assets: tuple[str, ...] | None = None
    start: np.datetime64 | None = None
    end: np.datetime64 | None = None
    since: Mapping[str, np.datetime64] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AssetFailure:
    """One asset that could not be fetched; the others go on."""

    asset: str
    error: AnomscanError


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know although the rows were delivered."""

    text: str


@runtime_checkable
class Placed(Protocol):
    """A source that numbers its rows, in a last column ``origin``."""

    def place(self, number: int) -> str:
        """Where a row of the last fetch stood, as the file and the line."""


class Source(Protocol):
    """Yields rows of ``layout.schema`` (:class:`anomscan.telemetry.rows.Layout`), in any order, in bounded pieces."""

    @property
    def name(self) -> str:
        """The name it has in the settings."""

    @property
    def layout(self) -> Layout:
        """Cadence and variables."""

    @property
    def timezone(self) -> str:
        """The IANA name of the time zone of its days and its naive timestamps."""

    def fetch(self, request: Request) -> Iterator[pa.Table | AssetFailure | Notice | Reject]:
        """Stream the rows asked for.

        Raises
        ------
        InputError
            A file that cannot be used, a wrong column, a value that is not a number.
        ServiceError
            Unreachable, or refused.
        """
