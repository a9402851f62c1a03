"""Timestamps that are numbers, in every kind of source."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomscan.config import Columns
from anomscan.sources.base import Source

SECONDS = [1709251200, 1709254800]
COLUMNS = Columns(asset="a", timestamp="t", values=("v",))
ROWS = [
    ("x", datetime(2024, 3, 1, 0), 0.5, None),
    ("x", datetime(2024, 3, 1, 1), 0.5, None),
]


@pytest.mark.parametrize("scale", ["unix", "unix-ms"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "jsonl text", "parquet", "sql"])
def test_read_alike(
    tmp_path: Path,
    files: Callable[..., Source],
    sql: Callable[..., Source],
    read: Callable[..., list[tuple[Any, ...]]],
    kind: str,
    scale: str,
) -> None:
    numbers = [second * (1_000 if scale == "unix-ms" else 1) for second in SECONDS]
    path = tmp_path / f"t.{kind.split()[0]}"
    if kind == "csv":
        path.write_text("a,t,v\n" + "".join(f"x,{number},0.5\n" for number in numbers))
    elif kind == "parquet":
        pq.write_table(pa.table({"a": ["x", "x"], "t": numbers, "v": [0.5, 0.5]}), path)
    elif kind == "sql":
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE s (a TEXT, t INTEGER, v DOUBLE)")
            database.executemany("INSERT INTO s VALUES ('x', ?, 0.5)", [(number,) for number in numbers])
    else:
        texts = [str(number) if "text" in kind else number for number in numbers]
        path.write_text("".join(json.dumps({"a": "x", "t": text, "v": 0.5}) + "\n" for text in texts))
    keys: dict[str, Any] = {"cadence": "1h", "columns": COLUMNS, "timestamp_format": scale}
    query = "SELECT a, t, v FROM s WHERE :start < :end"
    source = sql(path.name, query=query, **keys) if kind == "sql" else files(path.name, **keys)
    assert read(source) == ROWS
