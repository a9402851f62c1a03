"""Planned outages: when an asset is not expected to work as usual, so that what it does says nothing about it.

Times are those of the samples, datetime64[us]: UTC, or the dates of the source's zone where the cadence is whole days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Instants

_DAY = np.timedelta64(1, "D")
_WEEK = np.timedelta64(7, "D")
_MONDAY = np.datetime64("1970-01-05", "us")
#: No sample lies outside.
FIRST, LAST = np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31", "us")


@dataclass(frozen=True, slots=True)
class Outage:
    """One stretch of time.

    Parameters
    ----------
    start, end
        datetime64[us]; the end is no longer part of it.
    reason
        Why, for people.
    """

    start: np.datetime64
    end: np.datetime64
    reason: str

    def between(self, first: np.datetime64, last: np.datetime64) -> list[tuple[np.datetime64, np.datetime64]]:
        """Start and end, if it may touch a stretch of time."""
        return [(self.start, self.end)] if self.start <= last and self.end > first else []


@dataclass(frozen=True, slots=True)
class WeeklyOutage:
    """A stretch of time that comes back each week, by the clocks of a zone.

    Parameters
    ----------
    minute, minutes
        When it begins, in minutes since Monday began, and how many minutes later, by the clocks, it ends.
    timezone
        IANA name.
    dates_of
        The zone of the samples' dates; None where samples are instants.
    reason
        Why, for people.
    """

    minute: int
    minutes: int
    timezone: str
    dates_of: str | None
    reason: str

    def between(self, first: np.datetime64, last: np.datetime64) -> list[tuple[np.datetime64, np.datetime64]]:
        """Start and end of each that may touch a stretch of time."""
        # Whole years, so that the assets of a fleet share them.
        year, until = first.astype("datetime64[Y]"), last.astype("datetime64[Y]") + np.timedelta64(1, "Y")
        return _weeks(self, year.astype("datetime64[us]"), until.astype("datetime64[us]"))


@dataclass(frozen=True, slots=True)
class Outages:
    """Those of all assets.

    Parameters
    ----------
    by_asset
        Asset, or record of a cohort -> its outages.
    """

    by_asset: Mapping[str, tuple[Outage | WeeklyOutage, ...]] = field(default_factory=dict)

    def mask(self, asset: str, timestamps: Instants, cadence: Cadence) -> NDArray[np.bool_]:
        """(n,) bool: the samples of which any part lies in an outage; each stands for the step that it begins."""
        found = np.zeros(len(timestamps), bool)
        for each in self.by_asset.get(asset, ()) if len(timestamps) else ():
            for start, end in each.between(timestamps[0] - cadence.step, timestamps[-1] + cadence.step):
                low = np.searchsorted(timestamps, start - cadence.step, "right")
                found[low : np.searchsorted(timestamps, end, "left")] = True
        return found

    def outside(self, asset: str, first: np.datetime64, count: int, cadence: Cadence) -> list[range]:
        """Which of ``count`` samples in a row, the first of them at ``first``, lie in no outage.

        Their places, from 0, as stretches: a row may be millions of samples long.
        """
        step = cadence.step
        touched: list[tuple[int, int]] = []
        for each in self.by_asset.get(asset, ()):
            for start, end in each.between(first - step, first + count * step):
                touched.append((int((start - step - first) // step) + 1, -int((first - end) // step)))
        free, at = [], 0
        for low, high in [*sorted(touched), (count, count)]:
            if at < min(low, count):
                free.append(range(at, min(low, count)))
            at = max(at, high)
        return free

    def reason(self, asset: str, timestamp: np.datetime64, cadence: Cadence) -> str | None:
        """Why a sample lies in an outage; None if it does not."""
        for each in self.by_asset.get(asset, ()):
            for start, end in each.between(timestamp - cadence.step, timestamp + cadence.step):
                if start < timestamp + cadence.step and timestamp < end:
                    return each.reason
        return None


def in_sample_time(instant: np.datetime64, dates_of: str | None) -> np.datetime64:
    """A UTC instant as the samples' timestamps tell it: what the clocks of a zone show where those are its dates."""
    if dates_of is None or dates_of == "UTC" or not FIRST + _DAY < instant < LAST - _DAY:
        return instant
    return _wall(instant, ZoneInfo(dates_of))


@lru_cache(64)
def _weeks(rule: WeeklyOutage, first: np.datetime64, last: np.datetime64) -> list[tuple[np.datetime64, np.datetime64]]:
    zone, found = ZoneInfo(rule.timezone), []
    monday = first - (first - _MONDAY) % _WEEK - _WEEK
    for week in np.arange(monday, last + _WEEK, _WEEK):
        start = week + np.timedelta64(rule.minute, "m")
        ends = (_utc(start, zone), _utc(start + np.timedelta64(rule.minutes, "m"), zone))
        if ends[0] < ends[1]:  # clocks that are set forward may leave nothing of it
            found.append((in_sample_time(ends[0], rule.dates_of), in_sample_time(ends[1], rule.dates_of)))
    return found


def _utc(wall: np.datetime64, zone: ZoneInfo) -> np.datetime64:
    return np.datetime64(_moment(wall).replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None), "us")


def _wall(instant: np.datetime64, zone: ZoneInfo) -> np.datetime64:
    return np.datetime64(_moment(instant).replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None), "us")


def _moment(instant: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(instant.astype("datetime64[us]")))
