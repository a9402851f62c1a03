"""What is asked of a source: a user's options, and from where a nightly fetch goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from anomscan.errors import ConfigError
from anomscan.sources.base import Request
from anomscan.store.rules import CommitRules
from anomscan.tables.zones import wall_clock
from anomscan.telemetry.cadence import first_instant, last_instant

if TYPE_CHECKING:
    from anomscan.config import SourceSettings
    from anomscan.store.store import Store

_MOST_DAYS = 700_000


def request_of(
    *,
    assets: Sequence[str] | None = None,
    start: str | None = None,
    end: str | None = None,
    days: int | None = None,
    timezone: str = "UTC",
    dates: bool = False,
    now: np.datetime64 | None = None,
) -> Request:
    """The request for a user's options.

    Parameters
    ----------
    assets
        Ids, each taken once; None or none at all for every asset.
    start, end
        Dates or instants; a date is included whole.
    days
        The last N days before today, and today.
    timezone
        IANA name; where days begin.
    dates
        Whether samples are dates, which are midnights in UTC, wherever they begin.
    now
        datetime64[us], UTC; the clock's by default.

    Raises
    ------
    ConfigError
        Not a date or an instant; the start after the end.
    """
    zone = "UTC" if dates else timezone
    first = None if start is None else first_instant(start, zone)
    last = None if end is None else last_instant(end, zone)
    if first is not None and last is not None and first > last:
        raise ConfigError(f"--from {start} is after --to {end}")
    if days is not None:
        today = np.datetime64(wall_clock(current_time() if now is None else now, timezone), "D")
        since = first_instant(str(today - np.timedelta64(min(days, _MOST_DAYS), "D")), zone)
        first = since if first is None else max(first, since)
        if last is not None and first > last:
            raise ConfigError(f"--days {days} begins after --to {end}")
    return Request(tuple(dict.fromkeys(assets)) if assets else None, first, last)


def rules_of(settings: SourceSettings) -> CommitRules:
    """What becomes of a source's rows that do not fit."""
    # The files of a source whose newest file counts are read in the order of their age.
    how = "last" if settings.duplicates == "newest-file" else settings.duplicates
    return CommitRules(how, settings.tolerance_us, settings.columns.health is not None)


def resumed(request: Request, store: Store, source: str, late: np.timedelta64) -> Request:
    """The request, begun with each known asset at its last sample less the margin for late data.

    A request that says itself where to begin or to end is left as it is.
    """
    if request.start is not None or request.end is not None:
        return request
    return replace(request, since={asset: last - late for asset, last in store.last_timestamps(source).items()})


def current_time() -> np.datetime64:
    """The time by the clock, datetime64[us], UTC."""
    return np.datetime64(datetime.now(UTC).replace(tzinfo=None), "us")
