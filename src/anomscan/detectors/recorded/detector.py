"""The detector that reads its scores from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.base import Capabilities, Scores
from anomscan.detectors.recorded.archive import Archive, ContradictionError, archived
from anomscan.detectors.recorded.blocks import DoubtError, csv_blocks, json_blocks
from anomscan.detectors.recorded.lines import csv_lines, json_lines, parsed, refuse_contradiction
from anomscan.errors import AnomscanError, AssetError, InputError
from anomscan.telemetry.series import Floats, Series


class Recorded:
    """A detector that reads its scores from a file; of a large file, memory holds only the names of the assets.

    To be closed after use; its temporary files have no name, so that a killed process leaves none behind.

    Parameters
    ----------
    name
        Its name in the settings.
    path
        CSV with the columns ``asset,timestamp,score``, or JSON lines with those keys. The timestamp is the last
        sample's of a shingle: a date, or an ISO instant (UTC without an offset). An empty score is none.

    Raises
    ------
    InputError
        If the file is missing, empty, cut off, lacks a column, holds what is no number, or contradicts itself.
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
    blocks, lines = (
        (json_blocks, json_lines) if path.suffix in (".jsonl", ".json", ".ndjson") else (csv_blocks, csv_lines)
    )
    try:
        try:
            archive = archived(blocks(path))
        except DoubtError:
            archive = archived(parsed(path, lines(path)))
    except ContradictionError as found:
        refuse_contradiction(path, lines(path), found.asset, found.instant)
        raise InputError(f"{path} has two scores of asset '{found.asset}' for one timestamp") from None
    if not len(archive):
        archive.close()
        raise InputError(f"{path} holds no scores", hint="it needs the columns asset,timestamp,score and a row")
    return archive
