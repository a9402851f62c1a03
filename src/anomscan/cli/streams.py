"""The standard streams, as a command can rely on them whatever it was started with.

Closed streams, full disks, readers that have gone and locales without UTF-8 are nothing unusual for a nightly command.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

from anomscan.errors import OutputError


class ReaderGoneError(Exception):
    """Whoever read our stdout has gone, as ``| head`` does; there is nobody to tell."""


def prepare() -> None:
    """Make stdin, stdout and stderr usable.

    A closed one is opened on the null device, so that no file of ours takes its number. Data on stdout is UTF-8, but on
    a terminal that says otherwise; what cannot be written there is an OutputError, or a ReaderGoneError. A message
    that cannot be written to stderr is dropped, for the work goes on and its exit code is right.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):  # 1 so that writing fails
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # it takes the lowest free number
    sys.stdin = sys.stdin or io.StringIO()
    stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the process
    stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the process
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(encoding=None if stdout.isatty() else "utf-8", errors="backslashreplace")
    sys.stdout, sys.stderr = cast("TextIO", _Output(stdout)), cast("TextIO", _Messages(stderr))


class _Stream:
    """A text stream that is written by way of ``_try``."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._try(self._stream.write, text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, write: Any, *text: str) -> None:
        raise NotImplementedError


class _Output(_Stream):
    """Stdout."""

    def _try(self, write: Any, *text: str) -> None:
        try:
            write(*text)
        except BrokenPipeError:
            raise ReaderGoneError from None
        except OSError as error:
            raise OutputError(f"standard output cannot be written: {error.strerror}") from None


class _Messages(_Stream):
    """Stderr."""

    def _try(self, write: Any, *text: str) -> None:
        with suppress(OSError, ValueError):
            write(*text)
