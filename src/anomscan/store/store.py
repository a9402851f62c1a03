"""The store: what was measured, when it arrived, and what was known at any instant.

A store is a folder with a folder for each source, and in that::

    manifest.json            which files count; swapping it is what commits
    lock                     who is writing; empty when nobody is
    batch-000012.parquet     the rows of one commit
    bucket-000013-05.parquet some buckets of all commits before it, merged
    recent-000013.parquet    the newest samples of those commits, apart
    roster/                  the assets and how far each one reaches
    dropped/                 rows that were dropped, for what was known before
    superseded/              files that no longer count, for readers that began before; gone with the next commit

Rows are in the order (bucket, asset, timestamp, arrived_at), a bucket being a hash of the asset's id.

A copy of the folder on object storage (``s3://BUCKET/PREFIX``) can be read as it stands, by any number of machines.
It cannot be written there: one writer at a time is what keeps a store whole, and its lock is the kernel's, on a local
file. So telemetry is fetched into a local store, and the folder copied after each fetch, every
``manifest.json`` after all other files: a manifest becomes visible only after every file it lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from os import PathLike
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from anomscan.errors import AssetError, ConfigError, StoreError
from anomscan.storage.places import ObjectPlace, Place, folders_in, local, place_of
from anomscan.store.block import bucket_of
from anomscan.store.manifest import LOCK, Manifest, load
from anomscan.store.part_reader import PartReader, present, read_parts
from anomscan.store.roster import Roster
from anomscan.store.rules import CommitRules
from anomscan.store.snapshot import Snapshot, known_samples, micros
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.series import Series

if TYPE_CHECKING:  # not needed for reading
    from anomscan.store.drop import Dropped
    from anomscan.store.writer import StoreWriter

T = TypeVar("T")
_STRICT = CommitRules()


class Store:
    """A store. Reading takes no lock and sees the last commit, whole.

    Parameters
    ----------
    path
        Its folder, or the URL of a copy on object storage. ``Store.open`` and ``Store.create`` look at what is there,
        too.

    Notes
    -----
    ``as_of`` is an instant, datetime64, UTC, inclusive: rows that arrived later do not exist. Everything that reads
    raises StoreError where the store is damaged, was written by a newer version, or has nothing of the source, and
    ServiceError where it is on object storage that cannot be reached, or refuses us. Everything that writes raises
    StoreError there.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = place_of(path)

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Store:
        """A store that has something in it.

        Raises
        ------
        StoreError
            There is no store; it was written by a newer version; a manifest is damaged.
        ServiceError
            It is on object storage that cannot be reached, or refuses us.
        """
        store = cls(path)
        if not store.sources():
            raise StoreError(f"there is no telemetry in {store.path}", hint=store._fetch("anomscan fetch"))
        return store

    @classmethod
    def create(cls, path: str | PathLike[str]) -> Store:
        """A store that exists or will exist with the first commit.

        Raises
        ------
        StoreError
            It was written by a newer version; a manifest is damaged; the path is not a folder, or is a URL.
        """
        store = cls(path)
        folder = local(store.path)
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"{folder} is not a folder", hint="name another store path")
        store.sources()
        return store

    def sources(self) -> list[str]:
        """The names of the sources that have rows, sorted."""
        names = sorted(filter(_NAME.fullmatch, folders_in(self.path)))
        return [name for name in names if (manifest := load(self.path / name)) is not None and not manifest.is_blank]

    def layout(self, source: str) -> Layout:
        """Cadence and variables of a source."""
        return self._manifest(source).layout

    def revision(self, source: str) -> str:
        """A hash that changes exactly when the data does (rows are added or revised).

        It follows from all commits but not from when they arrived; compaction leaves it alone.
        """
        return self._manifest(source).revision

    def assets(self, source: str, *, as_of: np.datetime64 | None = None) -> list[str]:
        """The ids of the assets that have rows, sorted by code point."""

        def work(manifest: Manifest) -> list[str]:
            return sorted(known_samples(self._roster(source, manifest), self._parts(source, manifest), micros(as_of)))

        return self._reading(source, work)

    def last_timestamps(self, source: str) -> dict[str, np.datetime64]:
        """The newest timestamp of each asset, datetime64[us], UTC; empty if nothing of the source is stored yet."""
        manifest = load(self._folder(source))
        if manifest is None or manifest.is_blank:
            return {}
        roster = self._reading(source, lambda manifest: self._roster(source, manifest))
        return dict(zip(roster.names, roster.last.view("datetime64[us]"), strict=True))

    def read(self, source: str, asset: str, *, as_of: np.datetime64 | None = None) -> Series:
        """One asset's samples, each in its latest revision.

        Raises
        ------
        AssetError
            The store has no row of it, or had none then.
        """
        bucket, until = bucket_of(asset), micros(as_of)

        def work(manifest: Manifest) -> Series | None:
            parts = [part for part in self._parts(source, manifest) if part.counts(until)]
            block = read_parts(parts, bucket, bucket + 1, asset)
            return None if block is None else next(block.latest(until).series(manifest.layout), None)

        series = self._reading(source, work)
        if series is None:
            then = "" if as_of is None else f" as of {as_of}"
            raise AssetError(f"asset '{asset}' is not in the store of source '{source}'{then}")
        return series

    def snapshot(self, source: str) -> Snapshot:
        """The last commit, to be read partition by partition; later commits do not change it."""

        def work(manifest: Manifest) -> Snapshot:
            roster = self._roster(source, manifest)
            return Snapshot(self._folder(source), manifest, roster, self._opened(source, manifest))

        return self._reading(source, work)

    def writer(
        self,
        source: str,
        layout: Layout,
        *,
        arrived_at: np.datetime64,
        late: np.timedelta64 | None = None,
        rules: CommitRules = _STRICT,
    ) -> StoreWriter:
        """A context manager that locks the source against other writers.

        Parameters
        ----------
        source
            The source's name: letters, digits, ``.``, ``_`` and ``-``, not beginning with a dot.
        layout
            Of all rows, now and later.
        arrived_at
            When the rows were learnt, datetime64, UTC. Where the last commit arrived at that time or later, just after
            it: revisions are in the order of the commits.
        late
            How late data may come: what is newer lies apart from older history, so that it is quickly read again.
        rules
            What becomes of rows off the grid, and of rows that contradict one another; by default none is stored.

        Raises
        ------
        ConfigError
            The name cannot be a folder's.
        LockedError
            On entering: another live process is writing.
        StoreError
            The store is on object storage. On entering: what is stored has another layout, is damaged, or is of a
            newer version.
        OutputError
            On entering: the folder cannot be written.
        """
        from anomscan.store.writer import StoreWriter

        return StoreWriter(local(self._folder(source)), layout, arrived_at, late, rules)

    def drop(
        self,
        source: str,
        *,
        assets: Collection[str] | None,
        start: np.datetime64 | None,
        end: np.datetime64 | None,
        now: np.datetime64,
        late: np.timedelta64,
    ) -> Dropped:
        """Take samples of a source out of the data; what was known before still holds them.

        Parameters
        ----------
        assets
            Ids; None for all.
        start, end
            datetime64, UTC, both inclusive; None for no bound.
        now
            When, datetime64, UTC.
        late
            How late data may come.

        Raises
        ------
        LockedError
            Another live process is writing.
        OutputError
            The store cannot be written; it stays as it was.
        """
        from anomscan.store.drop import drop

        folder = local(self._folder(source))
        self._manifest(source)
        ends = np.iinfo(np.int64)
        first, last, at = micros(start), micros(end), micros(now)
        late_us = int(late.astype("timedelta64[us]").astype(np.int64))
        return drop(
            folder, assets, ends.min if first is None else first, ends.max if last is None else last, at or 0, late_us
        )

    def compact(self, source: str) -> None:
        """Merge the batches of a source; reading gives the same before and after.

        Raises
        ------
        LockedError
            Another live process is writing.
        OutputError
            The store cannot be written; it stays as it was.
        """
        from anomscan.storage import lock
        from anomscan.store.compact import clean, compact

        folder = local(self._folder(source))
        self._manifest(source)
        with lock.hold(folder / LOCK, f"source '{source}' of the store"):
            manifest = self._manifest(source)
            clean(folder, manifest)
            if any(file.is_batch for file in manifest.files):
                compact(folder, manifest)

    def _folder(self, source: str) -> Place:
        if not _NAME.fullmatch(source):
            raise ConfigError(
                f"'{source}' cannot be a source's name in the store", hint="use letters, digits, '.', '_' and '-'"
            )
        return self.path / source

    def _fetch(self, command: str) -> str:
        return f"run {command}" + (", and copy the store's folder there" if isinstance(self.path, ObjectPlace) else "")

    def _manifest(self, source: str) -> Manifest:
        manifest = load(self._folder(source))
        if manifest is None or manifest.is_blank:
            raise StoreError(
                f"{self.path} has nothing of source '{source}'",
                hint=self._fetch(f"anomscan fetch --source {source}"),
            )
        return manifest

    def _reading(self, source: str, work: Callable[[Manifest], T]) -> T:
        """Do the work on a snapshot, and again on the next one if its files were removed meanwhile."""
        manifest = self._manifest(source)
        while True:
            try:
                return work(manifest)
            except FileNotFoundError:
                newer = self._manifest(source)
                if newer.sequence == manifest.sequence:
                    with present(self._folder(source)):
                        raise
                manifest = newer

    def _roster(self, source: str, manifest: Manifest) -> Roster:
        return Roster.listed(self._folder(source), manifest)

    def _parts(self, source: str, manifest: Manifest) -> list[PartReader]:
        """The files of the source, those of dropped rows among them."""
        files = (*manifest.files, *manifest.dropped)
        return [PartReader(self._folder(source), file, manifest.layout) for file in files]

    def _opened(self, source: str, manifest: Manifest) -> list[PartReader]:
        parts = self._parts(source, manifest)
        for part in parts:
            part.open()
        return parts


_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
