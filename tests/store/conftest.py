"""Rows for the store, written as short as they can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from anomscan.store.store import Store
from anomscan.store.writer import CommitCounts
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout

Row = tuple[str, str, float | None, str | None]
Commit = Callable[..., CommitCounts]


@pytest.fixture
def layout() -> Layout:
    return Layout(Cadence.parse("1D"), ("x",))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture
def commit(store: Store, layout: Layout) -> Commit:
    """Store rows (asset, timestamp, value, health) that arrived on a day."""

    def run(
        rows: Iterable[Row], arrived: str = "2020-01-01", *, source: str = "fleet", layout: Layout = layout
    ) -> CommitCounts:
        rows = list(rows)
        columns = [
            pa.array([row[0] for row in rows], pa.string()),
            pa.array([datetime.fromisoformat(row[1]) for row in rows], pa.timestamp("us")),
            *[pa.array([row[2] for row in rows], pa.float64())] * len(layout.variables),
            pa.array([row[3] for row in rows], pa.string()),
        ]
        with store.writer(source, layout, arrived_at=np.datetime64(arrived, "us")) as writer:
            writer.append(pa.Table.from_arrays(columns, schema=layout.schema))
            return writer.commit()

    return run


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder, by its relative name."""

    def read(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return read
