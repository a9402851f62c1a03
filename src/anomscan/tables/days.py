"""Which day a daily value belongs to."""

from __future__ import annotations

from typing import Literal, Protocol
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from anomscan.tables import zones
from anomscan.tables.zones import Moments

_DAY = np.timedelta64(1, "D")
_TICK = np.timedelta64(1, "us")
_STEP = "declare the step between the samples as the cadence"
_ZONE = 'set timezone to where its days begin, as "Europe/Paris"'


class Refuse(Protocol):
    """Raises InputError for the moments that are bad, if one is."""

    def __call__(self, bad: NDArray[np.bool_], hint: str) -> None:
        """``bad`` is (n,)."""


class Days:
    """Tells the days of one source's samples, which all have the same time of day.

    Where all stand at midnight, a sample's day is the date as written. Otherwise it is the day in the source's time
    zone, and the time of day must be the same there, or as written, for all samples: others are not daily.

    Parameters
    ----------
    timezone
        IANA name; None: moments with an offset must be at midnight.
    stamp
        ``"end"`` where a sample is stamped at the end of its day: midnight then belongs to the day before.
    """

    def __init__(self, timezone: str | None, stamp: Literal["start", "end"]) -> None:
        self._zone = None if timezone is None else ZoneInfo(timezone)
        self._stamp = stamp
        # As written, and in the zone: the time of day, and whether all samples had it.
        self._clocks: tuple[np.timedelta64, np.timedelta64] | None = None
        self._same = (True, True)
        self._as_written = False  # whether a date as written was not the day in the zone

    def of(self, wall: Moments, utc: Moments | None, dated: NDArray[np.bool_], refuse: Refuse) -> Moments:
        """The days of some samples, (n,) datetime64[us] at midnight.

        Parameters
        ----------
        wall
            (n,) the moments as written, n > 0.
        utc
            (n,) the instants, where they were written with an offset.
        dated
            (n,) whether a date without a time of day was written, which is itself whatever ``stamp``.

        Raises
        ------
        InputError
            By ``refuse``, for samples that are not daily.
        """
        clock = wall - _midnight(wall)
        if utc is not None and self._zone is None:
            refuse(clock != np.timedelta64(0, "us"), _ZONE)
        local = wall if utc is None or self._zone is None else zones.local(utc, self._zone)
        local_clock = local - _midnight(local)
        if self._clocks is None:
            # Kept though a sample is refused: it is then the others that tell the time of day.
            self._clocks = (_commonest(clock), _commonest(local_clock))
        other, local_other = clock != self._clocks[0], local_clock != self._clocks[1]
        same = (self._same[0] and not other.any(), self._same[1] and not local_other.any())
        if not any(same):
            refuse(other & local_other, _STEP)
            # The fewer are at fault, of the clock that was the same so far.
            suspects = [each for each, kept in zip((other, local_other), self._same, strict=True) if kept]
            refuse(min(suspects, key=np.count_nonzero), _STEP)
        at_midnight = same[0] and self._clocks[0] == np.timedelta64(0, "us")
        if self._as_written and not at_midnight:
            refuse(clock != np.timedelta64(0, "us"), _STEP)
        self._same = same
        if at_midnight:
            self._as_written |= bool((_midnight(wall) != _midnight(local)).any())
        chosen = wall if at_midnight else local
        return _midnight(np.where(dated, chosen, chosen - _TICK) if self._stamp == "end" else chosen)


def _commonest(clocks: NDArray[np.timedelta64]) -> np.timedelta64:
    """The earliest of those that are equally common."""
    found, counts = np.unique(clocks, return_counts=True)
    chosen: np.timedelta64 = found[np.argmax(counts)]
    return chosen


def _midnight(moments: Moments) -> Moments:
    return moments.astype("datetime64[D]").astype("datetime64[us]")
