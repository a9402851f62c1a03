"""What came of a commit: how many rows were new, which were rejected and why, and whether it can be right at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomscan.errors import InputError
from anomscan.store.block import Block
from anomscan.store.roster import Roster
from anomscan.telemetry.cadence import Cadence, instant_text
from anomscan.telemetry.rows import ASSET, HEALTH, TIMESTAMP, Layout

#: After how many steps a cadence that none of them keeps is an error.
STEPS = 10
#: So many rows off the grid, if they are more than a third of an asset's, say that the cadence is another.
MANY, THIRD = 10, 3
#: More rejects than this are not a row's fault.
MOST_REJECTS = 200_000

#: The shortest and the longest month, in microseconds.
_MONTH_US = 28 * 86_400_000_000, 31 * 86_400_000_000

_NONE = np.empty(0, np.int64)
_CADENCE_HINT = "declare the cadence of the data, or correct the timestamps"


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row that was not stored.

    Parameters
    ----------
    reason
        Why, one line.
    row
        What it held, as text; None where empty.
    origin
        Its number in the fetch; -1 where there is none.
    """

    reason: str
    row: dict[str, str | None]
    origin: int = -1


@dataclass(frozen=True, slots=True)
class FailedAsset:
    """An asset of which nothing was stored, and why."""

    asset: str
    reason: str
    hint: str


@dataclass(slots=True)
class Findings:
    """The summary of a whole commit; each ``merge`` adds to it.

    Parameters
    ----------
    assets, new, revised, unchanged
        Counts: assets with rows; samples not known before, with another value than before, as before.
    rejects
        Rows that were not stored.
    failed
        Assets that do not keep the cadence.
    regridded
        Assets of which most samples say another grid than those that are stored, which have to go.
    """

    layout: Layout
    assets: int = 0
    new: int = 0
    revised: int = 0
    unchanged: int = 0
    rejects: list[RejectedRow] = field(default_factory=list)
    failed: list[FailedAsset] = field(default_factory=list)
    regridded: set[str] = field(default_factory=set)
    _keeping: int = 0
    _off_grid: int = 0
    _first_off: str | None = None
    _steps: int = 0
    _smallest: int = 0

    def reject(self, rows: Block, places: NDArray[np.int64], reasons: Iterable[str]) -> None:
        """Note rows that are not stored.

        Raises
        ------
        InputError
            There are too many of them.
        """
        origins = [-1] * len(places) if rows.origin is None else rows.origin[places].tolist()
        self.rejects += map(RejectedRow, reasons, _contents(rows, places, self.layout), origins)
        if len(self.rejects) > MOST_REJECTS:
            raise InputError(
                f"more than {MOST_REJECTS} rows cannot be used: {self.rejects[0].reason}; nothing was stored",
                hint="correct the source",
            )

    def count_grid(
        self, assets: int, off: NDArray[np.int64] = _NONE, of: NDArray[np.int64] = _NONE, first: str | None = None
    ) -> None:
        """Note how many assets there were, and of those with samples off their grid how many of how many.

        Parameters
        ----------
        assets
            All of them.
        off, of
            (m,) samples off the grid, and all samples, of the assets that have some.
        first
            The first of those samples, in words.
        """
        self._keeping += assets - int((off * THIRD > of).sum())
        self._off_grid += int(off.sum())
        self._first_off = self._first_off or first

    def fail(self, asset: str, reason: str, farthest_us: int) -> None:
        """Note an asset that does not keep the cadence, and how far from the grid its samples lie at most."""
        seconds = -(-farthest_us // 1_000_000)
        hint = _CADENCE_HINT
        if 4_000_000 * seconds <= self.layout.cadence.step_us:
            hint = f'align = "nearest" with align_tolerance = "{seconds}s" takes them'
        self.failed.append(FailedAsset(asset, reason, hint))

    def count_steps(self, entries: Roster) -> None:
        """Note the steps between the samples that the assets of the commit now have."""
        self._steps += int((entries.samples - 1).sum())
        steps = entries.smallest_step[entries.smallest_step > 0]
        if len(steps):
            self._smallest = min(self._smallest or int(steps.min()), int(steps.min()))

    def check(self) -> None:
        """Refuse a commit that cannot be right.

        Raises
        ------
        InputError
            A cadence that no asset keeps, or no row that can be used.
        """
        cadence = self.layout.cadence
        if self._off_grid >= MANY and self._keeping == 0:
            hint = self.failed[0].hint if self.failed else _CADENCE_HINT
            raise InputError(f"{self._first_off}; nothing was stored", hint=hint)
        if self.assets == 0 and self.rejects:
            more = f", and no other of {len(self.rejects)} rows can be used" if len(self.rejects) > 1 else ""
            raise InputError(f"{self.rejects[0].reason}{more}; nothing was stored", hint="correct the source")
        if self._steps >= STEPS and self._smallest > cadence.step_us:
            smallest = _step_text(self._smallest)
            if cadence.step_us < _MONTH_US[0] <= self._smallest <= _MONTH_US[1]:
                raise InputError(
                    f"the cadence is declared as {cadence.name}, but all samples are {smallest} or more apart, as they "
                    "are where the day is read as the month; nothing was stored",
                    hint="write the dates as 2017-01-31, or set timestamp_format with %d and %m in their order",
                )
            raise InputError(
                f"the cadence is declared as {cadence.name}, but no two samples are that far apart: "
                f"the smallest step is {smallest}; nothing was stored",
                hint=f'cadence = "{smallest}"',
            )


def instant(micros: int | np.int64) -> str:
    """Microseconds since 1970, UTC, as an instant in words."""
    return instant_text(np.datetime64(int(micros), "us"))


def _contents(rows: Block, places: NDArray[np.int64], layout: Layout) -> Iterable[dict[str, str | None]]:
    for place in places.tolist():
        timestamp = np.datetime64(int(rows.timestamps[place]), "us")
        values = (None if np.isnan(value) else repr(value) for value in rows.values[place].tolist())
        code = int(rows.health[place])
        yield {
            ASSET: rows.names[int(rows.assets[place])],
            TIMESTAMP: layout.cadence.text(timestamp),
            **dict(zip(layout.variables, values, strict=True)),
            HEALTH: None if code < 0 else rows.health_names[code],
        }


def _step_text(step_us: int) -> str:
    """Whole seconds in the form of a cadence; the grid of a cadence has nothing finer."""
    for unit in ("D", "h", "min"):
        unit_us = Cadence.parse(f"1{unit}").step_us
        if step_us % unit_us == 0:
            return f"{step_us // unit_us}{unit}"
    return f"{step_us // 1_000_000}s"
