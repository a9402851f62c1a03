"""Writing a file whole or leaving it as it was."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from anomscan.errors import OutputError

#: The beginning of the names of unfinished files; a killed writer leaves one behind.
UNFINISHED = ".anomscan-"
_UNFINISHED = re.compile(r"\.anomscan-[0-9a-f]{8}-[0-9a-f]{16}\.tmp")


@contextmanager
def replace_file(path: str | os.PathLike[str], *, follow: bool = True, sweep: bool = True) -> Iterator[BinaryIO]:
    """Write a file that replaces ``path`` at the end of the block, if the block succeeds.

    The bytes go to a temporary file in the same folder (made if it is missing), which is flushed to the disk and then
    renamed: a reader sees the old file or the new one, also after ``kill -9`` or a power cut. The permissions of an old
    file are kept, and what is not a regular file (``/dev/null``, a pipe) is written straight to.

    Parameters
    ----------
    path
        The file.
    follow
        Whether a link to a file is followed, as one that a user names is, or replaced: it may have been laid there to
        have another file overwritten.
    sweep
        Whether to look for what killed writers of it left, and remove that; who writes many files into one folder calls
        :func:`remove_unfinished` once instead.

    Raises
    ------
    OutputError
        The file cannot be written: disk full, no permission, no such place. The old file stays.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "out.txt"
    >>> with replace_file(target) as file:
    ...     _ = file.write(b"whole")
    >>> target.read_bytes()
    b'whole'
    """
    target = Path(path)
    with output_errors(target):
        special = not stat.S_ISREG(file_mode(target))
    if special:
        with _special(target) as file:
            yield file
        return
    target = Path(os.path.realpath(path)) if follow else Path(os.path.realpath(target.parent), target.name)
    with output_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if sweep:
            _remove_dead(target.parent, _unfinished(target))
        unfinished, descriptor = _created(target)
    raw = _Sink(descriptor, target)
    try:
        file = io.BufferedWriter(raw, 1 << 18)
        yield file
        file.flush()
        with output_errors(target):
            with suppress(FileNotFoundError):
                if stat.S_ISREG(mode := target.lstat().st_mode):
                    os.fchmod(descriptor, mode & 0o7777)
            os.fsync(descriptor)
            unfinished.replace(target)
            raw.close()
            sync_folder(target.parent)
    except BaseException:
        with suppress(OSError):  # keep the original exception
            raw.close()
            unfinished.unlink()
        raise


def remove_unfinished(folder: Path) -> None:
    """Remove what killed writers of any file in a folder left there."""
    _remove_dead(folder, UNFINISHED)


def _remove_dead(folder: Path, begin: str) -> None:
    """Remove unfinished files whose names begin so, unless their writers live, or another user owns them."""
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - names are all that is needed of a large folder
            if name.startswith(begin) and _UNFINISHED.fullmatch(name):
                with suppress(OSError):
                    _remove_if_dead(folder / name)


def _remove_if_dead(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    finally:
        os.close(descriptor)


def _created(target: Path) -> tuple[Path, int]:
    """A new unfinished version of a file, open; its writer holds a lock on it as long as it lives."""
    while True:
        path = target.parent / f"{_unfinished(target)}{secrets.token_hex(8)}.tmp"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # taken for a dead writer's before it was locked
            os.close(descriptor)
            continue
        except OSError:  # a file system without locks, where nobody can take it for a dead writer's either
            return path, descriptor
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)


def _unfinished(target: Path) -> str:
    """The beginning of the names of a file's unfinished versions."""
    return f"{UNFINISHED}{hashlib.blake2b(os.fsencode(target.name), digest_size=4).hexdigest()}-"


def file_mode(path: Path) -> int:
    """The mode of what is at a path; that of a regular file where nothing is.

    Since Python 3.14 ``Path.exists`` says False to what no file can be called, too; here that is an OSError.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return stat.S_IFREG


@contextmanager
def output_errors(target: Path) -> Iterator[None]:
    """Turn an OSError of the block into an OutputError that names ``target``."""
    try:
        yield
    except OSError as error:
        raise _refusal(target, error) from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, so that renames in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot do this; their renames are as durable as they can be.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _special(target: Path) -> Iterator[BinaryIO]:
    with output_errors(target):
        raw = _Sink(os.open(target, os.O_WRONLY | os.O_CLOEXEC), target)
    with raw, io.BufferedWriter(raw) as file:
        yield file


class _Sink(io.FileIO):
    """A file whose failed writes are OutputErrors; other errors in the block stay as they are."""

    def __init__(self, descriptor: int, target: Path) -> None:
        super().__init__(descriptor, "wb")
        self._target = target

    def write(self, data: Any, /) -> int:
        with output_errors(self._target):
            return super().write(data)


def _refusal(target: Path, error: OSError) -> OutputError:
    hints = {
        errno.ENOSPC: "make room or write elsewhere",
        errno.EDQUOT: "make room or write elsewhere",
        errno.EISDIR: "name a file, not a folder",
    }
    hint = hints.get(error.errno) if error.errno is not None else None
    return OutputError(f"{target} cannot be written: {error.strerror or error}", hint=hint)
