"""Ctrl-C and SIGTERM: an exception that ends the command wherever it is, and that cannot get lost on the way.

Python drops what is raised while it destroys an object: a signal that comes just then would be forgotten. So the
exception is watched: if it is gone before it has arrived, it is raised again.
"""

from __future__ import annotations

import signal
import sys
import weakref
from types import FrameType
from typing import NoReturn

from anomscan.errors import ExitCode

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_AGAIN_S = 0.05

#: By its signal, the exception under way; empty once it has arrived, so that its end is no loss.
_under_way: dict[int, weakref.ref[Interrupted]] = {}


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM, made to unwind past whatever handles errors on the way."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = ExitCode.TERMINATED if number == signal.SIGTERM else ExitCode.INTERRUPTED
        # A lost one is not raised anew at once, where it would be lost again; and by a signal, which ends a wait.
        _under_way[number] = weakref.ref(self, lambda _: signal.setitimer(signal.ITIMER_REAL, _AGAIN_S))


def listen() -> None:
    """Make both signals raise :class:`Interrupted` in the main thread; a lost one is no news."""
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt_again)
    told = sys.unraisablehook

    def untold(lost: sys.UnraisableHookArgs) -> None:
        if lost.exc_type is not Interrupted:
            told(lost)

    sys.unraisablehook = untold


def arrived() -> None:
    """Say that the exception has reached whoever ends the command."""
    _under_way.clear()
    # One that was lost late: the alarm would end a program that is shutting down.
    signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    # A second signal ends the program at once: what is finished is on the disk.
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_DFL)
    raise Interrupted(number)


def _interrupt_again(_: int, frame: FrameType | None) -> None:
    for number in _under_way:
        raise Interrupted(number)
