"""The folder of kept scores: one for each model, a file for each partition of the fleet."""

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
from anomscan.detectors.score_cache import file
from anomscan.detectors.score_cache.table import CachedScores, ScoreColumns, together
from anomscan.errors import OutputError
from anomscan.store.partitions import Partition, key_of
from anomscan.store.snapshot import FileId
from anomscan.telemetry.series import LongGaps

_SUFFIX = ".scores"
#: Models whose scores are kept; those used longest ago go first.
_MODELS = 4


@dataclass(frozen=True)
class ScoreCache:
    """Where the scores of one frozen model are kept.

    Parameters
    ----------
    folder
        Of this model; it need not be there.
    reads
        Whether kept scores are used.
    writes
        Whether new scores are kept. A run over a part of the fleet, or over less than is known of it, reads alone.
    gaps
        How long gaps are laid on the calendar; None where rows are taken as they stand.
    """

    folder: Path
    reads: bool
    writes: bool
    gaps: LongGaps | None

    @classmethod
    def of(
        cls, root: Path, *, fingerprint: str, shingle: int, gaps: LongGaps | None, reads: bool, writes: bool
    ) -> ScoreCache:
        """The cache of a model's scores.

        Parameters
        ----------
        root
            The folder of all models' scores of a source.
        fingerprint
            Of the model.
        shingle
            How its points are made.
        reads, writes, gaps
            As above.
        """
        key = json.dumps([__version__, fingerprint, shingle, gaps is not None])
        return cls(root / hashlib.blake2b(key.encode(), digest_size=12).hexdigest(), reads, writes, gaps)

    def read(self, partition: Partition) -> ScoreColumns:
        """What is kept of a partition's assets; the fleet may have been cut otherwise when they were kept."""
        if not self.reads or not self.folder.is_dir():
            return ScoreColumns()
        own = file.read(self._path(partition))
        if own.partition is not None and (own.partition.low, own.partition.high) == (partition.low, partition.high):
            return own
        tables: list[ScoreColumns] = []
        taken: set[str] = set()
        for path, other in self._others:
            if other.meets(partition):
                columns = file.read(path).only(lambda asset: asset not in taken and partition.holds(key_of(asset)))
                tables.append(columns)
                taken.update(columns.assets)
        return together(tables)

    @cached_property
    def _others(self) -> list[tuple[Path, Partition]]:
        """The files that are there when this is first asked for, and of which partition each is."""
        found = ((path, file.partition_of(path)) for path in sorted(self.folder.glob(f"*{_SUFFIX}")))
        return [(path, partition) for path, partition in found if partition is not None]

    def keep(
        self,
        partition: Partition,
        known: Mapping[str, CachedScores],
        files: frozenset[FileId] | None,
        end: int | None = None,
    ) -> None:
        """Keep a partition's scores; where they cannot be written, the next run scores anew.

        Parameters
        ----------
        known
            By asset, in the order in which they were read.
        files
            The store's files that hold all samples of the partition's assets; None if that is not known.
        end
            The checksum at the end of the partition's file; None if there was none that could be continued.
        """
        if not self.writes:
            return
        if len(known) != partition.assets:
            files = None  # of an asset that broke before it was scored nothing is known
        if files is not None and end is not None and all(each.filed for each in known.values()):
            file.append(self._path(partition), end, list(known.values()), files)
            return
        with suppress(OutputError):
            file.write(self._path(partition), partition, known, files, self.gaps)

    def tidy(self, partitions: Iterable[Partition]) -> None:
        """After a whole run: remove what it did not use, and the scores of models that were not used for long."""
        if not self.writes or not self.folder.is_dir():
            return
        used = {self._path(partition) for partition in partitions}
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path not in used and not path.is_dir():
                    path.unlink()
            self.folder.touch()
            models = sorted(self.folder.parent.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
            for model in models[_MODELS:]:
                shutil.rmtree(model, ignore_errors=True)

    def _path(self, partition: Partition) -> Path:
        return self.folder / f"{partition.name}{_SUFFIX}"
