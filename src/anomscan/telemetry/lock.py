"""One writer at a time, across processes."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from anomscan.errors import LockedError
from anomscan.telemetry.durable import output_errors

_POLL_S = 0.1


@contextmanager
def hold(path: Path, what: str, *, timeout_s: float = 0.0) -> Iterator[None]:
    """Hold the lock at ``path`` while the block runs.

    The kernel keeps it and lets go when its holder ends, however that ends: a dead holder's lock is free. The file
    says who holds it, is empty when nobody does, and stays.

    Parameters
    ----------
    path
        The lock file; its folder exists.
    what
        What is locked, for the message.
    timeout_s
        How long to wait for another holder.

    Raises
    ------
    LockedError
        Another live process (or another writer of this one) holds it.
    OutputError
        The lock file cannot be written.
    """
    with output_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        deadline = time.monotonic() + timeout_s
        while not _taken(descriptor, path):
            if time.monotonic() >= deadline:
                raise LockedError(f"{what} is being written by {_holder(path)}", hint="try again when it has ended")
            time.sleep(_POLL_S)
        since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
        with output_errors(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _taken(descriptor: int, path: Path) -> bool:
    with output_errors(path):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _holder(path: Path) -> str:
    """Who says to hold it; it may be about to say so."""
    try:
        holder = json.loads(path.read_bytes())
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
