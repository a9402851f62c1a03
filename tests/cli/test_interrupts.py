"""Ctrl-C and SIGTERM end a command, whatever Python does at that moment."""

from __future__ import annotations

import io
import signal
import sys
import threading

import pytest

from anomscan.cli import interrupts
from processes import PATIENCE_S


@pytest.fixture
def listening(monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    interrupts.listen()
    yield
    interrupts.arrived()
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


class Response(io.RawIOBase):
    """Is closed when it is destroyed, as responses of urllib3 are; a signal comes meanwhile."""

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        if not self.closed:
            super().close()
            signal.raise_signal(self.number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_that_python_drops_is_raised_anew(listening, number, code):
    Response(number)
    with pytest.raises(interrupts.Interrupted) as stopped:
        threading.Event().wait(PATIENCE_S)
    assert stopped.value.code == code


def test_an_interrupt_that_arrives_is_not_raised_anew(listening):
    def run() -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except interrupts.Interrupted as error:
            interrupts.arrived()
            return error.code
        return 0

    assert run() == 130
    signal.raise_signal(signal.SIGALRM)


def test_an_interrupt_under_way_is_not_raised_anew(listening):
    timers = []

    def run() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            timers.append(signal.getitimer(signal.ITIMER_REAL))

    with pytest.raises(interrupts.Interrupted):
        run()
    assert timers == [(0, 0)]
