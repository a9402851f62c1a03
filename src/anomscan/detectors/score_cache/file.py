"""The file of cached scores: those of neighbours in the store's order, each beside the samples it depends on.

A file is made of frames. The first holds all rows as of its writing; each later one holds more rows of the same assets,
so that a nightly run need not write again what earlier ones wrote. A frame:

=====================  ==================================================================================
8 bytes                the magic ``ANOMKPT`` and the format's version
uint64, uint64         the length of the frame and of its header in bytes
header                 JSON, UTF-8: ``files``, ``health``, and of each asset how many ``rows`` follow; the first one has
                       ``partition``, ``variables``, ``columns`` (c), ``assets`` and ``origins``, too, and how long
                       ``gaps`` were shortened, with where that was (``skips``)
values                 float64, little-endian, (n, d) of each asset, one after another
scores                 float64, little-endian, (n, 1 + c) of each asset
health                 int16, little-endian, (n,) of each asset, into ``health``; -1 for none; int32 if there are more
                       names than an int16 can tell apart
uint32                 CRC-32 of all that precedes it in the file except other checksums
=====================  ==================================================================================

A frame that is torn, damaged, or was appended to another state of the file is ignored, and so is all that follows it.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from anomscan.detectors.score_cache.table import CachedRows, CachedScores, Counts, ScoreColumns, Skips
from anomscan.storage.durable import replace_file
from anomscan.storage.untrusted import open_regular, parse_json, read_regular
from anomscan.store.partitions import Partition, key_of
from anomscan.store.snapshot import FileId
from anomscan.telemetry.series import LongGaps

_MAGIC = b"ANOMKPT\x06"
_PREFIX = struct.Struct("<8sQQ")
_CHECKSUM = struct.Struct("<I")
#: No score is larger: its square could not be summed.
_LARGEST = 1e140
#: What a file of another form leads to.
_WRONG = (ValueError, KeyError, TypeError, IndexError, OverflowError, MemoryError, struct.error)
#: Instants that leave room to reckon with, in microseconds; the seconds of ten thousand years.
_FAR, _MOST_LEFT_OUT = 1 << 60, 1 << 39
#: Most frames of a file; then it is rewritten as one.
_MOST_FRAMES = 32


def write(
    path: Path,
    partition: Partition,
    known: Mapping[str, CachedScores],
    files: Collection[FileId] | None,
    gaps: LongGaps | None,
) -> None:
    """Write the scores of a partition's assets.

    Parameters
    ----------
    files
        The store's files with all their samples; None if not known.
    gaps
        How long gaps were shortened.

    Raises
    ------
    OutputError
        If they cannot be written; an old file is kept.
    """
    kept = list(known.values())
    facts = {
        "partition": [partition.low, partition.high, partition.assets],
        "variables": kept[0].values.shape[1] if kept else 1,
        "columns": kept[0].scores.shape[1] - 1 if kept else 0,
        "assets": list(known),
        "origins": [each.origin for each in kept],
        "gaps": gaps,
        "skips": {asset: each.skips for asset, each in known.items() if each.skips},
    }
    with replace_file(path, follow=False) as file:
        for part in _frame(facts, kept, [0] * len(kept), files, 0):
            file.write(part)


def append(path: Path, end: int, kept: Sequence[CachedScores], files: Collection[FileId]) -> None:
    """Append the rows that the file lacks of the same assets; a partial write counts as none.

    Parameters
    ----------
    end
        The checksum at its end when it was read. If another process has written it since, the frame is ignored.
    kept
        In the file's order.
    files
        The store's files with all their samples.
    """
    frame = b"".join(bytes(part) for part in _frame({}, kept, [each.filed for each in kept], files, end))
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            os.write(descriptor, frame)
        finally:
            os.close(descriptor)


def partition_of(path: Path) -> Partition | None:
    """The partition that a file names; None if it is not such a file."""
    try:
        with open_regular(path) as file:
            magic, _, length = _PREFIX.unpack(file.read(_PREFIX.size))
            if magic != _MAGIC or length > os.fstat(file.fileno()).st_size:
                return None
            return _partition(parse_json(file.read(length)))
    except (OSError, *_WRONG):
        return None


def read(path: Path) -> ScoreColumns:
    """The scores that a file holds, as far as it is sound; none if it is missing or of another form or version."""
    try:
        return _columns(memoryview(read_regular(path)))
    except (OSError, *_WRONG):
        return ScoreColumns()


def _columns(content: memoryview) -> ScoreColumns:
    headers, pieces, start, checksum = [], [], 0, 0
    while len(content) - start > _PREFIX.size:
        magic, length, of_header = _PREFIX.unpack_from(content, start)
        if magic != _MAGIC or not _PREFIX.size < length <= len(content) - start:
            break
        body, found = content[start : start + length - _CHECKSUM.size], content[start + length - _CHECKSUM.size :]
        checksum_then = zlib.crc32(body, checksum)
        if _CHECKSUM.pack(checksum_then) != found[: _CHECKSUM.size]:
            break
        headers.append(parse_json(bytes(body[_PREFIX.size : _PREFIX.size + of_header])))
        pieces.append(_rows(body, _PREFIX.size + of_header, headers[-1], headers[0]))
        start, checksum = start + length, checksum_then
    if not headers:
        return ScoreColumns()
    first, files = headers[0], headers[-1]["files"]
    partition, assets, origins = _partition(first), _texts(first["assets"]), _integers(first["origins"])
    if len(origins) != len(assets) or len(set(assets)) < len(assets):
        raise ValueError("assets")
    if not all(partition.holds(key_of(asset)) for asset in assets):
        raise ValueError("partition")
    if len(origins) and (origins.min() < -_FAR or origins.max() > _FAR):
        raise ValueError("origins")
    counts = dict(zip(assets, np.sum([piece.counts for piece in pieces], axis=0).tolist(), strict=True))
    return ScoreColumns(
        assets,
        origins,
        tuple(pieces),
        partition,
        None if files is None else frozenset((str(name), int(size), int(written)) for name, size, written in files),
        checksum if start == len(content) and len(headers) < _MOST_FRAMES else None,
        gaps=None if first["gaps"] is None else _gaps(first["gaps"]),
        skips={asset: _skips(skips, counts[asset]) for asset, skips in dict(first["skips"]).items()},
    )


def _gaps(numbers: Any) -> LongGaps:
    kept, unit = _integers(numbers).tolist()
    if kept < 0 or unit < 1:
        raise ValueError("gaps")
    return LongGaps(kept, unit)


def _skips(skips: Any, count: int) -> Skips:
    rows, left_out = _integers([number for pair in skips for number in (pair[0], pair[1])]).reshape(-1, 2).T
    if (np.diff(rows, prepend=0) < 1).any() or rows.max(initial=0) >= count or left_out.min(initial=1) < 1:
        raise ValueError("skips")
    if sum(left_out.tolist()) > _MOST_LEFT_OUT:
        raise ValueError("skips")
    return tuple(zip(rows.tolist(), left_out.tolist(), strict=True))


def _frame(
    facts: Mapping[str, Any],
    kept: Sequence[CachedScores],
    since: Sequence[int],
    files: Collection[FileId] | None,
    checksum: int,
) -> list[Any]:
    """Rows of some assets, each from its place in ``since`` on, as the parts of a frame.

    Parameters
    ----------
    checksum
        Of all that precedes it in the file.
    """
    lists = {each.health_names for each in kept}
    names = sorted({name for known in lists for name in known})
    places = {name: place for place, name in enumerate(names)}
    tables = {known: np.array([*(places[name] for name in known), -1], _health_kind(names)) for known in lists}
    columns = (
        [each.values[start:].ravel() for each, start in zip(kept, since, strict=True)],
        [each.scores[start:].ravel() for each, start in zip(kept, since, strict=True)],
        [tables[each.health_names][each.health[start:]] for each, start in zip(kept, since, strict=True)],
    )
    header = json.dumps(
        {
            **facts,
            "files": None if files is None else sorted(files),
            "health": names,
            "rows": [len(codes) for codes in columns[2]],
        },
        ensure_ascii=False,
    ).encode()
    parts: list[Any] = [header]
    for kind, column in zip(("<f8", "<f8", _health_kind(names)), columns, strict=True):
        parts.append(np.concatenate([np.empty(0, kind), *column], dtype=kind))
    length = _PREFIX.size + sum(memoryview(part).nbytes for part in parts) + _CHECKSUM.size
    parts.insert(0, _PREFIX.pack(_MAGIC, length, len(header)))
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return [*parts, _CHECKSUM.pack(checksum)]


def _rows(body: memoryview, start: int, header: Mapping[str, Any], first: Mapping[str, Any]) -> CachedRows:
    d, c = _integers([first["variables"], first["columns"]]).tolist()
    counts, names = _integers(header["rows"]), _texts(header["health"])
    rows, kind = sum(counts.tolist()), np.dtype(_health_kind(names))
    if len(counts) != len(first["assets"]) or min(d - 1, c, *counts.tolist(), 0) < 0 or names != sorted(set(names)):
        raise ValueError("counts")
    if start + rows * (8 * (d + 1 + c) + kind.itemsize) != len(body):
        raise ValueError("length")
    values = np.frombuffer(body, "<f8", rows * d, start).reshape(rows, d)
    scores = np.frombuffer(body, "<f8", rows * (1 + c), start + 8 * rows * d).reshape(rows, 1 + c)
    health = np.frombuffer(body, kind, rows, start + 8 * rows * (d + 1 + c))
    if rows and (np.fmax.reduce(scores[:, 0]) > _LARGEST or np.fmin.reduce(scores[:, 0]) < -_LARGEST):
        raise ValueError("scores")
    if rows and not -1 <= health.min() <= health.max() < len(names):
        raise ValueError("health")
    return CachedRows(counts, values, scores, health, tuple(names))


def _partition(header: Mapping[str, Any]) -> Partition:
    (low, first), (high, last), assets = header["partition"]
    buckets = _integers([low, high, assets]).tolist()
    return Partition((buckets[0], *_texts([first])), (buckets[1], *_texts([last])), buckets[2])


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("texts")
    return values


def _integers(values: Any) -> Counts:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise TypeError("integers")
    return np.array(values, np.int64)


def _health_kind(names: Collection[str]) -> str:
    return "<i2" if len(names) <= np.iinfo(np.int16).max else "<i4"
