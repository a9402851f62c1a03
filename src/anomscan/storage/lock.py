"""One writer at a time, across processes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from anomscan.errors import LockedError, OutputError
from anomscan.storage.durable import output_errors

_POLL_S = 0.1
#: How a lock file begins that is not empty.
_BEGIN = b'{"pid": '


@contextmanager
def hold(path: Path, what: str, *, timeout_s: float = 0.0, remove: bool = False) -> Iterator[None]:
    """Hold the lock at ``path`` while the block runs.

    The kernel keeps it and lets go when its holder ends, however that ends: a dead holder's lock is free. The file
    says who holds it, and is empty when nobody does.

    Parameters
    ----------
    path
        The lock file; its folder exists.
    what
        What is locked, for the message.
    timeout_s
        How long to wait for another holder.
    remove
        Whether the file goes when the block ends, rather than stay.

    Raises
    ------
    LockedError
        Another live process (or another writer of this one) holds it.
    OutputError
        The lock file cannot be written, or something else is there: a link, or a file of someone else.
    """
    deadline = time.monotonic() + timeout_s
    while (descriptor := _taken(path)) is None:
        if time.monotonic() >= deadline:
            raise LockedError(f"{what} is being written by {_holder(path)}", hint="try again when it has finished")
        time.sleep(_POLL_S)
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
        try:
            with output_errors(path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(holder).encode(), 0)
            yield
        finally:
            os.ftruncate(descriptor, 0)
            if remove:
                with suppress(OSError):
                    path.unlink()
    finally:
        os.close(descriptor)


def _taken(path: Path) -> int | None:
    """The lock file, open and locked; None while another process holds it."""
    with output_errors(path):
        descriptor = _opened(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _check(path, descriptor)
            # Its last holder may have removed it since it was opened, and another process may have created a new one.
            if os.path.samestat(os.fstat(descriptor), path.lstat()):
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    return None


def _opened(path: Path) -> int:
    try:
        # Neither follow a link nor wait for the other end of a pipe.
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            raise _in_the_way(path) from None
        raise


def _check(path: Path, descriptor: int) -> None:
    """See that the file is a lock: a regular file that is empty, or says who held it, if only in part."""
    regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    if not regular or not _BEGIN.startswith(os.pread(descriptor, len(_BEGIN), 0)):
        raise _in_the_way(path)


def _in_the_way(path: Path) -> OutputError:
    return OutputError(f"{path} is in the way: it is not a lock of anomscan", hint="move it away")


def _holder(path: Path) -> str:
    """Who claims to hold it; the claim may not be written yet."""
    try:
        holder = json.loads(path.read_bytes())
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"
