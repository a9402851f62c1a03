"""Scores read from a file: for smoke runs, and for scores made elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.base import Capabilities, Scores
from anomscan.errors import AnomscanError, AssetError, InputError
from anomscan.telemetry.cadence import parse_instant
from anomscan.telemetry.series import Floats, Instants, Series

COLUMNS = ("asset", "timestamp", "score")
_EMPTY = {"", "nan", "null", "none", "na", "n/a"}


class Recorded:
    """A detector that has its scores from a file.

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
    """

    capabilities = Capabilities()
    trained_through = None

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        self._scores = _read(path)

    def score(self, batch: Sequence[Series], shingle: int) -> list[Scores | AnomscanError]:
        """Look each series up; an asset that is not in the file is an error of its own."""
        return [self._one(series) for series in batch]

    def contributions(self, series: Series, rows: NDArray[np.intp], shingle: int) -> Floats | None:
        """None: a recorded score does not say what made it."""
        return None

    def _one(self, series: Series) -> Scores | AnomscanError:
        if series.asset not in self._scores:
            return AssetError(f"{self._path} holds no scores of asset '{series.asset}'")
        timestamps, recorded = self._scores[series.asset]
        places = np.searchsorted(timestamps, series.timestamps)
        places[places == len(timestamps)] = 0
        known = timestamps[places] == series.timestamps
        return Scores(series.timestamps, np.where(known, recorded[places], np.nan))


def _read(path: Path) -> dict[str, tuple[Instants, Floats]]:
    rows = _json_rows(path) if path.suffix in (".jsonl", ".json", ".ndjson") else _csv_rows(path)
    gathered: dict[str, dict[np.datetime64, float]] = {}
    for line, asset, timestamp, score in rows:
        try:
            instant, number = parse_instant(timestamp), _number(score)
        except ValueError as error:
            raise InputError(f"{path} line {line}: {error}") from None
        known = gathered.setdefault(asset, {})
        if instant in known and not _same(known[instant], number):
            raise InputError(
                f"{path} line {line}: asset '{asset}' has two scores at {timestamp}: {known[instant]!r} and {number!r}"
            )
        known[instant] = number
    if not gathered:
        raise InputError(f"{path} holds no scores", hint="it needs the columns asset,timestamp,score and a row")
    return {asset: _arrays(known) for asset, known in gathered.items()}


def _arrays(known: dict[np.datetime64, float]) -> tuple[Instants, Floats]:
    timestamps = np.array(list(known), "datetime64[us]")
    order = np.argsort(timestamps)
    return timestamps[order], np.array(list(known.values()), np.float64)[order]


def _csv_rows(path: Path) -> Iterator[tuple[int, str, str, str]]:
    import csv

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            missing = [column for column in COLUMNS if column not in header]
            if header and missing:
                raise InputError(f"{path} has no column '{missing[0]}'", hint=f"it has {', '.join(header)}")
            places = [header.index(column) for column in COLUMNS if header]
            for row in reader:
                if len(row) != len(header):
                    raise InputError(f"{path} line {reader.line_num} has {len(row)} of {len(header)} fields: cut off?")
                asset, timestamp, score = (row[place] for place in places)
                yield reader.line_num, asset, timestamp, score
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error) from None


def _json_rows(path: Path) -> Iterator[tuple[int, str, str, str]]:
    try:
        with path.open(encoding="utf-8") as file:
            for line, text in enumerate(file, 1):
                if not text.strip():
                    continue
                try:
                    row = json.loads(text)
                    asset, timestamp, score = (row[column] for column in COLUMNS)
                except (ValueError, KeyError, TypeError):
                    raise InputError(
                        f"{path} line {line} is not a JSON object with {', '.join(COLUMNS)}: cut off?"
                    ) from None
                yield line, str(asset), str(timestamp), "" if score is None else str(score)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    reason = error.strerror if isinstance(error, OSError) else error
    return InputError(f"{path} cannot be read: {reason}", hint="name a file of scores in the detector's path")


def _number(text: str) -> float:
    if text.strip().lower() in _EMPTY:
        return float("nan")
    number = float(text)
    if np.isinf(number):
        raise ValueError(f"score '{text}' is infinite")
    return number


def _same(one: float, other: float) -> bool:
    return one == other or (np.isnan(one) and np.isnan(other))
