"""Stores of random telemetry, written and compared as short as it can be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.series import Series
from anomscan.telemetry.store import Store

DAY_US = 86_400_000_000

#: (asset, day) to its values and its health.
Rows = Mapping[tuple[str, int], tuple[Sequence[float | None], str | None]]


def layout(variables: Sequence[str] = ("x",)) -> Layout:
    return Layout(Cadence.parse("1D"), tuple(variables))


def put(store: Store, rows: Rows, arrived: int, shape: Layout | None = None, source: str = "fleet") -> None:
    """Commit rows that arrived on a day, counted like theirs from 1970 on."""
    shape = shape or layout()
    instants = [day * DAY_US for _, day in rows]
    columns = [
        pa.array([asset for asset, _ in rows], pa.string()),
        pa.array(instants, pa.timestamp("us")),
        *(
            pa.array([values[place] for values, _ in rows.values()], pa.float64())
            for place in range(len(shape.variables))
        ),
        pa.array([health for _, health in rows.values()], pa.string()),
    ]
    with store.writer(source, shape, arrived_at=np.datetime64(arrived * DAY_US, "us")) as writer:
        writer.append(pa.Table.from_arrays(columns, schema=shape.schema))
        writer.commit()


def plain(series: Series) -> tuple[Any, ...]:
    """All that a series says, to the last bit, as something that can be compared."""
    assert series.arrived_at is not None
    return (
        series.asset,
        series.cadence,
        series.variables,
        series.timestamps.tobytes(),
        series.values.tobytes(),
        tuple(series.health(row) for row in range(len(series))),
        series.arrived_at.tobytes(),
    )


def contents(chunks: Iterable[Iterable[Series]]) -> dict[str, tuple[Any, ...]]:
    """What some chunks hold, by asset; none may come twice."""
    found: dict[str, tuple[Any, ...]] = {}
    for series in (series for chunk in chunks for series in chunk):
        assert series.asset not in found
        found[series.asset] = plain(series)
    return found
