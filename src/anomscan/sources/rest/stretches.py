"""Ask for a long stretch of time in shorter ones, where the service says that it is too long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from anomscan.sources.base import Request
from anomscan.sources.rest.faults import TooLongError

_T = TypeVar("_T")
_DAY = np.timedelta64(1, "D")


def in_stretches(
    request: Request, ask: Callable[[Request], list[_T]], first: np.datetime64, last: np.datetime64
) -> list[_T]:
    """What a service answers to a request, or to its halves, and so on down to a day.

    Parameters
    ----------
    request
        Of one asset.
    ask
        Asks the service.
    first, last
        datetime64[us], UTC: where a request without bounds begins and ends.

    Raises
    ------
    TooLongError
        If a day is too long.
    """
    try:
        return ask(request)
    except TooLongError:
        begin = first if request.start is None else request.start
        end = last if request.end is None else request.end
        middle = (begin + (end - begin) // 2).astype("datetime64[D]").astype("datetime64[us]")
        if end - begin <= _DAY or not begin < middle < end:
            raise
    halves = replace(request, end=middle), replace(request, start=middle)
    return [answer for half in halves for answer in in_stretches(half, ask, first, last)]
