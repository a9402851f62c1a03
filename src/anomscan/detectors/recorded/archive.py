"""Scores by asset, most of them outside memory.

A file of scores may be in any order and larger than memory. Its rows go through a spill, which is sorted a few buckets
at a time, and then asset by asset into one temporary file, from which an asset's samples are read in one go. The rows
of a small file take the same path in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomscan.storage.durable import output_errors
from anomscan.store.block import Block, from_table
from anomscan.store.partitions import bucket_spans
from anomscan.store.spill import Spill
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.series import Floats, Instants

#: A score belongs to an instant, whatever the cadence of the telemetry.
LAYOUT = Layout(Cadence.parse("1s"), ("score",))

#: Rows held in memory before they are spilled.
HELD_ROWS = 1 << 20

_SAMPLE = np.dtype([("timestamp", "<i8"), ("score", "<f8")])


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
        Samples, grouped by asset and sorted by timestamp.
    assets
        Their ids, in the file's order.
    edges
        (k + 1,) int64: where each asset's samples begin, and where the last samples end.
    """

    def __init__(self, file: IO[bytes], assets: Sequence[str], edges: NDArray[np.int64]) -> None:
        self._file, self._edges = file, edges
        self._places = {asset: place for place, asset in enumerate(assets)}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._places)

    def read(self, asset: str) -> tuple[Instants, Floats] | None:
        """An asset's timestamps, (n,) datetime64[us], strictly increasing, and scores, (n,); None where it has none."""
        place = self._places.get(asset)
        if place is None:
            return None
        start, stop = self._edges[place : place + 2].tolist()
        with self._lock:
            self._file.seek(start * _SAMPLE.itemsize)
            content = self._file.read((stop - start) * _SAMPLE.itemsize)
        samples = np.frombuffer(content, _SAMPLE)
        return samples["timestamp"].view("datetime64[us]"), samples["score"]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


def archived(tables: Iterable[pa.Table]) -> Archive:
    """Sort rows of ``LAYOUT`` by asset and timestamp.

    Raises
    ------
    ContradictionError
        If an asset has two scores for one timestamp.
    OutputError
        If the temporary files cannot be written.
    """
    folder = Path(tempfile.gettempdir())
    with output_errors(folder), ExitStack() as stack:
        spill = stack.enter_context(Spill(folder, arrived_at=0))
        held: list[pa.Table] = []
        rows, spilled = 0, False
        for table in tables:
            held.append(table)
            rows += len(table)
            if rows >= HELD_ROWS:
                spill.add(_block(held))
                held, rows, spilled = [], 0, True
        if held:
            spill.add(_block(held), in_memory=True)
        file = stack.enter_context(_temporary() if spilled else BytesIO())
        assets: list[str] = []
        lengths: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]
        for block in _sorted(spill):
            assets += block.names
            lengths.append(np.diff(block.edges()))
            samples = np.empty(len(block), _SAMPLE)
            samples["timestamp"], samples["score"] = block.timestamps, block.values[:, 0]
            del block
            file.write(samples.view(np.uint8).data)
        file.flush()
        archive = Archive(file, assets, np.cumsum(np.concatenate(lengths)))
        stack.pop_all()
        spill.close()
        return archive


def _block(tables: Sequence[pa.Table]) -> Block:
    return from_table(pa.concat_tables(tables), LAYOUT, arrived_at=0).in_order()


def _sorted(spill: Spill) -> Iterator[Block]:
    """The rows sorted by asset and timestamp, without repetitions."""
    for rows in spill.blocks(bucket_spans(spill.bucket_rows.tolist(), HELD_ROWS)):
        block = rows.in_order()
        del rows
        again = block.repeats()
        repeated = np.flatnonzero(again)
        differ = repeated[~block.agrees(repeated)]
        if len(differ):
            place = int(differ[0])
            raise ContradictionError(block.names[block.assets[place]], int(block.timestamps[place]))
        yield block.take(~again) if len(repeated) else block
        del block


def _temporary() -> IO[bytes]:
    """An unnamed file, which disappears when it is closed or its process ends."""
    return tempfile.TemporaryFile(prefix="anomscan-")
