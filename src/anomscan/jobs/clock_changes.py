"""Samples that follow the clocks of a time zone through their changes, and so have no fixed step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomscan.errors import InputError
from anomscan.tables.zones import Moments, local
from anomscan.telemetry import arrow
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import ASSET, TIMESTAMP

_HALF_HOUR_US = 1_800_000_000
_MINUTE = np.timedelta64(1, "m")
#: So much of an asset's samples must keep the clock: a few may be off for another reason.
_MOST = 0.9


class ClockChanges:
    """Finds out whether a fleet's samples stand at the same times of the local day on both sides of a change of clocks.

    Parameters
    ----------
    timezone
        IANA name; whose clocks may be followed.
    cadence
        The step between samples. If it divides half an hour, it divides every change, and there is no doubt.
    ends
        Gives the last sample of each asset whose history is known.
    """

    def __init__(self, timezone: str, cadence: Cadence, ends: Callable[[], Mapping[str, np.datetime64]]) -> None:
        self._name = timezone
        self._zone = ZoneInfo(timezone)
        self._cadence = cadence
        self._step = cadence.step
        self._doubtful = not cadence.whole_days and timezone != "UTC" and _HALF_HOUR_US % cadence.step_us != 0
        self._ends = dict(ends()) if self._doubtful else {}
        # By asset: how many samples stand at which place of a step, by UTC and by the clock of the zone.
        self._by_utc: dict[str, Counter[int]] = {}
        self._by_clock: dict[str, Counter[int]] = {}
        self._change: tuple[np.datetime64, np.datetime64] | None = None

    def see(self, rows: pa.Table) -> None:
        """Take note of rows of ``Layout.schema``."""
        if not self._doubtful:
            return
        codes, names = arrow.codes(rows[ASSET])
        moments = arrow.numbers(rows[TIMESTAMP], "int64").view("datetime64[us]")
        known = [(code, self._ends.pop(name)) for code, name in enumerate(names) if name in self._ends]
        codes = np.concatenate([codes, np.array([code for code, _ in known], codes.dtype)])
        moments = np.concatenate([moments, np.array([end for _, end in known], "datetime64[us]")])
        unique, places = np.unique(moments, return_inverse=True)
        ahead = _ahead(unique, self._zone)
        changes = np.flatnonzero((ahead[1:] - ahead[:-1]) % self._step)
        if len(changes) and self._change is None:
            self._change = (unique[changes[0]], unique[changes[0] + 1])
        for tally, shown in ((self._by_utc, unique), (self._by_clock, unique + ahead)):
            residues = shown.view(np.int64) % self._cadence.step_us
            pairs = np.stack([codes.astype(np.int64), residues[places]])
            found, counts = np.unique(pairs, axis=1, return_counts=True)
            for code, residue, count in zip(*found.tolist(), counts.tolist(), strict=True):
                tally.setdefault(names[code], Counter())[residue] += count

    def refuse(self) -> None:
        """Refuse a fleet that follows the clocks.

        Raises
        ------
        InputError
            Naming an asset, the zone and the day of the change.
        """
        follows: dict[str, bool] = {}
        for asset, by_utc in self._by_utc.items():
            by_clock = self._by_clock[asset]
            utc, clock = max(by_utc.values()), max(by_clock.values())
            if utc != clock:
                follows[asset] = clock > utc and clock >= _MOST * by_clock.total()
        if 2 * sum(follows.values()) <= len(follows) or self._change is None:
            return
        asset = min(each for each, does in follows.items() if does)
        at, hours = _found(self._change, self._zone)
        raise InputError(
            f"asset '{asset}': its samples keep the local time of {self._name}, whose clocks were set "
            f"{'forward' if hours > 0 else 'back'} on {at:%Y-%m-%d} (daylight saving time): a cadence of "
            f"{self._cadence.name} has steps of one length; nothing was stored",
            hint="have them written in steps of UTC, or as daily values; or set "
            'timezone = "UTC", where they have no offset, to take the local time as it stands',
        )


def _found(between: tuple[np.datetime64, np.datetime64], zone: ZoneInfo) -> tuple[date, float]:
    """The day on which clocks were changed between two instants, and by how many hours."""
    before, after = between
    ahead = _ahead(np.array(between), zone)
    while after - before > _MINUTE:
        middle = before + (after - before) // 2
        before, after = (middle, after) if _ahead(np.array([middle]), zone)[0] == ahead[0] else (before, middle)
    day: date = local(np.array([after]), zone)[0].astype("datetime64[D]").item()
    return day, float((ahead[1] - ahead[0]) / np.timedelta64(1, "h"))


def _ahead(utc: Moments, zone: ZoneInfo) -> NDArray[np.timedelta64]:
    return local(utc, zone) - utc
