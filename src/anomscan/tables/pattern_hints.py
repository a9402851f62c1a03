"""What to set where timestamps are text that is not ISO 8601."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from itertools import product

_DATES = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d"),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%b %d %Y", "%b %d, %Y", "%d %b %Y", "%d-%b-%Y"),
    *("%d-%b-%y", "%B %d, %Y", "%d %B %Y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")


def pattern_hint(text: str) -> str:
    """The way out for a timestamp that cannot be read: the patterns that fit it, where some do.

    >>> pattern_hint("31.01.2017")
    'set timestamp_format = "%d.%m.%Y"'
    >>> pattern_hint("01/02/2017 06:00")
    'set timestamp_format = "%d/%m/%Y %H:%M" or "%m/%d/%Y %H:%M", whichever it is'
    >>> pattern_hint("soon")
    'write 2017-01-31 or 2017-01-31T06:00:00Z, or set timestamp_format'
    """
    fitting = []
    for pattern in map("".join, product(_DATES, _TIMES)):
        with suppress(ValueError):
            datetime.strptime(text, pattern)  # only whether it fits
            fitting.append(f'"{pattern}"')
    if not fitting:
        return "write 2017-01-31 or 2017-01-31T06:00:00Z, or set timestamp_format"
    return f"set timestamp_format = {' or '.join(fitting)}{', whichever it is' if len(fitting) > 1 else ''}"
