"""Keeping a source's folder tidy: merging batches, taking rows out, removing files that are no longer used."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomscan.storage.durable import UNFINISHED
from anomscan.store.block import Block
from anomscan.store.manifest import DROPPED, ROSTER, SUPERSEDED, DataFile, Manifest
from anomscan.store.part_reader import PartReader, present, read_parts
from anomscan.store.part_writer import PartWriter
from anomscan.store.partitions import spans_in_memory

#: Rows of a compacted file, unless a single bucket has more.
FILE_ROWS = 262_144

#: The newest samples lie apart: those of so many steps, of a week, or of the margin for late data more than that.
RECENT_STEPS, RECENT_US = 16, 7 * 86_400_000_000

_OURS = re.compile(r"(batch|bucket|recent|roster|dropped)-[0-9-]+\.parquet|spill-\w+")


def compact(folder: Path, before: Manifest, *, late_us: int = 0) -> Manifest:
    """Merge all files into files of whole buckets; every revision is kept. The caller holds the lock.

    The newest samples go into a file of their own, so that the next fetches, which bring them again, need not read all
    history. The merged files are put aside until the next commit, for readers that began before.

    Parameters
    ----------
    folder
        The source's.
    before
        What is stored.
    late_us
        How late data may come, in microseconds.

    Raises
    ------
    StoreError
        A file is damaged or missing.
    OutputError
        The store cannot be written; it stays as it was.
    """
    try:
        after = rewritten(folder, before, late_us=late_us)
        after.save(folder)
    except BaseException:
        clean(folder, before)
        raise
    put_aside(folder, superseded(before, after))
    return after


@dataclass(frozen=True, slots=True)
class TakeOut:
    """Which rows to take out, with all their revisions.

    Parameters
    ----------
    assets
        Ids; None for all.
    first, last
        The outermost timestamps, both inclusive, microseconds since 1970, UTC.
    at
        When: what was known before holds them.
    note
        Called with the rows taken out and those left, bucket by bucket, each in the store's order.
    """

    assets: frozenset[str] | None
    first: int
    last: int
    at: int
    note: Callable[[Block, Block], None] = lambda gone, left: None

    def which(self, block: Block) -> NDArray[np.bool_]:
        """(n,) bool."""
        among = (block.timestamps >= self.first) & (block.timestamps <= self.last)
        if self.assets is None:
            return among
        wanted = np.array([name in self.assets for name in block.names], bool)
        return np.asarray(among & wanted[block.assets])


def rewritten(folder: Path, before: Manifest, *, late_us: int = 0, out: TakeOut | None = None) -> Manifest:
    """Write all files again, some rows apart; the manifest of them, which is not saved.

    Parameters and errors are those of ``compact``.
    """
    sequence = before.sequence + 1
    readers = [PartReader(folder, file, before.layout) for file in before.files]
    files: list[DataFile] = []
    dropped = before.dropped
    since = newest_since(
        min((file.earliest for file in before.files), default=0),
        max((file.latest for file in before.files), default=0),
        before.layout.cadence.step_us,
        late_us,
    )
    with ExitStack() as stack:
        stack.enter_context(present(folder))
        recent = stack.enter_context(PartWriter(folder, f"recent-{sequence:06d}.parquet", before.layout))
        apart = stack.enter_context(PartWriter(folder, f"{DROPPED}/{DROPPED}-{sequence:06d}.parquet", before.layout))
        for first, stop in spans_in_memory(before.bucket_rows().tolist(), FILE_ROWS, before.layout):
            block = read_parts(readers, first, stop)
            if block is None:
                continue
            block = block.in_order()
            if out is not None and (which := out.which(block)).any():
                gone, block = block.take(which).trimmed(), block.take(~which).trimmed()
                apart.write(gone)
                out.note(gone, block)
            with PartWriter(folder, f"bucket-{sequence:06d}-{first:02d}.parquet", before.layout) as older:
                write_apart(block, since, older, recent)
            files += older.parts
    if out is not None:
        dropped += tuple(replace(part, until=out.at) for part in apart.parts)
    return replace(before, sequence=sequence, files=(*files, *recent.parts), dropped=dropped)


def superseded(before: Manifest, after: Manifest) -> list[str]:
    """The names of files that no longer count."""
    left = {file.name for file in after.files}
    return [file.name for file in before.files if file.name not in left]


def newest_since(earliest: int, latest: int, step_us: int, late_us: int) -> int:
    """The first timestamp of the samples that lie apart, in microseconds; after the last where nothing is older."""
    since = latest - late_us - max(RECENT_STEPS * step_us, RECENT_US)
    return since if earliest < since else latest + 1


def write_apart(block: Block, since: int, older: PartWriter, newest: PartWriter) -> None:
    """Write rows in the store's order to two files, by their timestamps."""
    is_newest = block.timestamps >= since
    older.write(block.take(~is_newest).trimmed())
    newest.write(block.take(is_newest).trimmed())


def put_aside(folder: Path, names: Iterable[str]) -> None:
    """After a swap: remove what was superseded before it, and put aside what it has superseded.

    The caller holds the lock. What cannot be moved or removed is left for the next writer.
    """
    aside = folder / SUPERSEDED
    remove(aside)
    for name in names:
        with suppress(OSError):
            aside.mkdir(exist_ok=True)
            (folder / name).rename(aside / name)


def clean(folder: Path, manifest: Manifest | None) -> None:
    """Remove what a killed writer left. The caller holds the lock."""
    listed: set[str] = set()
    if manifest is not None:
        files = (*manifest.files, *manifest.dropped)
        listed = {file.name for file in files} | ({manifest.roster} if manifest.roster else set())
    for place in (folder, folder / ROSTER, folder / DROPPED):
        for entry in place.iterdir() if place.is_dir() else ():
            ours = entry.name.startswith(UNFINISHED) or _OURS.fullmatch(entry.name)
            if ours and entry.relative_to(folder).as_posix() not in listed:
                remove(entry)


def remove(path: Path) -> None:
    """Remove an unused file or folder; what cannot be removed is left for the next writer."""
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
