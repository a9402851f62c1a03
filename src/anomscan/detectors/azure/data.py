"""Writes a series as the CSV that the service reads: ``timestamp,value`` per variable, or one table; ISO 8601, UTC."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anomscan.errors import ConfigError, OutputError
from anomscan.storage.durable import output_errors
from anomscan.telemetry.series import Floats, Instants, Series

#: How data is handed over: one CSV, a zip of one CSV per variable, or a folder of them.
DataSchema = Literal["table", "zip", "folder"]

#: The service's limit.
MOST_VARIABLES = 300
_STEM = "telemetry"
#: Rows converted to text at a time.
_ROWS = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The rows of a series that are sent to the service.

    Parameters
    ----------
    variables
        The d names.
    timestamps
        (n,) datetime64[us], UTC, strictly increasing.
    values
        (n, d) float64; NaN where a value is empty.
    """

    variables: tuple[str, ...]
    timestamps: Instants
    values: Floats

    def __len__(self) -> int:
        return len(self.timestamps)

    @classmethod
    def of(cls, series: Series, align: Literal["Outer", "Inner"]) -> tuple[Table, NDArray[np.intp]]:
        """The rows that the service counts as timestamps, and their places in the series.

        Parameters
        ----------
        align
            ``Outer`` takes rows with any value, ``Inner`` only rows with all values.

        Raises
        ------
        ConfigError
            If the service cannot take the variables.
        """
        check_variables(series.variables)
        finite = np.isfinite(series.values)
        places = np.flatnonzero(finite.any(axis=1) if align == "Outer" else finite.all(axis=1))
        return cls(series.variables, series.timestamps[places], series.values[places]), places

    def rows(self, start: int, stop: int) -> Table:
        """The rows from ``start`` to before ``stop``."""
        return Table(self.variables, self.timestamps[start:stop], self.values[start:stop])


def check_variables(variables: tuple[str, ...]) -> None:
    """Check that the service can take these variables.

    Raises
    ------
    ConfigError
        If there are too many, or a name cannot be a file name.
    """
    if len(variables) > MOST_VARIABLES:
        raise ConfigError(
            f"{len(variables)} variables are more than the {MOST_VARIABLES} that the service takes",
            hint="choose fewer in the source's columns.values",
        )
    for name in variables:
        if name == "timestamp" or name in (".", "..") or any(c in '/\\:*?"<>|' or not c.isprintable() for c in name):
            raise ConfigError(
                f"variable '{name}' cannot be the name of a file or a column for the service",
                hint="rename it in the source",
            )


def iso(timestamps: Instants) -> NDArray[np.str_]:
    """Format instants for the service: with Z, to the second if none has a fraction."""
    whole = not (timestamps.astype("datetime64[us]").astype(np.int64) % 1_000_000).any()
    return np.char.add(np.datetime_as_string(timestamps, unit="s" if whole else "us"), "Z")


def write(table: Table, folder: Path, data_schema: DataSchema) -> Path:
    """Write a table into an existing folder.

    Returns
    -------
    The path to give the service, of a file or a folder.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    if data_schema == "table":
        path = folder / f"{_STEM}.csv"
        with output_errors(path), path.open("w", encoding="utf-8", newline="") as file:
            file.write(_row(["timestamp", *table.variables]))
            file.writelines(_lines(table, slice(0, len(table.variables))))
        return path
    if data_schema == "zip":
        path = folder / f"{_STEM}.zip"
        with output_errors(path), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for column, name in enumerate(table.variables):
                with archive.open(f"{name}.csv", "w", force_zip64=True) as member:
                    member.write(b"timestamp,value\n")
                    for lines in _lines(table, slice(column, column + 1)):
                        member.write(lines.encode())
        return path
    path = folder / _STEM
    with output_errors(path):
        path.mkdir()
        for column, name in enumerate(table.variables):
            with (path / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                file.write("timestamp,value\n")
                file.writelines(_lines(table, slice(column, column + 1)))
    return path


def files(path: Path) -> list[Path]:
    """The files that :func:`write` made.

    Raises
    ------
    OutputError
        If there is none.
    """
    found = sorted(path.iterdir()) if path.is_dir() else [path]
    if not found:
        raise OutputError(f"{path} holds no file to send")
    return found


def _lines(table: Table, columns: slice) -> Iterator[str]:
    """Rows with any value in these columns, in blocks of CSV; a missing value is an empty cell."""
    for start in range(0, len(table), _ROWS):
        values = table.values[start : start + _ROWS, columns]
        some = np.isfinite(values).any(axis=1)
        instants = iso(table.timestamps[start : start + _ROWS][some]).tolist()
        # repr is the shortest text that reads back as the same number; only NaN differs from itself
        rows = (",".join("" if x != x else repr(x) for x in row) for row in values[some].tolist())
        yield "".join(f"{instant},{row}\n" for instant, row in zip(instants, rows, strict=True))


def _row(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
