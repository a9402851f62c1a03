"""Temporary folders of a run. One that a killed run has left goes with the next run in that place."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from anomscan.errors import LockedError, OutputError
from anomscan.storage import lock
from anomscan.storage.durable import output_errors

#: Beside each folder lies the lock of its run, called like it with this at the end.
_LOCK = ".lock"
_PATIENCE_S = 30.0
_NAME = re.compile(r"anomscan-(ray-)?[0-9a-f]{12}")


class ScratchFolder:
    """A temporary folder; made by :func:`scratch_folder`.

    Parameters
    ----------
    path
        Where it is.

    Attributes
    ----------
    kept
        Whether it stays when the block ends, for good.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kept = False


@contextmanager
def scratch_folder(
    parent: Path | None = None, *, kind: str = "", warn: Callable[[str], object] | None = None
) -> Iterator[ScratchFolder]:
    """A temporary folder, which goes with all that is in it when the block ends.

    Parameters
    ----------
    parent
        What it lies in, made if it is missing; None for the folder of the system.
    kind
        A part of its name, with a hyphen at the end.
    warn
        Told if it cannot be removed.

    Raises
    ------
    OutputError
        It cannot be made.
    """
    with output_errors(parent or Path(os.environ.get("TMPDIR") or "/tmp")):  # noqa: S108 - only to name it
        place = parent or Path(tempfile.gettempdir())
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(place)
    folder = place / f"anomscan-{kind}{secrets.token_hex(6)}"
    # Another run that clears the place up holds a new lock for a moment, and may remove it.
    with lock.hold(folder.with_suffix(_LOCK), str(folder), timeout_s=_PATIENCE_S, remove=True):
        with output_errors(folder):
            folder.mkdir(0o700)
        scratch = ScratchFolder(folder)
        try:
            yield scratch
        finally:
            if not scratch.kept:
                try:
                    shutil.rmtree(folder)
                except OSError as error:
                    if warn is not None:
                        warn(f"{folder} is left behind: {error.strerror}")


def remove_abandoned(place: Path | None = None) -> None:
    """Remove the scratch folders in a place whose runs have ended, however they ended.

    A folder without a lock beside it was kept for the user, or is somebody else's, and so is what another user owns.
    """
    with suppress(OSError):
        place = place or Path(tempfile.gettempdir())
        for name in os.listdir(place):  # noqa: PTH208 - names are all that is needed of a large folder
            if name.endswith(_LOCK) and _NAME.fullmatch(name.removesuffix(_LOCK)):
                with suppress(OSError, LockedError, OutputError):
                    _remove(place / name)


def _remove(path: Path) -> None:
    folder = path.with_suffix("")
    if not stat.S_ISREG(path.lstat().st_mode) or path.lstat().st_uid != os.geteuid():
        return
    with lock.hold(path, str(folder)):
        with suppress(FileNotFoundError):
            if folder.lstat().st_uid == os.geteuid():
                shutil.rmtree(folder)
        if not os.path.lexists(folder):
            path.unlink()
