"""Tables with a column each asset, or a row each value, give the same samples as long ones."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomscan.config import Columns, FilesSource, SqlSource
from anomscan.errors import InputError
from anomscan.sources.base import Notice, Request, Source
from anomscan.tables.salvage import Reject

Files = Callable[..., Source]
Read = Callable[..., list[tuple[Any, ...]]]
WIDE: dict[str, Any] = {"layout": "wide", "columns": Columns(timestamp="t", values=("v",))}
TAGS: dict[str, Any] = {"layout": "tags", "columns": Columns(asset="a", timestamp="t", values=("v", "w"))}
FIRST = date(2017, 1, 1)
ASSETS = [f"A{number}" for number in range(7)]


def cells(seed: int) -> dict[tuple[str, date], float]:
    dice = random.Random(seed)
    return {
        (asset, FIRST + timedelta(day)): round(dice.gauss(0.8, 0.1), 6)
        for asset in ASSETS
        for day in range(40)
        if dice.random() < 0.8
    }


def expected(values: dict[tuple[str, date], float]) -> list[tuple[Any, ...]]:
    rows = [(asset, datetime(day.year, day.month, day.day), value, None) for (asset, day), value in values.items()]
    return sorted(rows, key=str)


@pytest.mark.parametrize("kind", ["csv", "semicolons", "jsonl", "parquet"])
def test_wide(tmp_path: Path, files: Files, read: Read, kind: str) -> None:
    values = cells(1)
    rows = [
        {"t": str(FIRST + timedelta(day)), **{asset: values.get((asset, FIRST + timedelta(day))) for asset in ASSETS}}
        for day in range(40)
    ]
    path = tmp_path / {"semicolons": "t.csv"}.get(kind, f"t.{kind}")
    if kind == "jsonl":
        path.write_text("".join(json.dumps({k: v for k, v in row.items() if v is not None}) + "\n" for row in rows))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        sign = ";" if kind == "semicolons" else ","
        lines = [rows[0], *(["" if cell is None else str(cell) for cell in row.values()] for row in rows)]
        text = "\n".join(sign.join(line) for line in lines) + "\n"
        path.write_text(text.replace(".", ",") if kind == "semicolons" else text)
    signs = {"delimiter": ";", "decimal": ","} if kind == "semicolons" else {}
    assert read(files(path.name, **signs, **WIDE)) == expected(values)


def test_wide_columns_of_several_types(tmp_path: Path, files: Files, read: Read) -> None:
    days = [FIRST, FIRST + timedelta(1)]
    table = pa.table({
        "t": days,
        "A": pa.array([1, None], pa.int32()),
        "B": pa.array([np.nan, 0.5], pa.float32()),
        "C": pa.array([" ", "n/a"]),
        "D": pa.nulls(2),
        "E": pa.array(["7", "8"]).dictionary_encode(),
        "note": [True, False],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "t.parquet")
    first, second = datetime(2017, 1, 1), datetime(2017, 1, 2)
    with pytest.raises(InputError, match=r"column 'note' holds bool, not numbers \(name it in columns.ignore\)"):
        read(files("t.parquet", **WIDE))
    columns = Columns(timestamp="t", values=("v",), ignore=("note",))
    assert read(files("t.parquet", layout="wide", columns=columns)) == [
        ("A", first, 1.0, None),
        ("B", second, 0.5, None),
        ("C", second, None, None),
        ("E", first, 7.0, None),
        ("E", second, 8.0, None),
    ]


def test_wide_rejects_name_the_asset(tmp_path: Path, files: Files) -> None:
    (tmp_path / "t.csv").write_text("t,A,B,\n2017-01-01,1,2,\n\n2017-01-02,x,,\nTotal,,2,\n")
    items = list(files("t.csv", **WIDE).fetch(Request()))
    rejects = [item for item in items if isinstance(item, Reject)]
    assert [reject.row for reject in rejects] == [
        {"asset": "A", "t": "2017-01-02", "v": "x"},
        {"asset": "B", "t": "Total", "v": "2"},
    ]
    assert rejects[0].reason.endswith("t.csv line 4 (A), column 'v': 'x' is not a number")


def test_files_of_a_folder_are_wide_tables_of_their_own(tmp_path: Path, files: Files, read: Read) -> None:
    (tmp_path / "2017.csv").write_text("t,A\n2017-01-01,1\n")
    (tmp_path / "2018.csv").write_text("B,t,A\n2,2018-01-01,0.5\n")
    assert [row[::2] for row in read(files("", **WIDE))] == [("A", 1.0), ("A", 0.5), ("B", 2.0)]


def tag_rows(values: dict[tuple[str, date], float]) -> list[dict[str, Any]]:
    rows = [
        {"a": asset, "tag": tag, "t": str(day), "value": str(value + (tag == "w"))}
        for (asset, day), value in values.items()
        for tag in (" v", "w", "other")
    ]
    for row in rows:
        if row["tag"] == "other":
            row["value"] = "text"
    random.Random(2).shuffle(rows)
    return rows


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "sql"])
def test_tags(tmp_path: Path, files: Files, sql: Files, read: Read, kind: str) -> None:
    values = cells(3)
    rows = tag_rows(values)
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        path.write_text("\n".join(",".join(row) for row in [list(rows[0]), *(row.values() for row in rows)]) + "\n")
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=50)
    else:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE s (a TEXT, tag TEXT, t TEXT, value)")
            database.executemany("INSERT INTO s VALUES (:a, :tag, :t, :value)", rows)
    query = "SELECT a, tag, t, value FROM s WHERE t BETWEEN :start AND :end"
    source = sql(path.name, query=query, **TAGS) if kind == "sql" else files(path.name, **TAGS)
    wanted = [(*row[:3], row[2] + 1, None) for row in expected(values)]
    assert read(source) == sorted(wanted, key=str)


def test_values_of_a_sample_that_differ_are_a_row_each(tmp_path: Path, files: Files, read: Read) -> None:
    text = "a,tag,t,value\nA,v,2017-01-01,1\nA,w,2017-01-01,5\nA,v,2017-01-01,1.0\nA,v,2017-01-01,2\nB,w,2017-01-01,\n"
    (tmp_path / "t.csv").write_text(text)
    day = datetime(2017, 1, 1)
    assert read(files("t.csv", **TAGS)) == [
        ("A", day, 1.0, 5.0, None),
        ("A", day, 2.0, 5.0, None),
        ("B", day, None, None, None),
    ]


def test_a_row_of_tags_that_cannot_be_used_is_named(tmp_path: Path, files: Files) -> None:
    (tmp_path / "t.csv").write_text("a,tag,t,value\nA,z,2017-01-01,?\nA,v,2017-01-01,x\nA,w,2017-01-01,5\n")
    items = list(files("t.csv", plausible={"w": (0, 1)}, **TAGS).fetch(Request()))
    rejects = [item for item in items if isinstance(item, Reject)]
    assert [reject.reason.partition("t.csv ")[2] for reject in rejects] == [
        "line 3, column 'v': 'x' is not a number",
        "line 4, column 'w': 5 is not plausible (0 to 1)",
    ]


def test_a_tag_that_no_row_has_is_told(tmp_path: Path, files: Files) -> None:
    (tmp_path / "t.csv").write_text("a,tag,t,value\nA,v,2017-01-01,1\n")
    told = [item.text for item in files("t.csv", **TAGS).fetch(Request()) if isinstance(item, Notice)]
    assert told == ["no row has 'w' in column 'tag'"]
    (tmp_path / "t.csv").write_text("a,tag,t,value\nA,V,2017-01-01,1\n")
    with pytest.raises(InputError, match=r"no row has 'v' in column 'tag' \(it has: V\)"):
        list(files("t.csv", **TAGS).fetch(Request()))


@pytest.mark.parametrize(
    ("kind", "keys", "complaint"),
    [
        (FilesSource, {"layout": "wide", "columns": Columns(asset="a", values=("v",))}, "has a column each asset"),
        (FilesSource, {"layout": "wide", "columns": Columns(values=("v", "w"))}, "has a column each asset"),
        (FilesSource, {"columns": Columns(values=("v",), ignore=("Sum",))}, "columns.ignore needs"),
        (FilesSource, {"columns": Columns(values=("v",), tag="x")}, "columns.tag and columns.value need"),
        (FilesSource, {"layout": "tags", "columns": Columns(values=("v",), health="h")}, "has no columns.health"),
        (SqlSource, {"layout": "wide", "columns": Columns(values=("v",))}, "is for files"),
    ],
)
def test_columns_that_do_not_fit(kind: Any, keys: dict[str, Any], complaint: str) -> None:
    also = {"kind": "files", "path": "t.csv"} if kind is FilesSource else {"kind": "sql", "query": "SELECT 1"}
    with pytest.raises(ValueError, match=complaint):
        kind(cadence="1D", **also, **keys)
