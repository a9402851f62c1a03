"""How a source writes its timestamps: the values that ``timestamp_format`` may have."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from anomscan.errors import ConfigError

#: Timestamps that are numbers: microseconds of one unit, as (numerator, denominator). Excel counts days, in local time.
NUMBERED = {
    "unix": (1_000_000, 1),
    "unix-ms": (1_000, 1),
    "unix-us": (1, 1),
    "unix-ns": (1, 1_000),
    "excel": (86_400_000_000, 1),
}
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
            raise ConfigError(f"{thing}: %{name or ' at its end'} is no directive", hint=hint)
    twice = [name for name in names if name != "%" and names.count(name) > 1]
    if twice:
        raise ConfigError(f"{thing}: %{twice[0]} is in it twice", hint=_HINT)
    if not set(names) & set("YyGcx"):
        raise ConfigError(f"{thing}: it has no year", hint=_HINT)
    if set(names) & set("UWV") and not set(names) & set("aAwu"):
        raise ConfigError(f"{thing}: a week without a weekday is no day", hint="add %u, the weekday from 1 to 7")
    moment = datetime(2021, 11, 23, 13, 45, 56, 123_456, UTC)
    try:
        datetime.strptime(moment.strftime(pattern), pattern)
    except (ValueError, re.error) as error:
        raise ConfigError(f"{thing}: {error}", hint=_HINT) from None
