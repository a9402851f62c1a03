"""Samples that follow the clocks of a time zone through their changes, and so have no fixed step."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomscan.errors import AssetError, InputError
from anomscan.tables.zones import Moments
from anomscan.telemetry import arrow
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import ASSET, TIMESTAMP

_HOUR_US = 3_600_000_000
_DAY = np.timedelta64(1, "D")
_MINUTE_US = 60_000_000
_MINUTE = np.timedelta64(1, "m")
#: So much of an asset's samples must keep the clock: a few may be off for another reason.
_MOST = 0.9
#: So many samples must tell the clock from UTC: one may be odd.
_LEAST = 2


#: Of the zones of which clocks are changed alike, one each: what samples may follow in a source that names no zone.
_KNOWN = ("Europe/Berlin", "America/New_York", "Australia/Sydney")


def clock_changes(
    timezone: str, cadence: Cadence, ends: Callable[[], Mapping[str, np.datetime64]]
) -> list[ClockChanges]:
    """For the zone of a source; where that is UTC, for some that the samples may be of all the same."""
    if timezone != "UTC":
        return [ClockChanges(timezone, cadence, ends)]
    return [ClockChanges(zone, cadence, ends, guessed=True) for zone in _KNOWN]


def followers(changes: Sequence[ClockChanges]) -> dict[str, AssetError]:
    """The assets that follow the clocks of some zone, and what is to be told of each.

    Raises
    ------
    InputError
        If all do.
    """
    failures: dict[str, AssetError] = {}
    for each in changes:
        failures = each.failures() | failures
    if failures and all(each.assets <= failures.keys() for each in changes):
        asset = min(failures)
        raise InputError(f"asset '{asset}': {failures[asset].message}; nothing was stored", hint=failures[asset].hint)
    return failures


class ClockChanges:
    """Finds the assets whose samples stand at the same times of the local day on both sides of a change of clocks.

    Parameters
    ----------
    timezone
        IANA name; whose clocks may be followed.
    cadence
        The step between samples. If it divides every change of clocks, there is no doubt.
    guessed
        Whether nobody has said that the zone is the samples' one.
    ends
        Gives the last sample of each asset whose history is known.
    """

    def __init__(
        self, timezone: str, cadence: Cadence, ends: Callable[[], Mapping[str, np.datetime64]], *, guessed: bool = False
    ) -> None:
        self._name = timezone
        self._guessed = guessed
        self._zone = ZoneInfo(timezone)
        self._cadence = cadence
        self._step = cadence.step
        self._at = functools.lru_cache(1 << 16)(self._offset)
        self._doubtful = not cadence.whole_days and timezone != "UTC" and not self._divides_changes()
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
        # The end of a history stands for samples like it.
        known = [(code, self._ends.pop(name)) for code, name in enumerate(names) if name in self._ends] * _LEAST
        codes = np.concatenate([codes, np.array([code for code, _ in known], codes.dtype)])
        moments = np.concatenate([moments, np.array([end for _, end in known], "datetime64[us]")])
        unique, places = np.unique(moments, return_inverse=True)
        ahead = self._ahead(unique)
        changes = np.flatnonzero((ahead[1:] - ahead[:-1]) % self._step)
        if len(changes) and self._change is None:
            self._change = (unique[changes[0]], unique[changes[0] + 1])
        for tally, shown in ((self._by_utc, unique), (self._by_clock, unique + ahead)):
            whole_minutes = (shown.view(np.int64) + _MINUTE_US // 2) // _MINUTE_US * _MINUTE_US  # for jitter
            residues = whole_minutes % self._cadence.step_us
            keys = codes.astype(np.int64) * self._cadence.step_us + residues[places]
            found, counts = np.unique(keys, return_counts=True)
            for key, count in zip(found.tolist(), counts.tolist(), strict=True):
                code, residue = divmod(key, self._cadence.step_us)
                tally.setdefault(names[code], Counter())[residue] += count

    @property
    def assets(self) -> AbstractSet[str]:
        """Those that were seen, if there was a doubt."""
        return self._by_utc.keys()

    def failures(self) -> dict[str, AssetError]:
        """The assets that follow the clocks, and what is to be told of each."""
        if self._change is None:
            return {}
        follow = [asset for asset, by_clock in self._by_clock.items() if self._follows(by_clock, self._by_utc[asset])]
        return dict.fromkeys(follow, self._error(*self._found(*self._change))) if follow else {}

    @staticmethod
    def _follows(by_clock: Counter[int], by_utc: Counter[int]) -> bool:
        clock = max(by_clock.values())
        return clock - max(by_utc.values()) >= _LEAST and clock >= _MOST * by_clock.total()

    def _error(self, at: date, hours: float) -> AssetError:
        return AssetError(
            f"its samples keep {'a' if self._guessed else 'the'} local time "
            f"{'like that of' if self._guessed else 'of'} {self._name}, whose clocks were set "
            f"{'forward' if hours > 0 else 'back'} on {at:%Y-%m-%d} (daylight saving time): a cadence of "
            f"{self._cadence.name} has steps of one length",
            hint="have them written in steps of UTC, or as daily values"
            if self._guessed
            else "have them written in steps of UTC, or as daily values; or set "
            'timezone = "UTC", where they have no offset, to take the local time as it stands',
        )

    def _divides_changes(self) -> bool:
        """Whether the step divides all that clocks in the zone have recently been changed by."""
        if _HOUR_US % self._cadence.step_us != 0:
            return False
        seasons = np.arange("1990-01", "2038-01", 3, dtype="datetime64[M]").astype("datetime64[us]")
        ahead = self._ahead(seasons)
        return not ((ahead - ahead[:1]) % self._step).any()

    def _ahead(self, utc: Moments) -> NDArray[np.timedelta64]:
        """(n,) what the clock is ahead of UTC by."""
        days, places = np.unique(utc.astype("datetime64[D]"), return_inverse=True)
        starts = days.astype("datetime64[us]")
        known = np.array([self._at(day) for day in starts.tolist()], "timedelta64[us]")
        ends = np.array([self._at(day) for day in (starts + _DAY).tolist()], "timedelta64[us]")
        ahead: NDArray[np.timedelta64] = known[places]
        changing = (known != ends)[places]  # on that day
        ahead[changing] = [self._at(moment) for moment in utc[changing].tolist()]
        return ahead

    def _offset(self, utc: datetime) -> timedelta:
        try:
            return utc.replace(tzinfo=UTC).astimezone(self._zone).utcoffset() or timedelta(0)
        except (OverflowError, AttributeError):  # the ends of the calendar, and beyond them, where NumPy gives numbers
            return timedelta(0)

    def _found(self, before: np.datetime64, after: np.datetime64) -> tuple[date, float]:
        """The day on which clocks were changed between two instants, and by how many hours."""
        ahead = self._ahead(np.array([before, after]))
        while after - before > _MINUTE:
            middle = before + (after - before) // 2
            before, after = (middle, after) if self._ahead(np.array([middle]))[0] == ahead[0] else (before, middle)
        day: date = (after + ahead[1]).astype("datetime64[D]").item()
        return day, float((ahead[1] - ahead[0]) / np.timedelta64(1, "h"))
