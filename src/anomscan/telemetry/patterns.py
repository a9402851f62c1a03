"""How a source writes its timestamps: the values that ``timestamp_format`` may have."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from anomscan.errors import ConfigError

#: Timestamps that are numbers: microseconds of one unit, as (numerator, denominator). Excel counts days, in local time.
NUMBERED = {
    "unix": (1_000_000, 1),
    "unix-ms": (1_000, 1),
    "unix-us": (1, 1),
    "unix-ns": (1, 1_000),
    "excel": (86_400_000_000, 1),
}
#: What ends a pattern that has a time of day and says itself how far that is ahead of UTC.
_WRITTEN_OFFSET = re.compile(r"%[HIMSfpXcT].* ?(?:Z|UTC|GMT|([+-]\d\d):?(\d\d))$")
_WRITTEN_NAME = re.compile(r"%[HIMSfpXc][^%]*?\b([A-Z]{3,5})$")
_DIRECTIVES = "aAbBdHIjmMpSfyYzGuVUWwcxX%"
_HINT = f"write it as %d.%m.%Y %H:%M, %z for an offset; or {', '.join(NUMBERED)} for numbers"


def check_pattern(pattern: str) -> None:
    """Refuse what ``timestamp_format`` cannot be: it is one of ``NUMBERED``, or a pattern of strptime.

    Raises
    ------
    ConfigError
        Saying what is wrong with it.
    """
    if pattern in NUMBERED:
        return
    thing = f"timestamp_format '{pattern}' is not understood"
    if "%" not in pattern:
        raise ConfigError(thing, hint=_HINT)
    names = re.findall(r"%(.?)", pattern, re.DOTALL)
    for name in names:
        if not name or name not in _DIRECTIVES:
            hint = 'for seconds since 1970 set "unix"' if name == "s" else _HINT
            raise ConfigError(f"{thing}: %{name or ' at its end'} is not a directive", hint=hint)
    twice = [name for name in names if name != "%" and names.count(name) > 1]
    if twice:
        raise ConfigError(f"{thing}: %{twice[0]} is in it twice", hint=_HINT)
    if not set(names) & set("YyGcx"):
        raise ConfigError(f"{thing}: it has no year", hint=_HINT)
    if set(names) & set("UWV") and not set(names) & set("aAwu"):
        raise ConfigError(f"{thing}: a week without a weekday is not a day", hint="add %u, the weekday from 1 to 7")
    moment = datetime(2021, 11, 23, 13, 45, 56, 123_456, UTC)
    try:
        datetime.strptime(moment.strftime(pattern), pattern)
    except (ValueError, re.error) as error:
        raise ConfigError(f"{thing}: {error}", hint=_HINT) from None


def written_offset(pattern: str) -> int | None:
    """The minutes that a pattern's times are ahead of UTC, where the pattern says so; None where it does not.

    >>> written_offset("%Y-%m-%dT%H:%M:%SZ"), written_offset("%d.%m.%Y %H:%M+01:00"), written_offset("%Y-%m-%d %H:%M")
    (0, 60, None)
    """
    found = _WRITTEN_OFFSET.search(pattern)
    if found is None:
        return None
    hours, minutes = int(found[1] or 0), int(found[2] or 0)
    return hours * 60 + (-minutes if (found[1] or "").startswith("-") else minutes)


def check_zone(pattern: str, timezone: str | None) -> None:
    """Refuse a pattern with the name of another zone than the source's: only that one is read.

    Raises
    ------
    ConfigError
        Naming both.
    """
    found = _WRITTEN_NAME.search(pattern)
    if found is None or timezone is None or written_offset(pattern) is not None:
        return
    zone = ZoneInfo(timezone)
    names = {datetime(2021, month, 1, tzinfo=zone).tzname() for month in (1, 7)}
    if found[1] not in names:
        raise ConfigError(
            f"timestamp_format '{pattern}' says {found[1]}, and timezone is {timezone}",
            hint="set timezone to where the clocks stand, as Europe/Berlin for CET",
        )
