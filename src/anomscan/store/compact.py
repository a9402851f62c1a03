"""Keeping a source's folder tidy: merging batches, removing files that are no longer used."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from anomscan.storage.durable import UNFINISHED, replace_file
from anomscan.store.manifest import DataFile, Manifest
from anomscan.store.parts import PartReader, PartWriter, bucket_spans, present, read_parts

#: Rows of a compacted file, unless a single bucket has more.
FILE_ROWS = 262_144

_OURS = re.compile(r"(batch|bucket|roster)-[0-9-]+\.parquet|spill-\w+")


def compact(folder: Path, before: Manifest) -> Manifest:
    """Merge all files into files of whole buckets; every revision is kept. The caller holds the lock.

    The merged files stay until the next time, for readers that began before.

    Raises
    ------
    StoreError
        A file is damaged or missing.
    OutputError
        The store cannot be written; it stays as it was.
    """
    sequence = before.sequence + 1
    readers = [PartReader(folder, file, before.layout) for file in before.files]
    files: list[DataFile] = []
    try:
        with present(folder):
            for first, stop in bucket_spans(before.bucket_rows().tolist(), FILE_ROWS):
                block = read_parts(readers, first, stop)
                name = f"bucket-{sequence:06d}-{first:02d}.parquet"
                with replace_file(folder / name) as out, PartWriter(out, name, before.layout) as part:
                    if block is not None:
                        part.write(block.in_order())
                files.append(part.part)
        superseded = tuple(file.name for file in before.files)
        after = replace(before, sequence=sequence, files=tuple(files), superseded=superseded)
        after.save(folder)
    except BaseException:
        clean(folder, before)
        raise
    for name in before.superseded:
        remove(folder / name)
    return after


def clean(folder: Path, manifest: Manifest | None) -> None:
    """Remove what a killed writer left. The caller holds the lock."""
    listed: set[str] = set()
    if manifest is not None:
        listed = {manifest.roster or "", *(file.name for file in manifest.files), *manifest.superseded}
    for entry in folder.iterdir():
        if entry.name not in listed and (entry.name.startswith(UNFINISHED) or _OURS.fullmatch(entry.name)):
            remove(entry)


def remove(path: Path) -> None:
    """Remove an unused file or folder; what cannot be removed is left for the next writer."""
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
