"""One state of a source, read partition by partition, by several threads or by processes elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anomscan.errors import AnomscanError, StoreError
from anomscan.memory import rows_at_a_time
from anomscan.storage.places import Place
from anomscan.store.block import BUCKETS, Block, concat, empty
from anomscan.store.manifest import REFETCH, Manifest, load
from anomscan.store.part_reader import PartReader, same_rows
from anomscan.store.partitions import Cut, Partition
from anomscan.store.roster import Roster
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.series import Series

#: A file of the store on the disk: its name, its size in bytes, and its time of writing in nanoseconds.
FileId = tuple[str, int, int]


class AwayError(Exception):
    """The store, in the state that is asked for, cannot be seen by this process."""


class Snapshot:
    """A source as one manifest describes it; made by :meth:`anomscan.store.store.Store.snapshot`.

    A pickled one finds the same files by their paths, if it sees them.

    Parameters
    ----------
    folder
        The source's folder.
    manifest
        The state.
    roster
        The assets of that state.
    parts
        The files, open: they can be read when a later commit has removed them.

    Attributes
    ----------
    files
        Which files make it up; None where they do not lie in a folder, or have gone.
    """

    def __init__(self, folder: Place, manifest: Manifest, roster: Roster, parts: list[PartReader]) -> None:
        self.folder, self._manifest, self._roster = folder, manifest, roster
        self._parts: list[PartReader] | None = parts
        self.files = _ids(folder, manifest)
        self._threads = threading.local()

    @property
    def revision(self) -> str:
        """See :meth:`anomscan.store.store.Store.revision`."""
        return self._manifest.revision

    @property
    def arrived(self) -> np.datetime64 | None:
        """When the last commit arrived, datetime64[us], UTC; None in a store that was written before this was kept."""
        return None if self._manifest.arrived is None else np.datetime64(self._manifest.arrived, "us")

    @property
    def layout(self) -> Layout:
        """Cadence and variables."""
        return self._manifest.layout

    def span(self) -> tuple[int, int] | None:
        """The outermost timestamps of all rows, microseconds since 1970, UTC; None if there is none."""
        files = self._manifest.files
        return (min(file.earliest for file in files), max(file.latest for file in files)) if files else None

    def newest(self) -> int | None:
        """The newest timestamp of any asset, microseconds since 1970, UTC; None if there is none."""
        return int(self._roster.last.max()) if len(self._roster.names) else None

    def cut(self, *, assets: Collection[str] | None = None, as_of: np.datetime64 | None = None) -> Cut:
        """The existing assets, all or some, to be divided into partitions.

        Parameters
        ----------
        assets
            Ids; None for all.
        as_of
            Only assets of which something had arrived by then.
        """
        dropped = self._readers() if self._manifest.dropped else []
        samples = known_samples(self._roster, dropped, micros(as_of))
        wanted = samples.keys() if assets is None else samples.keys() & set(assets)
        names = [name for name in samples if name in wanted]
        return Cut(names, [samples[name] for name in names])

    def read(self, partition: Partition, *, as_of: np.datetime64 | None = None) -> list[Series]:
        """The samples of a partition's assets, each in its latest revision, in the store's order.

        Parameters and errors are those of ``block``.
        """
        return list(self.block(partition, as_of=as_of).series(self._manifest.layout))

    def whole(self, partition: Partition, *, as_of: np.datetime64 | None = None) -> list[Series]:
        """As ``read``, of a partition that this snapshot was cut into as of the same instant: all its assets are there.

        Raises
        ------
        StoreError
            As for ``block``; the roster lists other assets than the files hold.
        """
        found = self.read(partition, as_of=as_of)
        if as_of is None and len(found) != partition.assets:
            raise StoreError(
                f"{self.folder} is damaged: its roster lists {partition.assets} assets from '{partition.low[1]}' to "
                f"'{partition.high[1]}', its files hold {len(found)}",
                hint=REFETCH,
            )
        return found

    def block(
        self, partition: Partition, *, as_of: np.datetime64 | None = None, leave_out: Collection[str] = ()
    ) -> Block:
        """The samples of a partition's assets as rows, each in its latest revision, in the store's order.

        Parameters
        ----------
        partition
            Which assets.
        as_of
            What was known then.
        leave_out
            Names of files that are left aside.

        Raises
        ------
        AwayError
            This process, another than the one that made the snapshot, does not see the files.
        StoreError
            A file is damaged, or other rows took the place of those of the snapshot.
        ServiceError
            The store is on object storage that cannot be reached, or refuses us.
        """
        until = micros(as_of)
        while True:
            try:
                parts = [part for part in self._readers() if part.counts(until) and part.name not in leave_out]
                blocks = [block for part in parts if (block := part.between(partition.low, partition.high)) is not None]
                break
            except FileNotFoundError as error:  # on object storage, where an open file does not outlive its removal
                newer = same_rows(self.folder, self._manifest, error)
                self._threads.readers = [
                    PartReader(self.folder, file, newer.layout) for file in (*newer.files, *newer.dropped)
                ]
        return concat(blocks).latest(until) if blocks else empty(self._manifest.layout)

    def stream(self, most_rows: int = 1 << 18, *, as_of: np.datetime64 | None = None) -> Iterator[list[Series]]:
        """All assets, once each, partition by partition; the same each time.

        Parameters
        ----------
        most_rows
            How many rows a partition has at most, unless one asset has more; fewer where there are many variables.
        as_of
            What was known then.

        Raises
        ------
        StoreError, ServiceError
            As for ``read``.
        """
        most_rows = rows_at_a_time(most_rows, len(self.layout.variables))
        for partition in self.cut(as_of=as_of).partitions(most_rows):
            yield self.whole(partition, as_of=as_of)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "folder": self.folder,
            "files": self.files,
            "_manifest": self._manifest,
            "_roster": Roster.blank([]),
            "_parts": None,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._threads = threading.local()

    def _readers(self) -> list[PartReader]:
        """Those of this thread."""
        try:
            found: list[PartReader] = self._threads.readers
        except AttributeError:
            found = [part.twin() for part in self._parts] if self._parts is not None else self._found()
            self._threads.readers = found
        return found

    def _found(self) -> list[PartReader]:
        """Open the files from another process, which may see no store or another one."""
        try:
            manifest = load(self.folder)
            if manifest is None or manifest.revision != self.revision:
                raise AwayError
            files = (*self._manifest.files, *self._manifest.dropped)
            parts = [PartReader(self.folder, file, self._manifest.layout) for file in files]
            for part in parts:
                part.open()
        except (FileNotFoundError, AnomscanError):  # missing, or not readable by this process; the driver has it
            raise AwayError from None
        return parts


def _ids(folder: Place, manifest: Manifest) -> frozenset[FileId] | None:
    if not isinstance(folder, Path):
        return None
    try:
        found = [(file.name, (folder / file.name).stat()) for file in manifest.files]
    except OSError:
        return None
    return frozenset((name, status.st_size, status.st_mtime_ns) for name, status in found)


def known_samples(roster: Roster, parts: Sequence[PartReader], as_of: int | None) -> dict[str, int]:
    """The assets of which something is known, or was as of an instant, and about how many samples.

    Parameters
    ----------
    roster
        The assets that have rows now.
    parts
        The files of the source; only those of dropped rows that were known then are read.
    """
    there = np.ones(len(roster.names), bool) if as_of is None else roster.first_arrival <= as_of
    places = np.flatnonzero(there).tolist()
    samples = dict(zip([roster.names[place] for place in places], roster.samples[places].tolist(), strict=True))
    if as_of is None:
        return samples
    for part in parts:
        if part.is_dropped and part.counts(as_of) and (block := part.read(0, BUCKETS)) is not None:
            entries = Roster.of(block.take(block.arrived_at <= as_of).trimmed())
            for name, count in zip(entries.names, entries.samples.tolist(), strict=True):
                samples[name] = samples.get(name, 0) + count
    return samples


def micros(instant: np.datetime64 | None) -> int | None:
    """An instant as microseconds since 1970, UTC; None stays."""
    return None if instant is None else int(instant.astype("datetime64[us]").astype(np.int64))
