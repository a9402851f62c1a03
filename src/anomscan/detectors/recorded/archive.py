"""Scores by asset, mostly on disk.

A file of scores may stand in any order and be larger than memory. Its rows are parted into the temporary files of 64
buckets; then a bucket is sorted at a time, and all go asset by asset into one temporary file, from which an asset's
samples are read at once. The rows of a small file go the same way in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import IO

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.recorded.rows import Rows
from anomscan.storage.durable import output_errors
from anomscan.store.block import BUCKETS, bucket_of
from anomscan.telemetry.series import Floats, Instants

#: Rows held in memory before they are divided into files.
HELD_ROWS = 1 << 21

_ROW = np.dtype([("asset", "<i4"), ("timestamp", "<i8"), ("score", "<f8")])
_SAMPLE = np.dtype([("timestamp", "<i8"), ("score", "<f8")])
_FOLDER = Path(tempfile.gettempdir())


class ContradictionError(Exception):
    """An asset has two scores for one timestamp.

    Parameters
    ----------
    asset
        Its id.
    instant
        The timestamp, in microseconds since 1970.
    """

    def __init__(self, asset: str, instant: int) -> None:
        super().__init__(asset, instant)
        self.asset, self.instant = asset, instant


class Archive:
    """The scores of each asset; several threads may read at once.

    Parameters
    ----------
    file
        Samples, those of an asset together and in the order of their timestamps.
    codes
        Asset -> its place in ``spans``.
    spans
        (k, 2) int64: an asset's first sample in the file, and the one after its last.
    """

    def __init__(self, file: IO[bytes], codes: Mapping[str, int], spans: NDArray[np.int64]) -> None:
        self._file, self._codes, self._spans = file, codes, spans
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._codes)

    def read(self, asset: str) -> tuple[Instants, Floats] | None:
        """An asset's timestamps, (n,) datetime64[us], strictly increasing, and scores, (n,); None where it has none."""
        code = self._codes.get(asset)
        if code is None:
            return None
        start, stop = self._spans[code].tolist()
        with self._lock:
            self._file.seek(start * _SAMPLE.itemsize)
            content = self._file.read((stop - start) * _SAMPLE.itemsize)
        samples = np.frombuffer(content, _SAMPLE)
        return samples["timestamp"].view("datetime64[us]"), samples["score"]

    def close(self) -> None:
        """Close and remove the file."""
        with self._lock:
            self._file.close()


def archived(batches: Iterable[Rows]) -> Archive:
    """Sort rows by asset and timestamp.

    Raises
    ------
    ContradictionError
        If an asset has two scores for one timestamp.
    OutputError
        If the temporary files cannot be written.
    """
    with output_errors(_FOLDER), ExitStack() as stack:
        buckets = _Buckets(stack)
        for rows in batches:
            buckets.add(rows)
        names = list(buckets.codes)
        spans = np.zeros((len(names), 2), np.int64)
        file = stack.enter_context(_temporary() if buckets.files else BytesIO())
        written = 0
        for bucket in buckets.drained():
            assets, samples = _in_order(bucket, names)
            file.write(samples.tobytes())
            first = np.flatnonzero(np.diff(assets, prepend=-1))
            spans[assets[first]] = written + np.stack([first, np.append(first, len(assets))[1:]], axis=1)
            written += len(samples)
        file.flush()
        stack.pop_all()
        return Archive(file, buckets.codes, spans)


class _Buckets:
    """Rows divided by asset; in memory, as one bucket, until there are too many."""

    def __init__(self, stack: ExitStack) -> None:
        self.codes: dict[str, int] = {}
        self.files: list[IO[bytes]] = []
        self._stack = stack
        self._held = np.empty(HELD_ROWS, _ROW)
        self._count = 0

    def add(self, rows: Rows) -> None:
        known = self.codes
        codes = np.array([known.setdefault(name, len(known)) for name in rows.names], np.int32)
        done = 0
        while done < len(rows.assets):
            if self._count == len(self._held):
                self._part()
            take = slice(done, done + len(self._held) - self._count)
            assets = rows.assets[take]
            done += len(assets)
            free = self._held[self._count : self._count + len(assets)]
            free["asset"] = codes[assets]
            free["timestamp"] = rows.timestamps[take]
            free["score"] = rows.scores[take]
            self._count += len(assets)

    def drained(self) -> Iterator[NDArray[np.void]]:
        """The rows of each bucket, those of an asset in the order in which they came; its file is gone then."""
        if not self.files:
            yield self._held[: self._count]
            return
        self._part()
        self._held = np.empty(0, _ROW)
        for file in self.files:
            file.seek(0)
            with file:
                yield np.frombuffer(file.read(), _ROW)

    def _part(self) -> None:
        """Move the held rows to the files."""
        if not self.files:
            self.files = [self._stack.enter_context(_temporary()) for _ in range(BUCKETS)]
        held = self._held[: self._count]
        buckets = np.array([bucket_of(name) for name in self.codes], np.uint8)[held["asset"]]
        order = np.argsort(buckets, kind="stable")
        stops = np.cumsum(np.bincount(buckets, minlength=BUCKETS)).tolist()
        for file, start, stop in zip(self.files, [0, *stops], stops, strict=False):
            file.write(held[order[start:stop]].tobytes())
        self._count = 0


def _in_order(rows: NDArray[np.void], names: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.void]]:
    """Rows by asset and timestamp, each once: (n,) assets and (n,) samples."""
    present = np.bincount(rows["asset"], minlength=len(names)) > 0
    ranks = np.cumsum(present) - 1
    # 16-bit numbers are sorted in linear time, and usually that is all there is to do.
    order = np.argsort(ranks.astype(np.min_scalar_type(present.sum()))[rows["asset"]], kind="stable")
    assets, timestamps = rows["asset"][order], rows["timestamp"][order]
    same = assets[1:] == assets[:-1]
    if (same & (timestamps[1:] < timestamps[:-1])).any():
        order = np.lexsort((rows["timestamp"], rows["asset"]))
        timestamps = rows["timestamp"][order]
    samples = np.empty(len(rows), _SAMPLE)
    samples["timestamp"] = timestamps
    samples["score"] = scores = rows["score"][order]
    again = same & (timestamps[1:] == timestamps[:-1])
    if not again.any():
        return assets, samples
    differ = again & (scores[1:] != scores[:-1]) & ~(np.isnan(scores[1:]) & np.isnan(scores[:-1]))
    if differ.any():
        place = int(np.argmax(differ))
        raise ContradictionError(names[assets[place]], int(timestamps[place]))
    once = np.append(True, ~again)
    return assets[once], samples[once]


def _temporary() -> IO[bytes]:
    """An unnamed file, which disappears when it is closed or its process ends."""
    return tempfile.TemporaryFile(prefix="anomscan-")
