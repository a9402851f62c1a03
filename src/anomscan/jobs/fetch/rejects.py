"""Rows that cannot be used, kept beside the store: SOURCE.rejects.jsonl, and SOURCE.rejects-YEAR.jsonl of long ago."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anomscan.sources.base import Placed, Source
from anomscan.storage.durable import replace_file
from anomscan.storage.places import local
from anomscan.tables.salvage import Reject

if TYPE_CHECKING:
    from anomscan.store.findings import RejectedRow
    from anomscan.store.store import Store

_DAY = re.compile(rb', "at": "(\d{4}-\d\d-\d\d)"\}$')


def keep_rejects(store: Store, source: str, rejects: Sequence[Reject], now: np.datetime64) -> tuple[Path | None, int]:
    """Add rejects to the source's file of them, and say how many are new; a row that is there is not added again.

    Parameters
    ----------
    now
        datetime64[us], UTC; its day is kept with those that are new.
    """
    if not rejects:
        return None, 0
    path = rejects_path(store, source)
    kept, new = _by_row(path), dict[bytes, bytes]()
    for each in rejects:
        line = json.dumps({"row": dict(each.row), "reason": each.reason, "at": _day(now)}, ensure_ascii=False)
        encoded = line.encode(errors="backslashreplace")
        if (row := _row(encoded)) not in kept:
            new.setdefault(row, encoded)
    if new:
        for old in _archives(path):
            for row in _by_row(old):
                new.pop(row, None)
    if new:
        _write(path, {**kept, **new})
    return path, len(new)


def put_away(folder: Path, source: str, before: np.datetime64, now: np.datetime64) -> None:
    """Move the rejects of a source that were kept before a day to a file a year, where they are still known.

    Those that an earlier version kept have no day: they get today's.

    Parameters
    ----------
    folder
        Of the store.
    before, now
        datetime64[us], UTC.

    Raises
    ------
    LockedError
        Another run writes the store.
    OutputError
        They cannot be moved.
    """
    from anomscan.storage import lock
    from anomscan.store.manifest import LOCK

    path = folder / f"{source}.rejects.jsonl"
    if not path.is_file():
        return
    with lock.hold(folder / source / LOCK, f"source '{source}' of the store"):
        found, kept, years = _by_row(path), dict[bytes, bytes](), dict[str, dict[bytes, bytes]]()
        for row, line in found.items():
            day = _DAY.search(line)
            if day is not None and day[1].decode() < _day(before):
                years.setdefault(day[1].decode()[:4], {})[row] = line
            elif day is None and line.endswith(b'"}'):
                kept[row] = line[:-1] + f', "at": "{_day(now)}"}}'.encode()
            else:
                kept[row] = line
        # A run that is killed in between has some in both, where they are known all the same.
        for year, lines in years.items():
            archive = path.with_name(f"{path.stem}-{year}.jsonl")
            _write(archive, {**_by_row(archive), **lines})
        if kept != found:
            _write(path, kept)


def rejects_path(store: Store, source: str) -> Path:
    """Where the rejects of a source are kept."""
    return local(store.path) / f"{source}.rejects.jsonl"


def _archives(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{glob.escape(path.stem)}-[0-9][0-9][0-9][0-9].jsonl"))


def _by_row(path: Path) -> dict[bytes, bytes]:
    """The lines of a file, none if there is no such, by the row that each has."""
    # As bytes: text would also be split at characters that JSON allows unescaped.
    lines = path.read_bytes().splitlines() if path.is_file() else []
    found: dict[bytes, bytes] = {}
    for line in lines:
        found.setdefault(_row(line), line)
    return found


def _row(line: bytes) -> bytes:
    """Without the reason, because it names the place, which differs in the next response."""
    return line.partition(b'}, "reason": "')[0]


def _write(path: Path, lines: Mapping[bytes, bytes]) -> None:
    with replace_file(path, follow=False) as file:
        for line in lines.values():
            file.write(line + b"\n")


def _day(instant: np.datetime64) -> str:
    return str(instant.astype("datetime64[D]"))


def with_places(source: Source, rejects: Sequence[RejectedRow]) -> list[Reject]:
    """Rows that the store does not take, each with where it stood, in that order."""
    told = []
    for each in sorted(rejects, key=lambda each: each.origin):
        place = f"{source.place(each.origin)}: " if isinstance(source, Placed) and each.origin >= 0 else ""
        told.append(Reject(f"{place}{each.reason}", each.row))
    return told
