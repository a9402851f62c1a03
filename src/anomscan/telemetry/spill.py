"""Rows that a fetch brought and memory shall not hold: written once, read back some buckets at a time, removed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.block import Block


class Spill:
    """Rows in a file of plain arrays, for it outlives no process.

    Parameters
    ----------
    path
        Where to.
    block
        Rows in the store's order, at least one, that all arrived at once.

    Raises
    ------
    OSError
        The file cannot be written.
    """

    def __init__(self, path: Path, block: Block) -> None:
        self._path = path
        self._arrived_at = block.arrived_at[:1].copy()
        #: (64,) rows in each bucket.
        self.bucket_rows = block.bucket_rows()
        self._edges = np.concatenate([[0], np.cumsum(self.bucket_rows)]).tolist()
        self.earliest, self.latest = int(block.timestamps.min()), int(block.timestamps.max())
        arrays = (block.assets, block.timestamps, block.values, block.health)
        with path.open("wb") as file:
            for array in arrays:
                file.write(np.ascontiguousarray(array).data)
        self._kinds = [(array.dtype, array.shape[1:]) for array in arrays]
        # The names alone: a slice would keep all the rows.
        self._frame = block.take(np.empty(0, np.int64))

    def read(self, first: int, stop: int) -> Block | None:
        """The rows of the buckets ``first`` to ``stop`` (exclusive); None where there are none."""
        start, end = self._edges[first], self._edges[stop]
        if start == end:
            return None
        arrays: list[NDArray[Any]] = []
        place = 0
        for kind, shape in self._kinds:
            width = int(np.prod(shape, dtype=np.int64))
            at = place + start * width * kind.itemsize
            arrays.append(np.fromfile(self._path, kind, (end - start) * width, offset=at).reshape(-1, *shape))
            place += self._edges[-1] * width * kind.itemsize
        assets, timestamps, values, health = arrays
        return replace(
            self._frame,
            assets=assets,
            timestamps=timestamps,
            values=values,
            health=health,
            arrived_at=np.repeat(self._arrived_at, end - start),
        ).trimmed()
