"""What values mean: words for a missing one, numbers that stand for one, per cent, limits to what is plausible."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomscan.config import Columns, FilesSource
from anomscan.errors import InputError
from anomscan.sources.base import Notice, Request, Source
from anomscan.tables.salvage import Reject
from anomscan.tables.values import MISSING

Sources = dict[str, Callable[..., Source]]
COLUMNS = Columns(asset="a", timestamp="t", values=("v", "w"))
KINDS = ["csv", "jsonl", "parquet", "sql"]
QUERY = "SELECT a, t, v, w FROM s WHERE :start < :end"


@pytest.fixture(params=KINDS)
def texts(
    request: pytest.FixtureRequest, tmp_path: Path, files: Callable[..., Source], sql: Callable[..., Source]
) -> Callable[..., Source]:
    """A source of daily rows whose values are text; ``w`` counts from 0."""

    def make(*values: str, **keys: Any) -> Source:
        first = date(2017, 1, 1)
        rows = [
            {"a": "x", "t": str(first + timedelta(row)), "v": value, "w": str(row)} for row, value in enumerate(values)
        ]
        path = tmp_path / f"t.{request.param}"
        keys = {"columns": COLUMNS} | keys
        if request.param == "csv":
            path.write_text(
                "a,t,v,w\n" + "".join(",".join(f'"{cell}"' for cell in row.values()) + "\n" for row in rows)
            )
        elif request.param == "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif request.param == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        else:
            with closing(sqlite3.connect(path)) as database, database:
                database.execute("CREATE TABLE s (a TEXT, t TEXT, v TEXT, w TEXT)")
                database.executemany("INSERT INTO s VALUES (:a, :t, :v, :w)", rows)
            return sql(path.name, query=QUERY, **keys)
        return files(path.name, **keys)

    return make


def values(source: Source) -> list[Any]:
    return [
        row["value:v"] for item in source.fetch(Request()) if isinstance(item, pa.Table) for row in item.to_pylist()
    ]


def test_every_source_knows_the_words_for_none(texts: Callable[..., Source]) -> None:
    source = texts("1", *(f" {case} " for word in MISSING for case in (word, word.upper(), word.title())), "2")
    assert values(source) == [1.0, *[None] * (3 * len(MISSING)), 2.0]


def test_a_word_for_none_may_be_added(texts: Callable[..., Source]) -> None:
    assert values(texts("1", "?", "-9999", "-9999.0", "-9.999e3", "-", "2", missing=["?", -9999])) == [
        *(1.0, None, None, None, None, None, 2.0),
    ]


def test_a_number_is_one_where_nothing_else_is_said(texts: Callable[..., Source]) -> None:
    assert values(texts("1", "-9999", "0", "-0.0")) == [1.0, -9999.0, 0.0, 0.0]


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.int32(), pa.decimal128(30, 2)])
def test_numbers_that_stand_for_none_are_known_by_value(tmp_path: Path, files: Any, kind: pa.DataType) -> None:
    table = pa.table({"a": ["x"] * 3, "t": ["2017-01-01", "2017-01-02", "2017-01-03"], "v": [1, -999, 3], "w": [0] * 3})
    pq.write_table(table.set_column(2, "v", table["v"].cast(kind)), tmp_path / "t.parquet")
    assert values(files("t.parquet", columns=COLUMNS, missing=["-999.00"])) == [1.0, None, 3.0]


def test_the_fill_value_of_netcdf(tmp_path: Path, files: Any) -> None:
    fill = pa.array([0.5, 9.96921e36], pa.float32())
    table = pa.table({"a": ["x"] * 2, "t": ["2017-01-01", "2017-01-02"], "v": fill, "w": [0, 0]})
    pq.write_table(table, tmp_path / "t.parquet")
    assert values(files("t.parquet", columns=COLUMNS, missing=["9.96921e+36"])) == [0.5, None]


def test_per_cent_is_hundredths_and_told(texts: Callable[..., Source]) -> None:
    source = texts("12.5 %", "0.7%", "0.125", "-", "\N{MINUS SIGN}3%")
    assert values(source) == [0.125, 0.007, 0.125, None, -0.03]
    (told,) = (item.text for item in source.fetch(Request()) if isinstance(item, Notice))
    assert told.startswith("per cent signs are read as hundredths, ")
    assert told.endswith("column 'v': '12.5 %' as 0.125")


@pytest.mark.parametrize("text", ["%", "12.5 %%", "% 12.5", "1e1 %", "12.5 kWh", "--", "now", "today"])
def test_what_is_no_number_is_put_aside(texts: Callable[..., Source], text: str) -> None:
    (reject,) = (item for item in texts("1", text, "2").fetch(Request()) if isinstance(item, Reject))
    assert f"column 'v': '{text}' is not a number" in reject.reason


def test_impossible_values_are_put_aside_and_the_rest_of_the_row_stays(texts: Callable[..., Source]) -> None:
    source = texts("0.5", "1.5", "1.51", "-9999", "n/a", plausible={"v": (-0.1, 1.5), "w": (0, 10)})
    items = list(source.fetch(Request()))
    rows = [row for item in items if isinstance(item, pa.Table) for row in item.to_pylist()]
    assert [(row["value:v"], row["value:w"]) for row in rows] == [(0.5, 0), (1.5, 1), (None, 2), (None, 3), (None, 4)]
    rejects = [item for item in items if isinstance(item, Reject)]
    assert [reject.row["v"] for reject in rejects] == ["1.51", "-9999"]
    assert rejects[1].reason.endswith(", column 'v': -9999 is not plausible (-0.1 to 1.5)")
    assert " 4" in rejects[1].reason or "line 5" in rejects[1].reason


def test_a_row_with_two_impossible_values_is_told_once(texts: Callable[..., Source]) -> None:
    source = texts("0.5", "7", plausible={"v": (-1, 1), "w": (-1, 0.5)})
    (reject,) = (item for item in source.fetch(Request()) if isinstance(item, Reject))
    assert "column 'v': 7 is not plausible (-1 to 1); column 'w': 1 is not plausible (-1 to 0.5)" in reject.reason


def test_lines_are_named_however_many_values_are_impossible(tmp_path: Path, files: Any) -> None:
    count = 60_000
    path = tmp_path / "t.csv"
    with path.open("w") as out:
        out.write("a,t,v,w\n\n")
        for row in range(count):
            out.write(f"x{row // 28},2017-01-{row % 28 + 1:02},{row % 2 * 9},{'0' * 40}\n")
    source = files("t.csv", columns=COLUMNS, plausible={"v": (0, 1)})
    places = [item.reason.split(",")[0] for item in source.fetch(Request()) if isinstance(item, Reject)]
    assert places == [f"{path} line {row + 3}" for row in range(1, count, 2)]


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"plausible": {"x": (0, 1)}}, "plausible names 'x', which is not in columns.values"),
        ({"plausible": {"v": (1, 1)}}, r"plausible\.v is \[1, 1\]"),
        ({"timestamp_format": "%d.%m.%Y %H:%M EST", "timezone": "Europe/Berlin"}, "says EST, and timezone is Europe"),
    ],
)
def test_settings_that_cannot_be(keys: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        FilesSource(kind="files", path=Path("t.csv"), cadence="1D", columns=COLUMNS, **keys)


@pytest.mark.parametrize(
    ("pattern", "text", "instant"),
    [
        ("%Y-%m-%dT%H:%M:%SZ", "2017-07-01T06:00:00Z", "2017-07-01T06:00:00"),
        ("%Y-%m-%dT%H:%M:%S.%fZ", "2017-07-01T06:00:00.5Z", "2017-07-01T06:00:00.500000"),
        ("%H:%M %d.%m.%Y UTC", "06:00 01.07.2017 UTC", "2017-07-01T06:00:00"),
        ("%d.%m.%Y %H:%M+01:00", "01.07.2017 06:00+01:00", "2017-07-01T05:00:00"),
        ("%d.%m.%Y %I:%M %p-0030", "01.07.2017 06:00 AM-0030", "2017-07-01T06:30:00"),
        ("%d.%m.%Y %H:%M:%S%z", "01.07.2017 06:00:00Z", "2017-07-01T06:00:00"),
        ("%d.%m.%Y %H:%M CET", "01.07.2017 06:00 CET", "2017-07-01T04:00:00"),
        ("%d.%m.%Y %H:%M", "01.07.2017 06:00", "2017-07-01T04:00:00"),
    ],
)
def test_an_offset_that_the_pattern_writes_wins_over_the_zone(
    tmp_path: Path, files: Any, pattern: str, text: str, instant: str
) -> None:
    (tmp_path / "t.csv").write_text(f"a,t,v,w\nx,{text},1,1\n")
    keys = {"cadence": "1h", "timezone": "Europe/Berlin", "timestamp_format": pattern}
    (rows,) = files("t.csv", columns=COLUMNS, **keys).fetch(Request())
    assert rows["timestamp"][0].as_py().isoformat() == instant


@pytest.mark.parametrize("text", ["now", "today", "NaT", "yesterday"])
def test_words_are_no_timestamps(tmp_path: Path, files: Any, text: str) -> None:
    (tmp_path / "t.csv").write_text(f"a,t,v,w\nx,{text},1,1\n")
    with pytest.raises(InputError, match=f"'{text}' is not a timestamp"):
        list(files("t.csv", columns=COLUMNS).fetch(Request()))
