"""Trying again and waiting: what is worth it, how long to wait, and when to stop.

Written here although tenacity and stamina do much the same: our calls share deadlines (the pages of an asset, the polls
of a job), wait at least as long as ``Retry-After`` asks, limit only those failures that waiting does not cure, and end
when the run does. With tenacity each of these is a hook of our own around a loop of ten lines; stamina has no deadline
that several calls share.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

_T = TypeVar("_T")
#: Statuses of HTTP that ask to come again: a time-out, too early, too many calls.
_LATER = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, randomness and sleep, for tests to replace.

    Parameters
    ----------
    monotonic, wall
        Seconds; since any moment, and since 1970 UTC.
    uniform
        A random number between two bounds.
    sleep
        Waits for seconds; None for the way of the caller, which the end of the run may interrupt.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    uniform: Callable[[float, float], float] = random.SystemRandom().uniform
    sleep: Callable[[float], object] | None = None


class Deadline:
    """A moment by which one call, or several that belong together, must be over.

    Parameters
    ----------
    seconds
        From now.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        #: Reading of the monotonic clock.
        self.end = clock.monotonic() + seconds

    def allows(self, wait_s: float) -> bool:
        """Whether there is time for a wait and something after it."""
        return self._clock.monotonic() + wait_s < self.end


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that grow from one try to the next.

    Parameters
    ----------
    first_s, longest_s
        The first wait, and the limit.
    factor
        How much longer each wait is than the one before.
    jitter
        A wait is shortened to a random share of itself between these.
    """

    first_s: float
    longest_s: float
    factor: float = 2.0
    jitter: tuple[float, float] = (1.0, 1.0)

    def wait(self, waits: int, clock: Clock) -> float:
        """Seconds to wait after so many waits."""
        whole = min(self.longest_s, self.first_s * self.factor ** min(waits, 64))
        low, high = self.jitter
        return whole if low == high == 1.0 else clock.uniform(low * whole, high * whole)


class TransientError(Exception):
    """A try that failed; the next may succeed.

    Parameters
    ----------
    reason
        One line without secrets.
    wait_s
        How long the service asks to wait.
    most_tries
        How many failures that waiting does not cure are accepted; None where waiting may cure this one.
    """

    def __init__(self, reason: str, *, wait_s: float = 0.0, most_tries: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s
        self.most_tries = most_tries


class GaveUpError(Exception):
    """A call that failed until the deadline, or as often as was worth it.

    Parameters
    ----------
    last
        The last failure.
    tries
        How many there were.
    late
        Whether the deadline was the reason.
    """

    def __init__(self, last: TransientError, tries: int, *, late: bool) -> None:
        asked = f", and asks to wait {last.wait_s:.0f} s" if last.wait_s else ""
        calls = "1 call" if tries == 1 else f"{tries} calls"
        times = "" if tries == 1 else f", {tries} times"
        end = f"{asked}; gave up at the deadline after {calls}" if late else times
        super().__init__(f"{last.reason}{end}")
        self.last = last


class LateError(Exception):
    """Something that was polled has not ended by the deadline; ``last`` is what was seen last."""

    def __init__(self, last: Any) -> None:
        super().__init__("not ended by the deadline")
        self.last = last


def persist(
    attempt: Callable[[], _T],
    backoff: Backoff,
    deadline: Deadline,
    clock: Clock,
    sleep: Callable[[float], object],
    *,
    once: bool = False,
) -> _T:
    """Return what an attempt returns, after as many :class:`TransientError` as there is time for.

    Parameters
    ----------
    sleep
        Waits for seconds; what it raises ends the call.
    once
        Whether one attempt is all.

    Raises
    ------
    GaveUpError
        If there is no time for another attempt, or no use in it.
    """
    tries = hopeless = 0
    while True:
        try:
            return attempt()
        except TransientError as error:
            trouble = error
        tries += 1
        hopeless += trouble.most_tries is not None
        if once or (trouble.most_tries is not None and hopeless >= trouble.most_tries):
            raise GaveUpError(trouble, tries, late=False)
        wait = max(trouble.wait_s, backoff.wait(tries - 1, clock))
        if not deadline.allows(wait):
            raise GaveUpError(trouble, tries, late=True)
        sleep(wait)


def poll(
    look: Callable[[], _T],
    ended: Callable[[_T], bool],
    pauses: Backoff,
    deadline: Deadline,
    clock: Clock,
    sleep: Callable[[float], object],
) -> _T:
    """Look until something has ended, and return what was seen last.

    Raises
    ------
    LateError
        If there is no time for another look.
    """
    waits = 0
    while True:
        found = look()
        if ended(found):
            return found
        pause = pauses.wait(waits, clock)
        if not deadline.allows(pause):
            raise LateError(found)
        sleep(pause)
        waits += 1


def may_pass(status: int) -> bool:
    """Whether a call that an HTTP service answered with this status may do better later."""
    return status in _LATER or status >= 500


def retry_after(text: str | None, now: float) -> float | None:
    """Seconds that a ``Retry-After`` header asks to wait, None where it asks nothing that can be read.

    Parameters
    ----------
    text
        Seconds or an HTTP date.
    now
        Seconds since 1970, UTC.

    >>> retry_after("120", 0.0), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 15.0), retry_after("soon", 0.0)
    (120.0, 45.0, None)
    """
    text = (text or "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
