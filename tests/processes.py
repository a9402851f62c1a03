"""Processes that tests start, and waiting for what they do."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Longer than anything takes on a busy machine; only a test that fails waits so long.
PATIENCE_S = 600.0


@contextmanager
def started(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process for the length of the block; at its end the process is killed and its pipes are closed."""
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(happened: Callable[[], object], process: subprocess.Popen[Any] | None = None) -> None:
    """Wait for something that a process is about to do.

    Raises
    ------
    AssertionError
        If the process ends without it.
    """
    deadline = time.monotonic() + PATIENCE_S
    ended = False
    while not happened():
        assert not ended, f"the process has ended, with {process and process.returncode}"
        assert time.monotonic() < deadline, "it does not happen"
        ended = process is not None and process.poll() is not None
        time.sleep(0.005)


def catches(process: subprocess.Popen[Any], number: int) -> bool:
    """Whether a process has a handler of its own for a signal."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "SigCgt":
            return bool(int(value, 16) >> (number - 1) & 1)
    raise AssertionError(f"no line SigCgt for process {process.pid}")
