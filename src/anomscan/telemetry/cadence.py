"""The step of a series, and the text form of its instants."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from anomscan.errors import ConfigError

_UNITS_US = {"s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "D": 86_400_000_000}
_DAY_US = _UNITS_US["D"]
_LONGEST_US = 36_525 * _DAY_US


@dataclass(frozen=True, slots=True)
class Cadence:
    """A fixed step between samples.

    Examples
    --------
    >>> Cadence.parse("10min").step
    np.timedelta64(600000000,'us')
    >>> Cadence.parse("1D").text(np.datetime64("2017-01-01T00:00", "us"))
    '2017-01-01'
    >>> Cadence.parse("1h").text(np.datetime64("2017-01-01T05:00", "us"))
    '2017-01-01T05:00:00Z'
    """

    name: str
    step_us: int

    @classmethod
    def parse(cls, text: str) -> Cadence:
        """Read ``"1D"``, ``"10min"``, ``"1h"`` or ``"15s"``.

        Raises
        ------
        ConfigError
            If the text is not a whole number of s, min, h or D.
        """
        match = re.fullmatch(r"([1-9]\d*)(s|min|h|D)", text)
        if match is None or len(match[1]) > 9 or (step_us := int(match[1]) * _UNITS_US[match[2]]) > _LONGEST_US:
            raise ConfigError(f"cadence '{text[:40]}' is not valid", hint="write it as 1D, 1h, 10min or 15s")
        return cls(text, step_us)

    @property
    def step(self) -> np.timedelta64:
        """The step, in microseconds."""
        return np.timedelta64(self.step_us, "us")

    @property
    def whole_days(self) -> bool:
        """Whether samples are dates rather than instants."""
        return self.step_us % _DAY_US == 0

    def text(self, timestamp: np.datetime64) -> str:
        """A sample's timestamp as in records: a date, or a UTC instant with Z."""
        return _text(self.whole_days, timestamp)


@functools.lru_cache(4096)
def _text(whole_days: bool, timestamp: np.datetime64) -> str:
    """Cached, because the assets of a fleet share their days."""
    return str(np.datetime_as_string(timestamp, unit="D")) if whole_days else instant_text(timestamp)


def parse_duration(text: str) -> np.timedelta64:
    """Read ``"3d"``, ``"12h"``, ``"90min"`` or ``"0s"``, in microseconds.

    >>> parse_duration("3d").astype("timedelta64[h]")
    np.timedelta64(72,'h')

    Raises
    ------
    ConfigError
        If the text is not a whole number of s, min, h or d.
    """
    match = re.fullmatch(r"(\d{1,6})(s|min|h|d|D)", text)
    if match is None:
        raise ConfigError(f"'{text}' is not a length of time", hint="write it as 3d, 12h or 90min")
    return np.timedelta64(int(match[1]) * _UNITS_US[match[2].replace("d", "D")], "us")


def instant_text(timestamp: np.datetime64) -> str:
    """A UTC instant in ISO 8601 with Z, to the second if it has no fraction."""
    whole = timestamp.astype("datetime64[us]").astype(np.int64) % 1_000_000 == 0
    return f"{np.datetime_as_string(timestamp, unit='s' if whole else 'us')}Z"


def first_instant(text: str, timezone: str = "UTC") -> np.datetime64:
    """The instant of a user's ``--from``: a date begins at midnight.

    Parameters
    ----------
    timezone
        IANA name; where its days begin, and what an instant without an offset is the time of.

    Raises
    ------
    ConfigError
        If the text is neither a date nor an ISO instant.
    """
    return _instant(text, timezone)


def last_instant(text: str, timezone: str = "UTC") -> np.datetime64:
    """The last instant that a user's ``--to``, ``--through`` or ``--as-of`` includes.

    A date includes its whole day; an instant is itself.

    >>> last_instant("2017-01-01")
    np.datetime64('2017-01-01T23:59:59.999999')
    >>> last_instant("2017-01-01", "Europe/Berlin")
    np.datetime64('2017-01-01T22:59:59.999999')
    """
    return _instant(text, timezone, last=True)


def _instant(text: str, timezone: str, *, last: bool = False) -> np.datetime64:
    is_date = re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None
    try:
        return parse_instant(f"{text}T23:59:59.999999" if last and is_date else text, timezone, fold=int(last))
    except (ValueError, OverflowError):  # the first and last days, in another zone
        raise ConfigError(
            f"'{text}' is not a date or an instant", hint="write 2017-01-31 or 2017-01-31T06:00:00Z"
        ) from None


def days_before(moment: np.datetime64, days: int, timezone: str) -> np.datetime64:
    """The instant so many days before a UTC instant, when the clocks of a time zone show the same.

    >>> days_before(np.datetime64("2024-04-01T10:00", "us"), 1, "Europe/Berlin")
    np.datetime64('2024-03-31T10:00:00.000000')
    >>> days_before(np.datetime64("2024-04-01T10:00", "us"), 2, "Europe/Berlin")
    np.datetime64('2024-03-30T11:00:00.000000')
    """
    earlier = moment - np.timedelta64(days, "D")
    if timezone == "UTC" or earlier < np.datetime64("0001-01-02"):
        return earlier
    zone = ZoneInfo(timezone)
    listed: list[datetime] = np.array([moment, earlier], "datetime64[us]").tolist()
    then, before = (each.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) - each for each in listed)
    return earlier + np.timedelta64(then - before)


def parse_instant(text: str, timezone: str = "UTC", fold: int = 0) -> np.datetime64:
    """Read a date or an ISO 8601 instant; one without an offset is of a time zone.

    >>> parse_instant("2017-01-01T02:00:00+02:00")
    np.datetime64('2017-01-01T00:00:00.000000')

    Parameters
    ----------
    fold
        Which of two times alike is meant, where clocks are set back.

    Raises
    ------
    ValueError
        If the text is neither.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None and timezone != "UTC":
        moment = moment.replace(tzinfo=ZoneInfo(timezone), fold=fold)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "us")
