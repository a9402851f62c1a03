"""What clocks in a time zone show, and when they are changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Moments = NDArray[np.datetime64]

FIRST = np.datetime64("0001-01-01", "us")
LAST = np.datetime64("9999-12-31T23:59:59.999999", "us")
_DAY = np.timedelta64(1, "D")


def wall_clock(moment: np.datetime64, timezone: str) -> datetime:
    """What clocks in a zone show at a UTC instant, without the zone."""
    utc = datetime.fromisoformat(str(moment.astype("datetime64[us]"))).replace(tzinfo=UTC)
    return utc.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)


def offsets(wall: Moments, zone: ZoneInfo) -> tuple[NDArray[np.timedelta64], NDArray[np.timedelta64]]:
    """What wall-clock times are ahead of UTC by, before and after a change of clock; the same where there is none."""
    days, places = np.unique(wall.astype("datetime64[D]"), return_inverse=True)
    starts = _both(days.astype("datetime64[us]"), zone)
    ends = _both(np.minimum(days + _DAY, LAST.astype("datetime64[D]")).astype("datetime64[us]"), zone)
    # A day that begins and ends with the same offset has no change, so that its times need not be asked one by one.
    calm = ((starts == starts[:1]) & (ends == starts[:1])).all(axis=0)[places]
    found = starts[:, places]
    found[:, ~calm] = _both(wall[~calm], zone)
    return found[0], found[1]


def _both(wall: Moments, zone: ZoneInfo) -> NDArray[np.timedelta64]:
    """(2, n) offsets before and after a change of clock at that time."""
    moments = datetimes(wall, zone)
    return np.array(
        [[moment.replace(fold=fold).utcoffset() for moment in moments] for fold in (0, 1)], "timedelta64[us]"
    )


def datetimes(moments: Moments, zone: tzinfo) -> Sequence[datetime]:
    """The same moments as Python's, in a zone."""
    return [moment.replace(tzinfo=zone) for moment in moments.astype("datetime64[us]").tolist()]


def local(utc: Moments, zone: ZoneInfo) -> Moments:
    """What clocks in the zone show; moments at the very ends of the calendar stay."""
    inside = (utc > np.datetime64("0001-01-02")) & (utc < np.datetime64("9999-12-30"))
    listed = [moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) for moment in utc[inside].tolist()]
    local = utc.copy()
    local[inside] = np.array(listed, "datetime64[us]")
    return local
