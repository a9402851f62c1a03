"""Ids and numbers: nothing is guessed, nothing is rounded."""

from __future__ import annotations

import csv
import json
import math
import struct
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.sources.base import Request, Source
from anomscan.tables.columns import from_objects
from anomscan.tables.values import MISSING

Files = Callable[..., Source]
ONE = Columns(asset="a", timestamp="t", values=("v",), health="h")
DAY = "2017-01-01"

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: pc.utf8_trim_whitespace(pa.scalar(text)).as_py() == text
)
floats = st.floats(allow_nan=False, allow_infinity=False)
tables = st.lists(st.tuples(ids, st.one_of(st.none(), floats)), min_size=1, max_size=30)
within_one_folder = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def bits(value: float | None) -> bytes | None:
    return None if value is None else struct.pack("<d", value)


@within_one_folder
@given(tables)
def test_ids_and_floats_survive_csv(tmp_path: Path, files: Files, table: list[tuple[str, float | None]]) -> None:
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(("a", "t", "v", "h"))
        writer.writerows((asset, DAY, "" if value is None else repr(value), "") for asset, value in table)
    assert survived(files("t.csv", columns=ONE)) == [(asset, bits(value)) for asset, value in table]


@within_one_folder
@given(tables)
def test_ids_and_floats_survive_json_lines(tmp_path: Path, files: Files, table: list[tuple[str, float | None]]) -> None:
    with (tmp_path / "t.jsonl").open("w", newline="", encoding="utf-8") as out:
        for asset, value in table:
            out.write(json.dumps({"a": asset, "t": DAY, "v": value, "h": None}, ensure_ascii=False) + "\n")
    assert survived(files("t.jsonl", columns=ONE)) == [(asset, bits(value)) for asset, value in table]


def survived(source: Source) -> list[tuple[str, bytes | None]]:
    rows = []
    for item in source.fetch(Request()):
        assert isinstance(item, pa.Table)
        rows += [(row["asset"], bits(row["value:v"])) for row in item.to_pylist()]
    return rows


@pytest.mark.parametrize("text", [*MISSING, *map(str.upper, MISSING), " ", " NaN "])
def test_empty_values_are_null(tmp_path: Path, files: Files, read: Any, text: str) -> None:
    (tmp_path / "t.csv").write_text(f"a,t,v,h\nNaN,{DAY},{text},\nnull,{DAY},1,NA\n")
    assert [row[0::2] + row[3:] for row in read(files("t.csv", columns=ONE))] == [
        ("NaN", None, None),
        ("null", 1.0, "NA"),
    ]


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([7, 2**40]), ["7", "1099511627776"]),
        (pa.array([7, 8], pa.uint8()), ["7", "8"]),
        (pa.array(["007", "7"]).dictionary_encode(), ["007", "7"]),
        (pa.array(["007", "7"], pa.large_string()), ["007", "7"]),
        (pa.array(["007", "7"], pa.string_view()), ["007", "7"]),
        (pa.array([b"007", b"7"]), ["007", "7"]),
    ],
)
def test_ids_are_text_in_parquet(tmp_path: Path, files: Files, read: Any, column: pa.Array, texts: list[str]) -> None:
    pq.write_table(pa.table({"a": column, "t": [DAY] * 2, "v": [1, 2], "h": [True, None]}), tmp_path / "t.parquet")
    rows = read(files("t.parquet", columns=ONE))
    assert sorted(row[0] for row in rows) == sorted(texts)
    assert {row[2] for row in rows} == {1.0, 2.0}
    assert {row[3] for row in rows} == {"true", None}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (pa.array([math.nan]), None),
        (pa.array([None], pa.float64()), None),
        (pa.array([None]), None),
        (pa.array([0.5], pa.float32()), 0.5),
        (pa.array([0.5], pa.float16()), 0.5),
        (pa.array([2**53 + 1]), float(2**53)),
        (pa.array([Decimal("0.1")]), 0.1),
        (pa.array(["0.1"]), 0.1),
        (pa.array(["N/A"]), None),
    ],
)
def test_numbers_in_parquet(tmp_path: Path, files: Files, column: pa.Array, value: float | None) -> None:
    pq.write_table(pa.table({"a": ["x"], "t": [DAY], "v": column, "h": [""]}), tmp_path / "t.parquet")
    # An integer that a float does not keep is told of, too.
    (rows,) = (item for item in files("t.parquet", columns=ONE).fetch(Request()) if isinstance(item, pa.Table))
    assert [tuple(row.values())[2:-1] for row in rows.to_pylist()] == [(value, None)]


def test_json_ids_numbers_and_absent_keys(tmp_path: Path, files: Files, read: Any) -> None:
    lines = [
        {"a": 12345678901234567890, "t": DAY, "v": 3, "h": 2},
        {"a": "007", "t": DAY, "v": "0.1"},
        {"a": 7, "t": DAY, "h": ""},
        {"a": "8", "t": DAY, "v": math.nan},
        {"a": "9", "t": DAY, "v": 2**70},
    ]
    (tmp_path / "t.jsonl").write_text("\ufeff" + "\r\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert [(row[0], *row[2:]) for row in read(files("t.jsonl", columns=ONE))] == [
        ("007", 0.1, None),
        ("12345678901234567890", 3.0, "2"),
        ("7", None, None),
        ("8", None, None),
        ("9", float(2**70), None),
    ]


def test_objects_of_database_drivers() -> None:
    uuid = UUID(int=7)
    values = {
        "a": [uuid, Decimal(7), 7, "007"],
        "t": [DAY] * 4,
        "v": [Decimal("0.1"), 1, None, "2"],
        "h": [1, "", None, True],
    }
    piece = from_objects(values, ONE, str)
    assert piece.rows["a"].to_pylist() == [str(uuid), "7", "7", "007"]
    assert piece.rows["v"].to_pylist() == ["0.1", "1", None, "2"]
    for wrong in (Decimal("7.5"), 7.0, b"7", True):
        with pytest.raises(InputError, match="is not an asset id"):
            from_objects({**values, "a": ["x", wrong, "y", "z"]}, ONE, str)
