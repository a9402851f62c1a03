"""The folder of kept scores: one for each model, a file for each unit of the fleet."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from anomscan import __version__
from anomscan.detectors.kept import file
from anomscan.detectors.kept.book import Book, Kept, together
from anomscan.errors import OutputError
from anomscan.telemetry.snapshot import FileId
from anomscan.telemetry.units import Unit, key_of

_SUFFIX = ".scores"
#: Models whose scores are kept; those used longest ago go first.
_MODELS = 4


@dataclass(frozen=True)
class Keeper:
    """Where the scores of one frozen model are kept.

    Parameters
    ----------
    folder
        Of this model; it need not be there.
    reads
        Whether kept scores are used.
    writes
        Whether new scores are kept. A run over a part of the fleet, or over less than is known of it, reads alone.
    """

    folder: Path
    reads: bool
    writes: bool

    @classmethod
    def of(cls, root: Path, *, fingerprint: str, shingle: int, calendar: bool, reads: bool, writes: bool) -> Keeper:
        """The keeper of a model's scores.

        Parameters
        ----------
        root
            The folder of all models' scores of a source.
        fingerprint
            Of the model.
        shingle, calendar
            How its points are made.
        reads, writes
            As above.
        """
        key = json.dumps([__version__, fingerprint, shingle, calendar])
        return cls(root / hashlib.blake2b(key.encode(), digest_size=12).hexdigest(), reads, writes)

    def read(self, unit: Unit) -> Book:
        """What is kept of a unit's assets; the fleet may have been cut otherwise when they were kept."""
        if not self.reads or not self.folder.is_dir():
            return Book()
        own = file.read(self._path(unit))
        if own.unit is not None and (own.unit.low, own.unit.high) == (unit.low, unit.high):
            return own
        books: list[Book] = []
        taken: set[str] = set()
        for path, other in self._others:
            if other.meets(unit):
                book = file.read(path).only(lambda asset: asset not in taken and unit.holds(key_of(asset)))
                books.append(book)
                taken.update(book.assets)
        return together(books)

    @cached_property
    def _others(self) -> list[tuple[Path, Unit]]:
        """The files that are there when this is first asked for, and of which unit each is."""
        found = ((path, file.unit_of(path)) for path in sorted(self.folder.glob(f"*{_SUFFIX}")))
        return [(path, unit) for path, unit in found if unit is not None]

    def keep(
        self, unit: Unit, known: Mapping[str, Kept], files: frozenset[FileId] | None, end: int | None = None
    ) -> None:
        """Keep a unit's scores; where they cannot be written, the next run scores anew.

        Parameters
        ----------
        known
            By asset, in the order in which they were read.
        files
            The store's files that hold all samples of the unit's assets; None if that is not known.
        end
            The checksum at the end of the unit's file; None if there was none that could be continued.
        """
        if not self.writes:
            return
        if len(known) != unit.assets:
            files = None  # of an asset that broke before it was scored nothing is known
        if files is not None and end is not None and all(each.filed for each in known.values()):
            file.append(self._path(unit), end, list(known.values()), files)
            return
        with suppress(OutputError):
            file.write(self._path(unit), unit, known, files)

    def tidy(self, units: Iterable[Unit]) -> None:
        """After a whole run: remove what it did not use, and the scores of models that were not used for long."""
        if not self.writes or not self.folder.is_dir():
            return
        used = {self._path(unit) for unit in units}
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path not in used and not path.is_dir():
                    path.unlink()
            self.folder.touch()
            models = sorted(self.folder.parent.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
            for model in models[_MODELS:]:
                shutil.rmtree(model, ignore_errors=True)

    def _path(self, unit: Unit) -> Path:
        return self.folder / f"{unit.name}{_SUFFIX}"
