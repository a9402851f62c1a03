"""The lines of docs/reference/store.md give what anomscan itself reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from anomscan.store.store import Store

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "store.md").read_text("utf-8")
SQL = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
PATH = "anomscan-data/fleet/*.parquet"

Row = tuple[str, datetime, float | None, str | None]


@pytest.fixture
def stored(store: Store, commit: Callable[..., object]) -> Store:
    """Batches, merged files, the newest apart, a revision of each, an empty value."""
    dates = np.arange(60).astype("datetime64[D]").astype(str).tolist()
    commit([(asset, day, float(place), "ok") for asset in "AB" for place, day in enumerate(dates[:50])])
    commit([("A", dates[3], 9.5, None), ("A", dates[49], None, "odd")], "2020-01-02")
    store.compact("fleet")
    commit([("B", dates[4], 8.5, "ok"), ("C", dates[55], 1.0, "ok")], "2020-01-03")
    return store


def expected(store: Store) -> list[Row]:
    rows: list[Row] = []
    for asset in store.assets("fleet"):
        series = store.read("fleet", asset)
        values = [None if np.isnan(value) else value for value in series.values[:, 0].tolist()]
        healths = [series.health(row) for row in range(len(series))]
        rows += zip([asset] * len(series), series.timestamps.tolist(), values, healths, strict=True)
    return sorted(rows, key=lambda row: row[:2])


def test_duckdb_reads_the_latest_values(stored: Store) -> None:
    found = duckdb.sql(SQL.replace(PATH, str(stored.path / "fleet" / "*.parquet"))).fetchall()
    assert found == expected(stored)


def test_polars_reads_the_latest_values(stored: Store) -> None:
    names: dict[str, Any] = {}
    exec(PYTHON.replace(PATH, str(stored.path / "fleet" / "*.parquet")), names)  # noqa: S102 - our own page
    assert names["latest"].rows() == expected(stored)
