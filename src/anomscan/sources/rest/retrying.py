"""Trying again: when, after how long, and how often."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from threading import Event
from typing import TypeVar

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_TRIES_BEFORE_CONTACT = 3

_T = TypeVar("_T")


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
        Waits for seconds; by default in a way that the end of the run interrupts.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    uniform: Callable[[float, float], float] = random.SystemRandom().uniform
    sleep: Callable[[float], object] | None = None


class TransientError(Exception):
    """A call that failed, and may succeed if made again.

    Parameters
    ----------
    reason
        One line without secrets.
    wait_s
        How long the service asks to wait.
    unreached
        Whether no service was found at the other end.
    most_tries
        How many calls in a row are worth failing like this; None for as many as the deadline has room for.
    """

    def __init__(
        self, reason: str, *, wait_s: float = 0.0, unreached: bool = False, most_tries: int | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s
        self.unreached = unreached
        self.most_tries = most_tries


class GaveUpError(Exception):
    """A call that failed until the deadline, or too often.

    Parameters
    ----------
    reason
        The last failure, and why it was the last; one line without secrets.
    unreached
        Whether no service was found at the other end.
    """

    def __init__(self, reason: str, *, unreached: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unreached = unreached


class StoppedError(Exception):
    """The run ended while a call was under way."""


class Retrying:
    """Repeats calls until they succeed, with full jitter: a random part of a wait that doubles.

    Parameters
    ----------
    clock
        Clocks, dice and sleep.
    stop
        Set when the run ends.
    """

    def __init__(self, clock: Clock, stop: Event) -> None:
        self._clock = clock
        self._stop = stop
        self._sleep = clock.sleep or stop.wait
        #: Set once the service has answered anything at all.
        self.contact = Event()

    def persist(self, attempt: Callable[[], _T], end: float, *, once: bool = False) -> _T:
        """What an attempt returns, after as many :class:`TransientError` as there is time for.

        Parameters
        ----------
        end
            Reading of the monotonic clock after which nothing is tried.
        once
            Whether one attempt is all.

        Raises
        ------
        GaveUpError
            If there is no time for another attempt, or no use in it.
        StoppedError
            If the run ended meanwhile.
        """
        tries = 0
        while True:
            if self._stop.is_set():
                raise StoppedError
            try:
                return attempt()
            except TransientError as error:
                trouble = error
            tries += 1
            # If nothing was ever reachable, a wrong url is more likely than a pause.
            most = _TRIES_BEFORE_CONTACT if trouble.unreached and not self.contact.is_set() else trouble.most_tries
            if once or tries == most:
                times = "" if tries == 1 else f", {tries} times"
                raise GaveUpError(f"{trouble.reason}{times}", unreached=trouble.unreached)
            jitter = self._clock.uniform(0.0, min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(tries - 1, 10)))
            wait = max(trouble.wait_s, jitter)
            if self._clock.monotonic() + wait >= end:
                asked = f", and asks to wait {trouble.wait_s:.0f} s" if trouble.wait_s else ""
                times = "call" if tries == 1 else "calls"
                reason = f"{trouble.reason}{asked}; gave up at the deadline after {tries} {times}"
                raise GaveUpError(reason, unreached=trouble.unreached)
            self._sleep(wait)


def retry_after(text: str | None, now: float) -> float:
    """Seconds that a ``Retry-After`` header asks to wait, 0 where it asks nothing that can be read.

    Parameters
    ----------
    text
        Seconds or an HTTP date.
    now
        Seconds since 1970, UTC.

    >>> retry_after("120", 0.0), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 15.0), retry_after("soon", 0.0)
    (120.0, 45.0, 0.0)
    """
    text = (text or "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
