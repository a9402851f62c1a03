"""Stores of random telemetry, written and compared as short as it can be read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from anomscan.detectors.rcf.forest import Forest
from anomscan.detectors.rcf.severity import Severity
from anomscan.store.store import Store
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.series import Series

DAY_US = 86_400_000_000


def config(variables: Sequence[str] = ("x",), *, window: int = 20, sigma: float = 2.5, gaps: str = "calendar") -> str:
    """Settings for ``layout`` and ``model`` of these variables."""
    return f"""
[defaults]
source = "fleet"
detector = "rcf"
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = {{ asset = "asset", timestamp = "day", values = {json.dumps(list(variables))} }}
[detectors.rcf]
kind = "rcf"
model = "models/rcf.forest"
[scan]
window = {window}
shingle = 3
sigma = {sigma}
gaps = "{gaps}"
"""


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


def daily(asset: str, values: ArrayLike, variables: Sequence[str] = ("x",), **more: Any) -> Series:
    """One asset, a sample a day; ``values`` (n,) or (n, d)."""
    samples = np.asarray(values, np.float64).reshape(-1, len(variables))
    days = np.datetime64("2017-01-01", "us") + np.arange(len(samples)) * np.timedelta64(1, "D")
    return Series(asset, Cadence.parse("1D"), tuple(variables), days, samples, **more)


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


def model(path: Path, *, variables: Sequence[str] = ("x",), shingle: int = 3, trees: int = 5, seed: int = 0) -> None:
    """Write a small forest that knows values about 0 to 1, as ``train`` would."""
    points = np.random.default_rng(seed).random((200, shingle * len(variables)))
    forest = Forest.fit(points, trees=trees, sample_size=32, seed=seed)
    severity = Severity.of(forest.score(points)).facts()
    facts = {"variables": list(variables), "shingle": shingle, "cadence": "1D", "severity": severity}
    path.parent.mkdir(exist_ok=True)
    forest.with_facts(**facts, trained_through="1970-01-10").save(path)


def outcome(path: Path) -> tuple[bytes, bytes, dict[str, Any]]:
    """The records, the scores and the facts that a run has written, without what time it was."""
    facts = json.loads(path.with_name(path.name + ".run.json").read_text("utf-8"))
    for clock in ("started", "finished", "stages_s"):
        del facts[clock]
    return path.read_bytes(), path.with_name(path.name + ".scores.parquet").read_bytes(), facts
