"""Objects that are no ids, timestamps or numbers, in JSON and in databases: their rows alone are put aside."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.sources.base import Request, Source
from anomscan.tables.salvage import Reject

ONE = Columns(asset="a", timestamp="t", values=("v",))
GOOD = [{"a": "x", "t": f"2024-01-{day:02}", "v": 0.5} for day in range(1, 11)]


def split(source: Source) -> tuple[int, list[str]]:
    """How many rows, and the reasons of the rejects."""
    items = list(source.fetch(Request()))
    rows = sum(len(item) for item in items if isinstance(item, pa.Table))
    return rows, [item.reason for item in items if isinstance(item, Reject)]


def test_json_lines(tmp_path: Path, files: Callable[..., Source]) -> None:
    odd = [{"a": {"x": 1}}, {"a": 1.5}, {"a": True}, {"t": [1]}, {"t": {"at": 1}}, {"v": [1]}, {"v": {}}]
    lines = [json.dumps(GOOD[0] | each) for each in odd] + ["[1, 2]", '"x"', '{"a": "x', "\x00", '{"a": 1, "a": 2}']
    (tmp_path / "t.jsonl").write_text("\n".join([*lines, *map(json.dumps, GOOD)]) + "\n")
    rows, reasons = split(files("t.jsonl", columns=ONE))
    assert rows == len(GOOD)
    assert len(reasons) == len(lines)
    assert all("t.jsonl line " in reason for reason in reasons)


def test_json_lines_that_are_cut_off_are_no_whole_file(tmp_path: Path, files: Callable[..., Source]) -> None:
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, GOOD))[:-5])
    with pytest.raises(InputError, match=r"t\.jsonl line 10 is not JSON.*cut off"):
        split(files("t.jsonl", columns=ONE))


def test_sqlite(tmp_path: Path, sql: Callable[..., Source]) -> None:
    rows: list[tuple[object, object, object]] = [("x", row["t"], 0.5) for row in GOOD]
    rows += [(b"\xff", "2024-02-01", 1.0), (1.5, "2024-02-01", 1.0), ("x", b"\xff", 1.0), ("x", "2024-02-01", b"\xff")]
    with closing(sqlite3.connect(tmp_path / "t.db")) as database, database:
        database.execute("CREATE TABLE p (a, t, v)")
        database.executemany("INSERT INTO p VALUES (?, ?, ?)", rows)
        # Text that is none: what a program in another encoding wrote.
        database.execute("INSERT INTO p VALUES (CAST(x'e9' AS TEXT), '2024-02-02', 1.0)")
    query = "SELECT a, t, v FROM p WHERE t >= :start OR t <= :end ORDER BY rowid"
    found, reasons = split(sql("t.db", columns=ONE, query=query))
    assert found == len(GOOD)
    assert sorted(reason.partition(" of the query")[0] for reason in reasons) == [f"row {row}" for row in range(11, 16)]
