"""A user's table as the store takes it: long, with an asset, a timestamp and the variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomscan.errors import InputError
from anomscan.telemetry.rows import ASSET, TIMESTAMP

_UNITS_US = {"D": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000}


def long_table(
    data: Any,
    *,
    asset: str | None,
    timestamp: str | None,
    values: str | Sequence[str] | None,
    health: str | None,
    cohort: str | None,
) -> tuple[pa.Table, list[str]]:
    """The columns that are needed, and the variables.

    Parameters
    ----------
    data
        A DataFrame of pandas or polars, a table of Arrow, or whatever else speaks Arrow's PyCapsule interface.
    asset
        The column of ids; None where the rows are of one asset, which is then called ``asset``.
    timestamp
        The column of times; None where the index of a pandas DataFrame has them.
    values
        Columns of numbers; None for all that are not named otherwise.
    health, cohort
        Columns; None without.

    Raises
    ------
    InputError
        If a column is missing, or there is none of numbers.
    """
    table, names = _arrow(data, timestamp)
    timestamp = TIMESTAMP if timestamp is None else timestamp
    for name in (asset, timestamp, health, cohort, *([values] if isinstance(values, str) else values or ())):
        if name is not None and name not in names:
            raise InputError(f"the table has no column '{name}'", hint=f"it has: {', '.join(map(str, names))}")
    if values is None:
        taken = {asset, timestamp, health, cohort}
        values = [each.name for each in table.schema if each.name not in taken and _is_number(each.type)]
    variables = [values] if isinstance(values, str) else list(values)
    if not variables:
        raise InputError("the table has no column of numbers", hint="name them with values=")
    columns = {
        ASSET: pa.array(np.full(len(table), "asset")) if asset is None else pc.cast(table[asset], pa.string()),
        TIMESTAMP: table[timestamp],
        **{name: table[name] for name in variables},
    }
    columns |= {name: pc.cast(table[name], pa.string()) for name in (health, cohort) if name is not None}
    return pa.table(columns), variables


def cadence_of(table: pa.Table) -> str:
    """The step between most samples, as settings write it.

    Raises
    ------
    InputError
        If it cannot be told.
    """
    try:
        instants = pc.cast(table[TIMESTAMP], pa.timestamp("us"), safe=False).combine_chunks()
    except pa.ArrowException:
        raise InputError(
            "the step between samples cannot be told from timestamps of text", hint='say it: cadence="1D"'
        ) from None
    ids = pc.dictionary_encode(table[ASSET]).combine_chunks().indices.to_numpy(zero_copy_only=False)
    times = instants.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    order = np.lexsort((times, ids))
    steps = np.diff(times[order])[np.diff(ids[order]) == 0]
    found, counts = np.unique(steps[steps > 0], return_counts=True)
    if len(found) == 0:
        raise InputError("no asset has two samples", hint='say the step between samples: cadence="1D"')
    usual = int(found[counts.argmax()])
    for unit, size in _UNITS_US.items():
        if usual % size == 0:
            return f"{usual // size}{unit}"
    raise InputError("samples are not whole seconds apart", hint='say the step between samples: cadence="1s"')


def _arrow(data: Any, timestamp: str | None) -> tuple[pa.Table, list[str]]:
    if isinstance(data, pa.Table):
        table = data
    elif type(data).__module__.partition(".")[0] == "pandas":
        if timestamp is None:
            data = data.rename_axis(TIMESTAMP).reset_index()
        table = pa.Table.from_pandas(data, preserve_index=False)
    elif hasattr(data, "__arrow_c_stream__"):
        table = pa.table(data)
    else:
        raise InputError(
            f"{type(data).__name__} is no table", hint="give a DataFrame of pandas or polars, or a table of Arrow"
        )
    return table, table.column_names


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
