"""The file of kept scores: those of some neighbours in the store's order, each beside the samples it follows from.

=====================  ==================================================================================
8 bytes                the magic ``ANOMKPT`` and the format's version
uint64                 the length of the header in bytes
header                 JSON, UTF-8: ``unit``, ``files``, ``variables``, ``health``, and of each asset its id, its first
                       instant and its length
values                 float64, little-endian, (n, d) of each asset, one after another
scores                 float64, little-endian, (n,) of each asset
health                 int16, little-endian, (n,) of each asset, into ``health``; -1 for none
uint32                 CRC-32 of all that precedes
=====================  ==================================================================================
"""

from __future__ import annotations

import json
import mmap
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.durable import replace_file
from anomscan.telemetry.series import Floats
from anomscan.telemetry.snapshot import FileId
from anomscan.telemetry.units import Unit

_MAGIC = b"ANOMKPT\x02"
_PREFIX = struct.Struct("<8sQ")
_CHECKSUM = struct.Struct("<I")
#: Of values, scores and health.
_KINDS = "<f8", "<f8", "<i2"


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """One asset's scores.

    Parameters
    ----------
    origin
        The instant of the first row, microseconds since 1970, UTC.
    values
        (n, d) float64.
    score
        (n,) float64: of the shingle that ends at each row; NaN where it was not scored.
    health
        (n,) integers into ``health_names``; -1 where there is none.
    health_names
        The names that may occur.
    """

    origin: int
    values: Floats
    score: Floats
    health: NDArray[np.signedinteger]
    health_names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """The scores of some assets.

    Parameters
    ----------
    kept
        By asset.
    files
        The store's files that held all their samples; None if that is not known.
    """

    kept: Mapping[str, Kept] = field(default_factory=dict)
    files: frozenset[FileId] | None = None


def write(path: Path, unit: Unit, book: Book) -> None:
    """Write the scores of a unit.

    Raises
    ------
    OutputError
        If they cannot be written; an old file stays.
    """
    entries = list(book.kept.values())
    names = sorted({name for each in entries for name in each.health_names})
    header = json.dumps(
        {
            "unit": [unit.low, unit.high, unit.assets],
            "files": None if book.files is None else sorted(book.files),
            "variables": entries[0].values.shape[1] if entries else 1,
            "health": names,
            "assets": [[asset, each.origin, len(each.score)] for asset, each in book.kept.items()],
        },
        ensure_ascii=False,
    ).encode()
    tables = {known: _table(known, names) for known in {each.health_names for each in entries}}
    values = [each.values.ravel() for each in entries]
    scores = [each.score for each in entries]
    health = [tables[each.health_names][each.health] for each in entries]
    content: list[Any] = [_PREFIX.pack(_MAGIC, len(header)), header]
    for kind, parts in zip(_KINDS, (values, scores, health), strict=True):
        content.append(np.concatenate([np.empty(0, kind), *parts], dtype=kind))
    checksum = 0
    with replace_file(path) as file:
        for part in content:
            checksum = zlib.crc32(part, checksum)
            file.write(part)
        file.write(_CHECKSUM.pack(checksum))


def unit_of(path: Path) -> Unit | None:
    """Whose scores a file says to hold; None if it is no such file."""
    try:
        with path.open("rb") as file:
            magic, length = _PREFIX.unpack(file.read(_PREFIX.size))
            if magic != _MAGIC:
                return None
            low, high, assets = json.loads(file.read(length))["unit"]
            return Unit((int(low[0]), str(low[1])), (int(high[0]), str(high[1])), int(assets))
    except (OSError, ValueError, KeyError, TypeError, IndexError, struct.error, MemoryError, OverflowError):
        return None


def read(path: Path) -> Book:
    """The scores that a file holds; none if it is missing, torn, damaged, or of another version."""
    try:
        with path.open("rb") as file:
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # none there, or an empty one
        return Book()
    body, checksum = content[: -_CHECKSUM.size], content[-_CHECKSUM.size :]
    if body[: len(_MAGIC)] != _MAGIC or _CHECKSUM.pack(zlib.crc32(body)) != checksum:
        return Book()
    _, length = _PREFIX.unpack_from(body)
    start = _PREFIX.size + length
    header = json.loads(bytes(body[_PREFIX.size : start]))
    d, rows = header["variables"], sum(length for _, _, length in header["assets"])
    values = np.frombuffer(body, "<f8", rows * d, start).reshape(rows, d)
    scores = np.frombuffer(body, "<f8", rows, start + 8 * rows * d)
    health, names = np.frombuffer(body, "<i2", rows, start + 8 * rows * (d + 1)), tuple(header["health"])
    kept, row = {}, 0
    for asset, origin, length in header["assets"]:
        part = slice(row, row + length)
        kept[asset] = Kept(origin, values[part], scores[part], health[part], names)
        row += length
    files = header["files"]
    return Book(kept, None if files is None else frozenset((name, size, written) for name, size, written in files))


def _table(known: Iterable[str], names: list[str]) -> NDArray[np.int16]:
    """Codes into some names to codes into others; the last is for -1."""
    return np.array([*map(names.index, known), -1], "<i2")
