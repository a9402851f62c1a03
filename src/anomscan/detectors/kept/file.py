"""The file of kept scores: those of some neighbours in the store's order, each beside the values it follows from.

=====================  ==================================================================================
8 bytes                the magic ``ANOMKPT`` and the format's version
uint64                 the length of the header in bytes
header                 JSON, UTF-8: ``unit``, ``variables``, and of each asset its id, its first instant and its length
values                 float64, little-endian, (n, d) of each asset, one after another
scores                 float64, little-endian, (n,) of each asset
uint32                 CRC-32 of all that precedes
=====================  ==================================================================================
"""

from __future__ import annotations

import json
import mmap
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anomscan.telemetry.durable import replace_file
from anomscan.telemetry.series import Floats
from anomscan.telemetry.units import Unit

_MAGIC = b"ANOMKPT\x01"
_PREFIX = struct.Struct("<8sQ")
_CHECKSUM = struct.Struct("<I")


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
    """

    origin: int
    values: Floats
    score: Floats


def write(path: Path, unit: Unit, kept: Mapping[str, Kept]) -> None:
    """Write the scores of a unit.

    Raises
    ------
    OutputError
        If they cannot be written; an old file stays.
    """
    entries = list(kept.values())
    header = json.dumps(
        {
            "unit": [unit.low, unit.high, unit.assets],
            "variables": entries[0].values.shape[1] if entries else 1,
            "assets": [[asset, each.origin, len(each.score)] for asset, each in kept.items()],
        },
        ensure_ascii=False,
    ).encode()
    parts = [_PREFIX.pack(_MAGIC, len(header)), header]
    parts += [each.values.astype("<f8", copy=False).tobytes() for each in entries]
    parts += [each.score.astype("<f8", copy=False).tobytes() for each in entries]
    content = b"".join(parts)
    with replace_file(path) as file:
        file.write(content)
        file.write(_CHECKSUM.pack(zlib.crc32(content)))


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


def read(path: Path) -> dict[str, Kept]:
    """The scores that a file holds; none if it is missing, torn, damaged, or of another version."""
    try:
        with path.open("rb") as file:
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # none there, or an empty one
        return {}
    body, checksum = content[: -_CHECKSUM.size], content[-_CHECKSUM.size :]
    if body[: len(_MAGIC)] != _MAGIC or _CHECKSUM.pack(zlib.crc32(body)) != checksum:
        return {}
    _, length = _PREFIX.unpack_from(body)
    start = _PREFIX.size + length
    header = json.loads(bytes(body[_PREFIX.size : start]))
    d, rows = header["variables"], sum(length for _, _, length in header["assets"])
    values = np.frombuffer(body, "<f8", rows * d, start).reshape(rows, d)
    scores = np.frombuffer(body, "<f8", rows, start + 8 * rows * d)
    kept, row = {}, 0
    for asset, origin, length in header["assets"]:
        kept[asset] = Kept(origin, values[row : row + length], scores[row : row + length])
        row += length
    return kept
