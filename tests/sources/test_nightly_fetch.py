"""Thirty nights of fetching a bit more come to the same as fetching everything once."""

from __future__ import annotations

import datetime as dt
import math
import random
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from pydantic import SecretStr

from anomscan.config import Columns, SqlSource
from anomscan.jobs.fetch.fetching import fetch_into
from anomscan.jobs.fetch.requests import resumed
from anomscan.sources.base import Request
from anomscan.sources.registry import build
from anomscan.store.store import Store
from anomscan.telemetry.cadence import parse_duration

START = dt.date(2020, 1, 1)
NIGHTS = 30
LATE = parse_duration("3d")
WITH_ASSET = "SELECT id, day, v FROM t WHERE day >= :start AND day <= :end AND (:asset IS NULL OR id = :asset)"
WITHOUT_ASSET = "SELECT id, day, v FROM t WHERE day >= :start AND day <= :end"


class Database:
    """A table that grows by a day a night; values of the last three days may change."""

    def __init__(self, path, seed):
        self.path = path
        self.dice = random.Random(seed)
        self.truth = {}
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE t (id TEXT, day TEXT, v REAL, PRIMARY KEY (id, day))")

    def night(self, number):
        """What is in the table in the night after day ``number``."""
        for asset in ["steady", "dies", "late", "new"]:
            if asset == "dies" and number > 10:
                continue
            if asset == "new" and number < 15:
                continue
            days = [number] if asset != "late" else [number - 2]
            if asset == "new" and number == 15:
                days = list(range(16))  # its whole history comes at once
            for day in days:
                if day >= 0:
                    self.truth[asset, START + dt.timedelta(days=day)] = self.value()
        recent = START + dt.timedelta(days=number - 3)
        for key in [key for key in self.truth if key[1] >= recent]:
            if self.dice.random() < 0.2:
                self.truth[key] = self.value()
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("DELETE FROM t")
            connection.executemany(
                "INSERT INTO t VALUES (?, ?, ?)", [(a, str(d), v) for (a, d), v in self.truth.items()]
            )

    def value(self):
        return None if self.dice.random() < 0.05 else self.dice.random()


def source(path, query):
    columns = Columns(asset="id", timestamp="day", values=("v",))
    settings = SqlSource(kind="sql", url=SecretStr(f"sqlite:///{path}"), query=query, cadence="1D", columns=columns)
    return build("db", settings)


def fetched(store, origin, number, *, resume=True):
    now = np.datetime64(START + dt.timedelta(days=number + 1), "us") + np.timedelta64(3, "h")
    request = resumed(Request(), store, "db", LATE) if resume else Request()
    return fetch_into(store, origin, request, now=now, late=LATE)


def content(store, as_of=None):
    known = {}
    for chunk in store.snapshot("db").stream(as_of=as_of):
        for series in chunk:
            for day, value in zip(series.timestamps.astype("datetime64[D]").tolist(), series.values[:, 0], strict=True):
                known[series.asset, day] = None if math.isnan(value) else value
    return known


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_thirty_nights_are_one_run_and_each_night_is_remembered(tmp_path, seed):
    database = Database(tmp_path / "t.db", seed)
    origin = source(database.path, WITH_ASSET)
    store = Store.create(tmp_path / "nightly")
    knowledge = []
    for number in range(NIGHTS):
        database.night(number)
        fetched(store, origin, number)
        knowledge.append(dict(database.truth))
        again = fetched(store, origin, number)
        assert (again.new, again.revised) == (0, 0)
    once = Store.create(tmp_path / "once")
    fetched(once, origin, NIGHTS, resume=False)
    assert content(store) == content(once) == database.truth
    for number in range(NIGHTS):
        as_of = np.datetime64(START + dt.timedelta(days=number + 1), "us") + np.timedelta64(12, "h")
        assert content(store, as_of) == knowledge[number]
    report = fetched(store, origin, NIGHTS - 1)
    assert [asset for asset, _ in report.silent] == ["dies"]


@pytest.mark.slow
def test_a_query_without_asset_says_what_it_could_not_ask_for(tmp_path):
    database = Database(tmp_path / "t.db", 0)
    origin = source(database.path, WITHOUT_ASSET)
    store = Store.create(tmp_path / "store")
    warnings = []
    for number in range(NIGHTS):
        database.night(number)
        warnings += fetched(store, origin, number).warnings
    assert sum("1 new asset ('new')" in warning for warning in warnings) == 1
    known = content(store)
    assert {key: value for key, value in known.items() if key[0] != "new"} == {
        key: value for key, value in database.truth.items() if key[0] != "new"
    }


def test_a_row_that_cannot_be_used_is_kept_aside_and_the_others_go_on(tmp_path):
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (id TEXT, day TEXT, v TEXT)")
        rows = [("a", str(START + dt.timedelta(days=n)), "0.5") for n in range(20)]
        rows[7] = ("a", rows[7][1], "broken")
        rows[11] = (None, rows[11][1], "0.5")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    store = Store.create(tmp_path / "store")
    report = fetched(store, source(path, WITH_ASSET), 100)
    assert (report.new, len(report.rejects)) == (18, 2)
    assert "broken" in report.rejects[0].reason
    assert report.rejects_file is not None
    kept = report.rejects_file.read_text()
    assert '"v": "broken"' in kept
    assert len(kept.splitlines()) == 2
    fetched(store, source(path, WITH_ASSET), 100)
    assert report.rejects_file.read_text() == kept
