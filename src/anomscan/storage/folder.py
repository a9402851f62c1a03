"""A folder that is opened once, and whose files are then reached through it: no link leads out of it."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

#: How the names of files end that are being written; a killed writer leaves one behind.
UNFINISHED = ".tmp"


class Folder:
    """A folder, open; one process writes it at a time.

    Parameters
    ----------
    path
        Where it is. It is not a link.

    Raises
    ------
    OSError
        If it cannot be opened: ``NotADirectoryError`` where something else is there.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags)
        except OSError as error:
            if error.errno == errno.ELOOP:  # what some systems say of a link
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from None
            raise

    def close(self) -> None:
        """Files that are open stay so."""
        os.close(self._descriptor)

    def names(self) -> list[str]:
        """What is in it, sorted."""
        return sorted(os.listdir(self._descriptor))  # noqa: PTH208 - pathlib has no descriptors

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading.

        Raises
        ------
        OSError
            If it cannot be opened, or is a link or something else that is not a regular file.
        """
        # Opening a pipe must not wait for its writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=self._descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(f"{name} is not a regular file")
        return os.fdopen(descriptor, "rb")

    def read(self, name: str) -> bytes:
        """All of a file; errors are those of ``open``."""
        with self.open(name) as file:
            return file.read()

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """Write a file that is there, on the disk, once the block has ended well, and not before.

        Raises
        ------
        OSError
            If it cannot be written; an older one stays.
        """
        unfinished = name + UNFINISHED
        self.remove(unfinished)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        raw = io.FileIO(os.open(unfinished, flags, 0o666, dir_fd=self._descriptor), "wb")
        try:
            file = io.BufferedWriter(raw, 1 << 18)
            yield file
            file.flush()
            os.fsync(raw.fileno())
            raw.close()
            os.replace(unfinished, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except BaseException:
            with suppress(OSError):  # the error on its way says what is wrong
                raw.close()
            self.remove(unfinished)
            raise

    def remove(self, name: str) -> None:
        """Remove a file or a link, if it is there."""
        with suppress(OSError):
            os.unlink(name, dir_fd=self._descriptor)
