"""The folder of cached scores: one per model, with a file per partition of the fleet."""

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
#: Most models whose scores are kept; the least recently used are removed.
_MODELS = 4


@dataclass(frozen=True)
class ScoreCache:
    """Where the scores of one frozen model are cached.

    Parameters
    ----------
    folder
        The model's; it need not exist.
    reads
        Whether cached scores are used.
    writes
        Whether new scores are written. A run over part of the fleet, or over less than all that is known, only reads.
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
            The folder of a source, with the scores of all models.
        fingerprint
            The model's.
        shingle
            How its points are made.
        reads, writes, gaps
            As above.
        """
        key = json.dumps([__version__, fingerprint, shingle, gaps is not None])
        return cls(root / hashlib.blake2b(key.encode(), digest_size=12).hexdigest(), reads, writes, gaps)

    def read(self, partition: Partition) -> ScoreColumns:
        """The cached scores of a partition's assets, even if they were written under other partitions."""
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
        """The files that exist at the first use, each with its partition."""
        found = ((path, file.partition_of(path)) for path in sorted(self.folder.glob(f"*{_SUFFIX}")))
        return [(path, partition) for path, partition in found if partition is not None]

    def keep(
        self,
        partition: Partition,
        known: Mapping[str, CachedScores],
        files: frozenset[FileId] | None,
        end: int | None = None,
    ) -> None:
        """Write a partition's scores; if that fails, the next run computes them again.

        Parameters
        ----------
        known
            By asset, in reading order.
        files
            The store's files with all samples of the partition's assets; None if not known.
        end
            The checksum at the end of the partition's file; None if the file cannot be appended to.
        """
        if not self.writes:
            return
        if len(known) != partition.assets:
            files = None  # nothing is known of an asset that failed before it was scored
        if files is not None and end is not None and all(each.filed for each in known.values()):
            file.append(self._path(partition), end, list(known.values()), files)
            return
        with suppress(OutputError):
            file.write(self._path(partition), partition, known, files, self.gaps)

    def tidy(self, partitions: Iterable[Partition]) -> None:
        """After a complete run, remove what it did not use, and the scores of models not used for long."""
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
