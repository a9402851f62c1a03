"""A user's table as a source reads it: long, or with a column for each asset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomscan.errors import InputError
from anomscan.tables.moments import is_number
from anomscan.telemetry.rows import ASSET, TIMESTAMP

if TYPE_CHECKING:
    import pandas as pd

_UNITS_US = {"D": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000}
#: What a wide table's values are called, as in files.
_VALUE = "value"


@dataclass(frozen=True)
class Shape:
    """What the columns of a user's table are; see :func:`anomscan.scan`."""

    layout: Literal["long", "wide"] = "long"
    asset: str | None = ASSET
    timestamp: str | None = TIMESTAMP
    values: str | Sequence[str] | None = None
    health: str | None = None
    cohort: str | Mapping[str, str] | None = None


@dataclass(frozen=True)
class Given:
    """A table that a source can read.

    Parameters
    ----------
    table
        ``timestamp`` and, if it is long, ``asset``, variables and health; else a column for each asset.
    wide
        Whether it has a column for each asset.
    variables
        Of an asset.
    cohorts
        Asset -> cohort; empty if all are one.
    left_out
        Columns that hold no numbers, which nobody asked for.
    """

    table: pa.Table
    wide: bool
    variables: tuple[str, ...]
    cohorts: Mapping[str, str]
    left_out: tuple[str, ...]


def given_table(data: Any, shape: Shape) -> Given:
    """The columns of a DataFrame that are needed, under the names that the source knows.

    Parameters
    ----------
    data
        A DataFrame of pandas or polars, a table of Arrow, or whatever else speaks Arrow's PyCapsule interface.

    Raises
    ------
    InputError
        If there are no rows, a column is missing or of the wrong type, there is none of numbers, or a wide table has
        others than those of its assets.
    """
    if shape.layout not in ("long", "wide"):
        raise InputError(f"layout '{shape.layout}' is not known", hint="write long or wide")
    wide = shape.layout == "wide"
    table = _arrow(data, shape.timestamp)
    timestamp = shape.timestamp or TIMESTAMP
    asset = None if wide else shape.asset
    cohort = shape.cohort if isinstance(shape.cohort, str) else None
    values = [shape.values] if isinstance(shape.values, str) else shape.values
    _refuse_unknown(table, [asset, timestamp, shape.health, cohort, *(values or ())], shape)
    _refuse_no_times(table, timestamp)
    named = {asset, timestamp, shape.health, cohort}
    rest = [each for each in table.schema if each.name not in named]
    left_out = () if values is not None else tuple(each.name for each in rest if not is_number(each.type))
    variables = [each.name for each in rest if is_number(each.type)] if values is None else list(values)
    if not variables:
        raise InputError("the table has no column of numbers", hint="name them with values=")
    columns = {TIMESTAMP: table[timestamp], **{name: table[name] for name in variables}}
    if wide:
        if left_out or cohort or shape.health:
            others = ", ".join(map(repr, (*left_out, *filter(None, (cohort, shape.health)))))
            raise InputError(
                f"a wide table has a column of times and one of numbers for each asset; it also has {others}",
                hint="leave them out, or name the assets with values=",
            )
        return Given(pa.table(columns), True, (_VALUE,), _cohorts(shape.cohort, {}), ())
    ids = pa.array(np.full(len(table), "asset")) if asset is None else _text(table, asset)
    columns = {ASSET: ids, **columns}
    if shape.health is not None:
        columns[shape.health] = _text(table, shape.health)
    pairs = {} if cohort is None else pa.table({ASSET: ids, "cohort": _text(table, cohort)})
    return Given(pa.table(columns), False, tuple(variables), _cohorts(shape.cohort, pairs), left_out)


def _refuse_no_times(table: pa.Table, timestamp: str) -> None:
    if len(table) == 0:
        raise InputError("the table has no rows")
    if isinstance(table.schema.field(timestamp).type, pa.BaseExtensionType):  # periods of pandas
        raise InputError(
            f"column '{timestamp}' holds no times", hint="make them so: .dt.to_timestamp(), pd.to_datetime"
        )


def _text(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column of ids or words as text."""
    try:
        return pc.cast(table[name], pa.string())
    except pa.ArrowException:
        raise InputError(f"column '{name}' holds {table[name].type}, which is not text") from None


def _refuse_unknown(table: pa.Table, names: Sequence[str | None], shape: Shape) -> None:
    have = table.column_names
    missing = next((name for name in names if name is not None and name not in have), None)
    if missing is None:
        return
    hint = f"it has: {', '.join(have)}"
    if missing == shape.asset:
        hint = (
            f"say asset='...', the column of ids; layout='wide' where each asset has a column; asset=None for one "
            f"asset; {hint}"
        )
    raise InputError(f"the table has no column '{missing}'", hint=hint)


def _cohorts(said: object, pairs: Any) -> dict[str, str]:
    """Asset -> cohort, by a column or by what the user says."""
    if said is None:
        return {}
    if not isinstance(said, str):
        return {str(asset): str(cohort) for asset, cohort in dict(said).items()}  # type: ignore[call-overload]
    found: dict[str, str] = {}
    for row in pairs.group_by([ASSET, "cohort"]).aggregate([]).to_pylist():
        if row["cohort"] is not None and found.setdefault(row[ASSET], row["cohort"]) != row["cohort"]:
            raise InputError(f"asset '{row[ASSET]}' is in two cohorts, '{found[row[ASSET]]}' and '{row['cohort']}'")
    return found


def cadence_of(given: Given) -> str:
    """The step between most samples, as settings write it.

    Raises
    ------
    InputError
        If it cannot be told.
    """
    try:
        instants = pc.cast(given.table[TIMESTAMP], pa.timestamp("us"), safe=False).combine_chunks()
    except pa.ArrowException:
        raise InputError(
            "the step between samples cannot be told from timestamps of text", hint='say it: cadence="1D"'
        ) from None
    times = instants.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    ids = np.zeros(len(times), np.int32)
    if not given.wide:
        ids = pc.dictionary_encode(given.table[ASSET]).combine_chunks().indices.to_numpy(zero_copy_only=False)
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


def _arrow(data: Any, timestamp: str | None) -> pa.Table:
    if isinstance(data, pa.Table):
        return data
    if type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns"):
        try:
            return pa.Table.from_pandas(_flat(data, timestamp), preserve_index=False)
        except (pa.ArrowException, ValueError) as error:
            raise InputError(f"the table cannot be read: {error}", hint="leave out the columns it is about") from None
    if hasattr(data, "__arrow_c_stream__"):
        with suppress(pa.ArrowException):  # a column alone speaks it, too
            return pa.table(data)
    raise InputError(
        f"{type(data).__name__} is not a table", hint="give a DataFrame of pandas or polars, or a table of Arrow"
    )


def _flat(data: pd.DataFrame, timestamp: str | None) -> pd.DataFrame:
    """A DataFrame of pandas with what is in its index as columns, each column named by text."""
    import pandas as pd

    if data.columns.nlevels > 1:
        raise InputError("the columns have several levels", hint="stack the assets into rows: df.stack(0)")
    times = isinstance(data.index, pd.DatetimeIndex) and timestamp == TIMESTAMP not in data.columns
    if timestamp is None or times:
        data = data.rename_axis(TIMESTAMP).reset_index()
    elif any(name is not None and name not in data.columns for name in data.index.names):
        data = data.reset_index()
    return data.rename(columns=str)
