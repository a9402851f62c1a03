"""The detector that reads its scores from a file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomscan.config import Columns
from anomscan.detectors.base import Capabilities, Scores
from anomscan.detectors.recorded.archive import LAYOUT, Archive, ContradictionError, archived
from anomscan.errors import AnomscanError, AssetError, InputError
from anomscan.tables.columns import Piece, to_rows
from anomscan.tables.formats import format_of, reader
from anomscan.tables.salvage import Reject
from anomscan.tables.times import Times
from anomscan.telemetry.rows import ASSET, TIMESTAMP
from anomscan.telemetry.series import Floats, Series

_COLUMNS = Columns(asset="asset", values=("score",))


class Recorded:
    """A detector that reads its scores from a file; of a large file, memory holds only the names of the assets.

    To be closed after use; its temporary files have no name, so that a killed process leaves none behind.

    Parameters
    ----------
    name
        Its name in the settings.
    path
        CSV or Parquet with the columns ``asset,timestamp,score``, or JSON lines with those keys. The timestamp is the
        last sample's of a shingle: a date, or an ISO instant (UTC without an offset). An empty score is a missing one.

    Raises
    ------
    InputError
        If the file is missing, empty, cut off, lacks a column, holds text for a number, or contradicts itself.
    OutputError
        If a large file's scores cannot be kept in the folder for temporary files.
    """

    capabilities = Capabilities()
    trained_through = None

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        self._archive = _read(path)

    def __reduce__(self) -> tuple[object, ...]:
        # Another process reads the file itself.
        return Recorded, (self.name, self._path)

    @property
    def fingerprint(self) -> str:
        """The size of the file and the time of its last change."""
        found = self._path.stat()
        return f"{found.st_size} {found.st_mtime_ns}"

    def score(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[slice] | None = None
    ) -> list[Scores | AnomscanError]:
        """Look each series up; an asset that is not in the file is an error of its own."""
        return [self._one(series) for series in batch]

    def contributions(self, series: Series, rows: NDArray[np.intp], shingle: int) -> Floats | None:
        """None: a recorded score does not say what contributed to it."""
        return None

    def close(self) -> None:
        """Remove the temporary files."""
        self._archive.close()

    def _one(self, series: Series) -> Scores | AnomscanError:
        found = self._archive.read(series.asset)
        if found is None:
            return AssetError(f"{self._path} holds no scores of asset '{series.asset}'")
        timestamps, recorded = found
        places = np.searchsorted(timestamps, series.timestamps)
        places[places == len(timestamps)] = 0
        known = timestamps[places] == series.timestamps
        return Scores(series.timestamps, np.where(known, recorded[places], np.nan))


def _read(path: Path) -> Archive:
    try:
        archive = archived(rows for _, rows in _tables(path))
    except ContradictionError as found:
        _refuse_contradiction(path, found.asset, np.datetime64(found.instant, "us"))
        raise InputError(f"{path} has two scores of asset '{found.asset}' for one timestamp") from None
    if not len(archive):
        archive.close()
        raise InputError(f"{path} holds no scores", hint="it needs the columns asset,timestamp,score and a row")
    return archive


def _tables(path: Path) -> Iterator[tuple[Piece, pa.Table]]:
    """A file's rows as they stand in it, and as rows of ``LAYOUT``."""
    kind = format_of(path) or "csv"
    times = Times(LAYOUT.cadence, "UTC", None, mixed=True)
    for piece in reader(kind)(path, _COLUMNS, []):
        if isinstance(piece, Reject):
            raise InputError(piece.reason)
        yield piece, to_rows(piece, LAYOUT, _COLUMNS, times)


def _refuse_contradiction(path: Path, asset: str, instant: np.datetime64) -> None:
    """Name the row that contradicts an earlier one, by reading the file again."""
    known: list[float] = []
    for piece, rows in _tables(path):
        mine = pc.and_(pc.equal(rows[ASSET], asset), pc.equal(rows[TIMESTAMP], pa.scalar(instant, pa.timestamp("us"))))
        for row in np.flatnonzero(mine).tolist():
            score = rows[2][row].as_py()
            known.append(math.nan if score is None else score)
            if repr(known[0]) != repr(known[-1]):
                at = piece.rows[_COLUMNS.timestamp][row].as_py()
                raise InputError(
                    f"{piece.place(row)}: asset '{asset}' has two scores at {at}: {known[0]!r} and {known[-1]!r}"
                )
