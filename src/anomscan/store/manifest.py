"""The manifest: which files make up one source. Replacing it is the commit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomscan.errors import ConfigError, StoreError
from anomscan.storage.durable import replace_file
from anomscan.storage.places import Place, content_of, files_in
from anomscan.storage.untrusted import parse_json
from anomscan.store.block import BUCKETS
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout

#: Format 1 had rosters and superseded files beside the data; 3 is 2 with rows that were dropped.
FORMAT = 3
MANIFEST = "manifest.json"
LOCK = "lock"
SUPERSEDED = "superseded"
ROSTER = "roster"
DROPPED = "dropped"
_DATA = re.compile(r"(batch|bucket|recent)-\d[0-9-]*\.parquet")
_EARLIEST, _LATEST = np.array(["0001-01-01", "9999-12-31"], "datetime64[us]").astype(np.int64).tolist()
#: More rows, or more commits, than any store has.
_MOST = 1 << 53
REFETCH = "delete that folder and fetch again, or restore it from a copy"


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file of rows in the store's order.

    Parameters
    ----------
    name
        Within the source's folder.
    first_bucket
        The bucket that ``rows`` begins with.
    rows
        How many rows each bucket has, from ``first_bucket`` on.
    earliest, latest
        The outermost timestamps, microseconds since 1970, UTC.
    until
        When its rows were dropped, microseconds since 1970, UTC: they were known before. None: they count.
    """

    name: str
    first_bucket: int
    rows: tuple[int, ...]
    earliest: int
    latest: int
    until: int | None = None

    def counts(self, as_of: int | None) -> bool:
        """Whether its rows count now, or did as of an instant."""
        return self.until is None or (as_of is not None and as_of < self.until)

    def rows_of(self, first: int, stop: int) -> int:
        """How many rows the buckets ``first`` to ``stop`` (exclusive) have."""
        return sum(self.rows[max(first - self.first_bucket, 0) : max(stop - self.first_bucket, 0)])

    def bucket_rows(self) -> NDArray[np.int64]:
        """(64,) rows in each bucket."""
        rows = np.zeros(BUCKETS, np.int64)
        rows[self.first_bucket : self.first_bucket + len(self.rows)] = self.rows
        return rows

    @property
    def is_batch(self) -> bool:
        """Whether it is one commit, not yet compacted."""
        return self.name.startswith("batch-")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A snapshot of one source.

    Parameters
    ----------
    layout
        Cadence and variables of all rows.
    sequence
        Counts the swaps; new files are named by it.
    revision
        Changes exactly when the data does.
    roster
        The path of the file that lists the assets; None before the first commit.
    files
        Earlier commits first.
    arrived
        When the last commit arrived, microseconds since 1970, UTC; None before the first, and in a store written before
        this was kept.
    dropped
        Files of rows that were dropped.
    later
        Variables that came later than some rows: what these then get of them is new, not revised.
    """

    layout: Layout
    sequence: int = 0
    revision: str = ""
    roster: str | None = None
    files: tuple[DataFile, ...] = ()
    arrived: int | None = None
    dropped: tuple[DataFile, ...] = ()
    later: tuple[str, ...] = ()

    @property
    def is_blank(self) -> bool:
        """Whether nothing was ever stored."""
        return not (self.files or self.dropped)

    def bucket_rows(self) -> NDArray[np.int64]:
        """(64,) rows in each bucket, all revisions."""
        return bucket_rows(self.files)

    def save(self, folder: Path) -> None:
        """Put it in place.

        Raises
        ------
        OutputError
            It cannot be written; the old one stays.
        """
        document = {
            "format": FORMAT if self.dropped else 2,
            "cadence": self.layout.cadence.name,
            "variables": self.layout.variables,
            "sequence": self.sequence,
            "revision": self.revision,
            "arrived": self.arrived,
            "roster": self.roster,
            "files": list(map(_entry, self.files)),
        }
        if self.later:
            document["later"] = self.later
        if self.dropped:
            document["dropped"] = [_entry(file) | {"until": file.until} for file in self.dropped]
        with replace_file(folder / MANIFEST, follow=False) as out:
            out.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def _entry(file: DataFile) -> dict[str, Any]:
    return {
        "name": file.name,
        "first_bucket": file.first_bucket,
        "rows": file.rows,
        "earliest": file.earliest,
        "latest": file.latest,
    }


def bucket_rows(files: Iterable[DataFile]) -> NDArray[np.int64]:
    """(64,) rows in each bucket of some files."""
    return sum((file.bucket_rows() for file in files), np.zeros(BUCKETS, np.int64))


def load(folder: Place) -> Manifest | None:
    """The manifest of a source's folder; None if nothing was ever stored.

    Raises
    ------
    StoreError
        Written by a newer version, damaged, or missing beside data.
    ServiceError
        It is on object storage that cannot be reached, or refuses us.
    """
    path = folder / MANIFEST
    try:
        document = _document(path)
    except (FileNotFoundError, NotADirectoryError):
        if any(map(_DATA.fullmatch, files_in(folder))):
            raise StoreError(f"{folder} holds data but no {MANIFEST}", hint=REFETCH) from None
        return None
    except ValueError:
        raise StoreError(f"{path} is damaged", hint=REFETCH) from None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from None
    version = document.get("format") if isinstance(document, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise StoreError(
            f"{folder} was written by a newer anomscan (format {version}, this one knows up to {FORMAT})",
            hint="upgrade anomscan, or name another store",
        )
    try:
        return _parse(document)
    except (KeyError, TypeError, ValueError, ConfigError):
        raise StoreError(f"{path} is damaged", hint=REFETCH) from None


def _document(path: Place) -> Any:
    """The content of a manifest; on object storage one that is replaced while it is read is cut off, and read again."""
    before = None
    while (text := content_of(path)) != before:
        try:
            return parse_json(text)
        except ValueError:
            before = text
    raise ValueError("not JSON")


def _parse(document: Mapping[str, Any]) -> Manifest:
    if document["format"] not in (1, 2, FORMAT):
        raise ValueError("format")
    variables = _list(document["variables"])
    layout = Layout(Cadence.parse(_text(document["cadence"])), tuple(map(_text, variables)))
    files = tuple(map(_data_file, _list(document["files"])))
    dropped = tuple(_data_file(entry, DROPPED) for entry in _list(document.get("dropped", [])))
    for names in (layout.variables, [file.name for file in (*files, *dropped)]):
        if len(set(names)) < len(names):
            raise ValueError("names")
    if not variables or sum(sum(file.rows) for file in (*files, *dropped)) > _MOST:
        raise ValueError("variables or rows")
    return Manifest(
        layout,
        _count(document["sequence"]),
        _text(document["revision"]),
        None if document["roster"] is None else _file_name(document["roster"], within=ROSTER),
        files,
        None if document.get("arrived") is None else _instant(document["arrived"]),
        dropped,
        tuple(map(_text, _list(document.get("later", [])))),
    )


def _data_file(entry: Mapping[str, Any], within: str | None = None) -> DataFile:
    first, rows = _count(entry["first_bucket"]), tuple(map(_count, _list(entry["rows"])))
    if first + len(rows) > BUCKETS or not sum(rows):
        raise ValueError("buckets")
    earliest, latest = entry["earliest"], entry["latest"]
    if type(earliest) is not int or type(latest) is not int or not -(2**63) <= earliest <= latest < 2**63:
        raise ValueError("times")
    until = None if within is None else _instant(entry["until"])
    return DataFile(_file_name(entry["name"], within), first, rows, earliest, latest, until)


def _instant(value: Any) -> int:
    """Microseconds since 1970, of the years that a clock can say."""
    if type(value) is not int or not _EARLIEST <= value <= _LATEST:
        raise ValueError("instant")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ValueError("count")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("list")
    return value


def _file_name(value: Any, within: str | None = None) -> str:
    folder = "" if within is None else f"({within}/)?"
    if not re.fullmatch(rf"{folder}[a-z0-9-]+\.parquet", _text(value)):
        raise ValueError("file name")
    return str(value)
