"""Turns CSV files into one table with a row per instant and a column per variable, aligned and filled for the model."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from anomscan_mvad import limits
from anomscan_mvad.archives import csv_files
from anomscan_mvad.errors import DataError
from anomscan_mvad.shapes import text


@dataclass(frozen=True)
class Policy:
    """How variables are aligned and filled: alignMode, fillNAMethod, paddingValue."""

    align: str
    fill: str
    padding: float


def read(path: Path, schema: str, max_bytes: int) -> pd.DataFrame:
    """Read a data source.

    Parameters
    ----------
    path : Path
        A CSV file, a zip or a folder.
    schema : str
        ``OneTable``: one CSV of ``timestamp`` and a column per variable. ``MultiTable``: a CSV of ``timestamp`` and
        ``value`` per variable. Several files are always taken as the latter.
    max_bytes : int

    Returns
    -------
    DataFrame
        The union of all timestamps (UTC, sorted, unique), float64 columns sorted by name; NaN where a value is missing.

    Raises
    ------
    DataError
    """
    # Files are parsed and released one at a time, so an archive is never in memory as a whole.
    tables = ((name, _parse(name, content)) for name, content in csv_files(path, max_bytes))
    columns: dict[str, pd.Series] = {}
    first: tuple[str, pd.DataFrame] | None = None
    count = 0
    for count, (name, table) in enumerate(tables, start=1):
        if first is None:
            first = (name, table)
            if schema == "OneTable":
                continue
            _add_file(columns, *first)
            continue
        if count == 2 and schema == "OneTable":
            _add_file(columns, *first)
        _add_file(columns, name, table)
    if first is None:
        raise DataError(
            "NoVariablesFound", "No variables found. Check that your files are organized as per instruction."
        )
    if count == 1 and schema == "OneTable":
        columns = _columns(*first)
    if len(columns) > limits.MAX_VARIABLES:
        raise _too_many(len(columns))
    return _merge(columns)


def from_lists(variables: Mapping[str, tuple[Sequence[str], Sequence[float | None]]]) -> pd.DataFrame:
    """Build the table of a detect-last request; DataError if its timestamps cannot be read."""
    return _merge(
        {
            name: _series(name, pd.Series(list(times), dtype="object"), pd.Series(list(values), dtype="float64"))
            for name, (times, values) in variables.items()
        }
    )


def check_variables(table: pd.DataFrame, expected: Sequence[str], *, files: bool) -> None:
    """Check that the data has exactly the model's variables, else DataError."""
    missing = sorted(set(expected) - set(table.columns))
    if missing:
        if files:
            raise DataError("FileNotExist", f"File {missing[0]}.csv does not exist.")
        raise DataError("ColumnNotFound", f"Column {missing[0]} cannot be found in the merged data.")
    extra = sorted(set(table.columns) - set(expected))
    if extra:
        if files:
            raise DataError("RedundantFile", f"File {extra[0]}.csv is redundant.")
        raise DataError(
            "NumColumnsMismatch",
            f"Number of columns of merged data does not match the number of variables; the model lacks {extra[0]}.",
        )


def align(table: pd.DataFrame, policy: Policy) -> pd.DataFrame:
    """Keep the rows on which every variable (Inner) or any (Outer) has a value."""
    return table.dropna(how="any" if policy.align == "Inner" else "all")


def cut(table: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp, lookback: int) -> tuple[pd.DataFrame, int]:
    """Take the rows of [start, end] and up to `lookback` rows before them.

    Returns
    -------
    tuple
        The rows, and how many of them are before `start`; no rows if the range itself has none.
    """
    low = int(table.index.searchsorted(start, side="left"))
    high = int(table.index.searchsorted(end, side="right"))
    if low == high:
        return table.iloc[:0], 0
    before = min(low, lookback)
    return table.iloc[low - before : high], before


def states(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Report how complete each variable is, the least complete first."""
    found = []
    for name in table.columns:
        there = table.index[table[name].notna().to_numpy()]
        state = {
            "variable": name,
            "filledNARatio": 1.0 - len(there) / len(table) if len(table) else 0.0,
            "effectiveCount": len(there),
        }
        if len(there):
            state |= {"firstTimestamp": stamp(there[0]), "lastTimestamp": stamp(there[-1])}
        found.append(state)
    return sorted(found, key=lambda state: -float(state["filledNARatio"]))


def fill(table: pd.DataFrame, policy: Policy) -> pd.DataFrame:
    """Fill missing values; at the ends, where a method has nothing to go by, with the nearest value.

    Raises
    ------
    DataError
        NoData: no rows, or a variable without values.
    """
    if table.empty:
        raise DataError("NoData", "There is no effective data. Check the start time and end time.")
    empty = [str(name) for name in table.columns if not table[name].notna().any()]
    if empty:
        raise DataError("NoData", f"There is no effective data: variable {empty[0]} has no value in the time range.")
    if policy.fill == "Previous":
        return table.ffill().bfill()
    if policy.fill == "Subsequent":
        return table.bfill().ffill()
    if policy.fill == "Linear":
        return table.interpolate(method="linear", limit_direction="both")
    return table.fillna(policy.padding if policy.fill == "Fixed" else 0.0)


def stamp(moment: pd.Timestamp) -> str:
    """Format a timestamp as the service does."""
    local = moment.tz_localize(None).isoformat()
    return local.rstrip("0") + "Z" if "." in local else local + "Z"


def _parse(name: str, content: bytes) -> pd.DataFrame:
    try:
        # pandas would rename a duplicate column, so the names are checked first.
        header = pd.read_csv(io.BytesIO(content), header=None, nrows=1, dtype="str", encoding="utf-8-sig")
        table = pd.read_csv(io.BytesIO(content), dtype={"timestamp": "str"}, encoding="utf-8-sig", low_memory=False)
    except (ValueError, OverflowError) as error:
        raise DataError("ReadingFileError", f"Errors occurred when reading {name}. {str(error)[:200]}") from None
    if header.iloc[0].duplicated().any():
        raise DataError("DuplicatedVariables", f"There are multiple variables with the same name in {name}.")
    return table


def _add_file(columns: dict[str, "pd.Series[Any]"], name: str, table: pd.DataFrame) -> None:
    if set(table.columns) != {"timestamp", "value"}:
        raise DataError("FileColumnsNotExist", f"Columns timestamp or value in file {name} do not exist.")
    variable = name[:-4] if name.lower().endswith(".csv") else name
    if not text(variable):
        raise DataError("ReadingFileError", f"The name of file {name} is not UTF-8.")
    if variable in columns:
        raise DataError("DuplicatedVariables", "There are multiple variables with the same name.")
    if len(columns) >= limits.MAX_VARIABLES:
        raise _too_many(len(columns) + 1)
    columns[variable] = _series(variable, table["timestamp"], table["value"])


def _columns(name: str, table: pd.DataFrame) -> dict[str, "pd.Series[Any]"]:
    if "timestamp" not in table.columns:
        raise DataError("FileColumnsNotExist", f"Column timestamp in file {name} does not exist.")
    variables = [str(column) for column in table.columns if column != "timestamp"]
    if not variables:
        raise DataError("NoVariablesFound", f"No variables found in file {name}.")
    if len(variables) > limits.MAX_VARIABLES:
        raise _too_many(len(variables))
    return {variable: _series(variable, table["timestamp"], table[variable]) for variable in variables}


def _series(variable: str, times: "pd.Series[Any]", values: "pd.Series[Any]") -> "pd.Series[Any]":
    if len(times) > limits.MAX_TRAIN_TIMESTAMPS:
        raise DataError(
            "TooManyData", f"Too many data points. Maximum number is {limits.MAX_TRAIN_TIMESTAMPS} per variable."
        )
    try:
        index = pd.DatetimeIndex(pd.to_datetime(times, utc=True, format="ISO8601"))
        numbers = pd.to_numeric(values).to_numpy(dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError("VariableParseError", f"Variable {variable} parse {str(error)[:200]} error.") from None
    if index.hasnans:
        raise DataError("VariableParseError", f"Variable {variable} parse error: a row has no timestamp.")
    if np.isinf(numbers).any():
        raise DataError("VariableParseError", f"Variable {variable} parse error: a value is infinite.")
    series = pd.Series(numbers, index=index, name=variable).sort_index()
    twice = series.index[series.index.duplicated()]
    if len(twice):
        raise DataError("VariableParseError", f"Variable {variable} parse error: {stamp(twice[0])} is there twice.")
    return series


def _merge(columns: Mapping[str, "pd.Series[Any]"]) -> pd.DataFrame:
    table = pd.concat([columns[name] for name in sorted(columns)], axis=1, join="outer").sort_index()
    if len(table) > limits.MAX_TRAIN_TIMESTAMPS:
        raise DataError(
            "TooManyData", f"Too many data points. Maximum number is {limits.MAX_TRAIN_TIMESTAMPS} per variable."
        )
    return table


def _too_many(count: int) -> DataError:
    return DataError("DataExceedsLimit", f"There are {count} variables; the limit is {limits.MAX_VARIABLES}.")
