"""The folder of a report, which only a whole new report replaces.

Pages are written beside the old ones, into a hidden folder. When all of them are whole, the old and the new folder of
charts change places (in one step where the system can, else by two renames), and the new index takes the place of the
old one; then the old pages go. A writer that is killed before leaves the old report as it was; what one left undone
after that is done by the next. What else lies in the folder stays.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from anomscan.errors import OutputError
from anomscan.storage import lock
from anomscan.storage.durable import UNFINISHED, output_errors, remove_unfinished, replace_file, sync_folder
from anomscan.storage.exchange import exchange
from anomscan.storage.untrusted import open_regular

_LOCK = ".anomscan.lock"
_MARKER = b'<meta name="generator" content="anomscan'
#: Lies in new charts until all is done.
_UNDONE = f"{UNFINISHED}undone"
_IMAGES = (".svg", ".png")
_PAGE = "[a-z0-9]*-" + "[0-9a-f]" * 12 + ".html"


class Draft:
    """A new report, beside the one that it will replace.

    Parameters
    ----------
    folder
        That of the report.
    """

    def __init__(self, folder: Path) -> None:
        self.index = folder / "index.html"
        self._new_index = folder / f"{UNFINISHED}index-new"
        # Where a link leads to, so that folders are renamed on one disk.
        self._charts = Path(os.path.realpath(folder / "charts"))
        self._new, self._old = (self._charts.parent / f"{UNFINISHED}charts-{age}" for age in ("new", "old"))

    def begin(self) -> None:
        """See to what a killed writer left, and make room."""
        refuse_foreign(self.index)
        with output_errors(self._charts):
            self.end()
            self._new.mkdir()
            if self._charts.exists():
                shutil.copymode(self._charts, self._new)

    def end(self) -> None:
        """Do what was left undone once the new charts were in their place; remove what has not become the report."""
        if self._old.exists() and not self._charts.exists():
            self._old.rename(self._charts)
        elif self._old.exists() or (self._charts / _UNDONE).exists():
            self._finish(lambda stem: True)
        shutil.rmtree(self._new, ignore_errors=True)
        self._new_index.unlink(missing_ok=True)

    def write_chart(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a page or an image of an asset."""
        write(self._new / name, pieces)

    def write_index(self, pieces: Iterable[bytes]) -> None:
        """Write the page of the fleet."""
        write(self._new_index, pieces)

    def publish(self, failed: set[str]) -> int:
        """Put the new report in the place of the old one.

        Parameters
        ----------
        failed
            The stems of assets of which nothing is known: what an earlier run found stays.

        Returns
        -------
        How many pages of the old report went without a new one in their place.
        """
        with output_errors(self._charts):
            with suppress(FileNotFoundError):
                shutil.copymode(self.index, self._new_index)
            (self._new / _UNDONE).touch()
            if not exchange(self._new, self._charts):
                if self._charts.exists():
                    self._charts.rename(self._old)
                self._new.rename(self._charts)
            return self._finish(lambda stem: stem in failed)

    def _finish(self, keeps: Callable[[str], bool]) -> int:
        """With the new charts in their place, put the new index there, and see to the old charts."""
        if self._new.exists():  # they changed places
            self._new.rename(self._old)
        if self._new_index.exists():
            self._new_index.replace(self.index)
        sync_folder(self._charts.parent)
        removed = self._settle(keeps)
        (self._charts / _UNDONE).unlink(missing_ok=True)
        return removed

    def _settle(self, keeps: Callable[[str], bool]) -> int:
        """Take from the old charts what stays, and remove the rest."""
        if not self._old.exists():
            return 0
        ours = {page.stem for page in self._old.glob(_PAGE) if page.is_file() and _is_ours(page)}
        replaced = {page.stem for page in self._charts.glob(_PAGE)}
        for path in list(self._old.iterdir()):
            goes = path.stem in ours and path.suffix in (".html", *_IMAGES) and not keeps(path.stem)
            if goes or (self._charts / path.name).exists():
                path.unlink()
            else:
                path.rename(self._charts / path.name)
        self._old.rmdir()
        return sum(stem not in replaced and not keeps(stem) for stem in ours)


@contextmanager
def drafted(folder: Path) -> Iterator[Draft]:
    """Be the only one that writes a report into a folder, which is made if it is missing.

    Raises
    ------
    LockedError
        If another run writes one there.
    OutputError
        If it cannot be written, or its index is not ours.
    """
    with output_errors(folder):
        is_new = not folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
    draft = Draft(folder)
    try:
        with lock.hold(folder / _LOCK, f"the report in {folder}", remove=True):
            for each in (folder, folder / "charts"):
                remove_unfinished(each)
            draft.begin()
            try:
                yield draft
            finally:
                with suppress(OSError):  # the next writer sees to it
                    draft.end()
    except BaseException:
        if is_new:
            with suppress(OSError):  # unless something is in it by now
                folder.rmdir()
        raise


def write(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file of a report, whole or not at all."""
    with replace_file(path, follow=False, sweep=False) as file:
        for piece in pieces:
            file.write(piece)


def refuse_foreign(path: Path) -> None:
    """Raise an OutputError if a file is there that is not a page of ours."""
    with output_errors(path):
        if path.exists() and not _is_ours(path):
            raise OutputError(
                f"{path} already exists and was not written by anomscan", hint="name another folder with -o"
            )


def _is_ours(path: Path) -> bool:
    with output_errors(path):
        try:
            with open_regular(path) as file:
                return _MARKER in file.read(512)
        except FileNotFoundError:
            return True
