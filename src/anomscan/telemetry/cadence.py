"""The step of a series, and the text form of its instants."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import UTC, datetime

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


def first_instant(text: str) -> np.datetime64:
    """The instant of a user's ``--from``: a date begins at midnight UTC.

    Raises
    ------
    ConfigError
        If the text is neither a date nor an ISO instant.
    """
    return _instant(text)


def last_instant(text: str) -> np.datetime64:
    """The last instant that a user's ``--to``, ``--through`` or ``--as-of`` includes.

    A date includes its whole day; an instant is itself.

    >>> last_instant("2017-01-01")
    np.datetime64('2017-01-01T23:59:59.999999')
    """
    start = _instant(text)
    return start + np.timedelta64(_DAY_US - 1, "us") if _is_date(text) else start


def _is_date(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None


def _instant(text: str) -> np.datetime64:
    try:
        return parse_instant(text)
    except (ValueError, OverflowError):  # the first and last days, in another zone
        raise ConfigError(
            f"'{text}' is not a date or an instant", hint="write 2017-01-31 or 2017-01-31T06:00:00Z"
        ) from None


def parse_instant(text: str) -> np.datetime64:
    """Read a date or an ISO 8601 instant; one without an offset is UTC.

    >>> parse_instant("2017-01-01T02:00:00+02:00")
    np.datetime64('2017-01-01T00:00:00.000000')

    Raises
    ------
    ValueError
        If the text is neither.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "us")
