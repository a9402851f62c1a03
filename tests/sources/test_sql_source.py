"""The SQL source on SQLite: the user's query, its parameters, and what can go wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomscan.config import Columns
from anomscan.errors import AnomscanError, ConfigError, InputError, ServiceError
from anomscan.sources.base import Request, Source

Sql = Callable[..., Source]
SIMPLE = "SELECT asset_id, date, prt7, temp, 'Good' AS health_status FROM performance_ratio"
BOUNDED = SIMPLE + " WHERE date BETWEEN :start AND :end"


@pytest.fixture(autouse=True)
def _database(tmp_path: Path, write: dict[str, Any], fleet: list[Any]) -> None:
    write["sqlite"](tmp_path / "t.db", fleet)


def fails(kind: type[AnomscanError], make: Callable[[], Source], request: Request | None = None) -> str:
    with pytest.raises(kind) as caught:
        list(make().fetch(request or Request()))
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("query", [BOUNDED, BOUNDED + " AND (:asset IS NULL OR asset_id = :asset)"])
def test_with_and_without_asset_in_the_query(sql: Sql, read: Any, query: str) -> None:
    source = sql(query=query)
    assert len(read(source)) == 9
    found = read(source, Request(assets=("007", "7", "nobody")))
    assert sorted(row[0] for row in found) == ["007", "007", "7"]


def test_an_asset_is_bound_and_never_spliced(sql: Sql, read: Any) -> None:
    source = sql(query=BOUNDED + " AND (:asset IS NULL OR asset_id = :asset)")
    assert read(source, Request(assets=("' OR 1=1 --",))) == []
    assert len(read(source, Request(assets=('he said "no"', "<script>alert('x')</script>")))) == 2


def test_rows_come_in_pieces_of_some_size(tmp_path: Path, sql: Sql) -> None:
    with closing(sqlite3.connect(tmp_path / "u.db")) as database, database:
        database.execute("CREATE TABLE performance_ratio (asset_id, date, prt7, temp)")
        database.executemany(
            "INSERT INTO performance_ratio VALUES (?, '2017-01-01', 1, 1)", ((n,) for n in range(40_000))
        )
    sizes = [len(item) for item in sql("u.db", query=BOUNDED).fetch(Request())]
    assert sum(sizes) == 40_000
    assert len(sizes) == 3


@pytest.mark.parametrize("written", ["{} 00:00:00", "{}T00:00:00", "{} 00:00:00.000000", "{}"])
@pytest.mark.parametrize("cadence", ["1D", "1h"])
def test_text_that_sorts_otherwise_than_the_bound_is_not_lost(
    tmp_path: Path, sql: Sql, read: Any, written: str, cadence: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "u.db")) as database, database:
        database.execute("CREATE TABLE performance_ratio (asset_id, date, prt7, temp)")
        days = [f"2017-01-{day:02d}" for day in range(1, 11)]
        database.executemany(
            "INSERT INTO performance_ratio VALUES ('x', ?, 1, 1)", [(written.format(day),) for day in days]
        )
    bounds = Request(start=np.datetime64("2017-01-03", "us"), end=np.datetime64("2017-01-05", "us"))
    found = read(sql("u.db", query=BOUNDED, cadence=cadence, timezone="UTC"), bounds)
    assert [row[1] for row in found] == [datetime(2017, 1, day) for day in (3, 4, 5)]


def test_naive_times_stand_in_the_zone_of_the_source(tmp_path: Path, sql: Sql, read: Any) -> None:
    with closing(sqlite3.connect(tmp_path / "u.db")) as database, database:
        database.execute("CREATE TABLE performance_ratio (asset_id, date, prt7, temp)")
        hours = [f"2017-07-01 {hour:02d}:00:00" for hour in range(24)]
        database.executemany("INSERT INTO performance_ratio VALUES (7, ?, 1, 1)", [(hour,) for hour in hours])
    source = sql("u.db", query=BOUNDED, cadence="1h", timezone="Europe/Paris")
    bounds = Request(start=np.datetime64("2017-07-01T10:00", "us"), end=np.datetime64("2017-07-01T12:00", "us"))
    assert [row[:2] for row in read(source, bounds)] == [("7", datetime(2017, 7, 1, hour)) for hour in (10, 11, 12)]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (SIMPLE, "the query of source 'fleet' has no parameter :start (write ... WHERE date >= :start AND"),
        (SIMPLE + " WHERE date >= :start", "has no parameter :end"),
        (BOUNDED + " AND asset_id = :device", "has a parameter :device, which is not known"),
    ],
)
def test_parameters_are_checked_before_the_database_is_asked(sql: Sql, query: str, told: str) -> None:
    assert told in fails(ConfigError, lambda: sql("none.db", query=query))


def test_settings_that_cannot_work(sql: Sql) -> None:
    columns = Columns(timestamp="date", values=("prt7",))
    assert "sources.fleet: columns.asset is missing" in fails(ConfigError, lambda: sql(columns=columns))
    with pytest.raises(ValueError, match="timestamp_format 'mixed' is not understood"):
        sql(timestamp_format="mixed")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (BOUNDED.replace("prt7", "1 AS prt_7"), "has no column 'prt7' (did you mean 'prt_7'? it has: asset_id, date,"),
        (BOUNDED.replace("prt7", "prt7, 1 AS prt7"), "has more than one column 'prt7'"),
        (BOUNDED.replace("FROM performance_ratio", "FROM nowhere"), "fails: no such table: nowhere"),
        (BOUNDED.replace("temp", "tmp"), "fails: no such column: tmp"),
        ("SELEC :start, :end", 'fails: near "SELEC": syntax error'),
        (
            "DELETE FROM performance_ratio WHERE date BETWEEN :start AND :end",
            "gives no rows back (it must be a SELECT)",
        ),
        (
            BOUNDED.replace("temp,", "'warm' AS temp,"),
            "row 1 of the query of source 'fleet', column 'temp': 'warm' is not",
        ),
        (BOUNDED.replace("temp,", "9e999 AS temp,"), "column 'temp': 'inf' is infinite"),
        (BOUNDED.replace(" date,", " 1483228800 AS date,"), "column 'date': '1483228800' is not a timestamp"),
        (BOUNDED.replace(" date,", " NULL AS date,"), "no timestamp in column 'date'"),
        (BOUNDED.replace("asset_id,", "NULL AS asset_id,"), "no asset id in column 'asset_id'"),
    ],
)
def test_queries_that_fail(sql: Sql, read: Any, query: str, told: str) -> None:
    assert told in fails(InputError, lambda: sql(query=query))
    assert len(read(sql())) == 9


def test_a_missing_database_file_is_named_and_not_created(tmp_path: Path, sql: Sql) -> None:
    assert f"there is no database file {tmp_path / 'none.db'}" in fails(ServiceError, lambda: sql("none.db"))
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_is_no_database(tmp_path: Path, sql: Sql) -> None:
    (tmp_path / "no.db").write_text("hello" * 1000)
    assert "file is not a database" in fails(InputError, lambda: sql("no.db"))


@pytest.mark.parametrize(
    ("url", "kind", "told"),
    [
        ("mysql+pymysql://joe:s3cret@127.0.0.1:1/x", ServiceError, "mysql+pymysql://127.0.0.1:1/x) cannot be reached"),
        ("nosuch://joe:s3cret@h/x", ConfigError, "cannot be used"),
        ("postgresql+psycopg2://joe:s3cret@h/x", ConfigError, "the driver for postgresql+psycopg2 is not installed"),
        ("s3cret", ConfigError, "the url of source 'fleet' is not a database URL"),
        ("mysql://joe:s3cret@h:port/x", ConfigError, "is not a database URL"),
    ],
)
def test_databases_out_of_reach_are_named_without_the_password(
    sql: Sql, url: str, kind: type[AnomscanError], told: str
) -> None:
    text = fails(kind, lambda: sql(url=url))
    assert told in text
    assert "s3cret" not in text
