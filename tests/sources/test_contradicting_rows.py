"""Rows that cannot all be right, from every kind of source: put aside, or settled as the settings say."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from anomscan.config import Columns, FilesSource, RestSource, SourceSettings, SqlSource
from anomscan.errors import InputError
from anomscan.jobs.fetch.fetch_report import FetchReport
from anomscan.jobs.fetch.fetching import fetch_into
from anomscan.jobs.fetch.requests import rules_of
from anomscan.sources.base import Request
from anomscan.sources.registry import build
from anomscan.store.store import Store
from servers.rest_faults import Call, Reply, serving

NOW = np.datetime64("2024-03-09", "us")
COLUMNS = Columns(asset="asset", timestamp="t", values=("v",))
QUERY = "SELECT asset, t, v FROM pr WHERE t >= :start AND t <= :end ORDER BY rowid"

#: B has a sample off the grid and one with two values; the others have neither.
ROWS = [(asset, f"2024-03-01T00:{10 * n:02}:00Z", float(n)) for asset in "ABC" for n in range(6)]
ODD = [("B", "2024-03-01T00:30:04Z", 9.0), ("B", "2024-03-01T00:50:00Z", 7.0)]

Fetch = Callable[..., FetchReport]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture(params=["files", "sql", "rest"])
def fetch(request: pytest.FixtureRequest, tmp_path: Path, store: Store) -> Iterator[Fetch]:
    """Fetch rows from a source of some kind."""
    rows: list[tuple[str, str, float]] = []

    def answer(call: Call) -> Reply:
        own = [{"t": t, "v": v} for asset, t, v in rows if asset == call.parts[-1]]
        return Reply(body=own)

    def run(given: list[tuple[str, str, float]], **keys: Any) -> FetchReport:
        rows[:] = given
        common = {"cadence": "10min", "columns": COLUMNS, "timezone": "UTC", **keys}
        settings: SourceSettings
        if request.param == "files":
            lines = [f"{asset},{t},{v}" for asset, t, v in given]
            (tmp_path / "t.csv").write_text("\n".join(["asset,t,v", *lines]) + "\n")
            settings = FilesSource(kind="files", path=tmp_path / "t.csv", **common)
        elif request.param == "sql":
            (tmp_path / "t.db").unlink(missing_ok=True)
            with closing(sqlite3.connect(tmp_path / "t.db")) as database, database:
                database.execute("CREATE TABLE pr (asset TEXT, t TEXT, v REAL)")
                database.executemany("INSERT INTO pr VALUES (?, ?, ?)", given)
            settings = SqlSource(kind="sql", url=f"sqlite:///{tmp_path / 't.db'}", query=QUERY, **common)
        else:
            columns = Columns(timestamp="t", values=("v",))
            url, assets = f"{service.url}/api/{{asset}}", ("A", "B", "C")
            settings = RestSource(kind="rest", url=url, key="", assets=assets, **common | {"columns": columns})
        return fetch_into(store, build("s", settings), Request(), now=NOW, rules=rules_of(settings))

    with serving(answer) as service:
        yield run


def values(store: Store, asset: str) -> dict[str, float]:
    series = store.read("s", asset)
    return {str(t)[11:19]: v for t, v in zip(series.timestamps, series.values[:, 0].tolist(), strict=True)}


def test_an_odd_row_is_put_aside_and_is_news_once(fetch: Fetch, store: Store) -> None:
    report = fetch(ROWS + ODD)
    assert (report.assets, report.new, len(report.rejects), report.new_rejects) == (3, 17, 3, 3)
    assert list(values(store, "B")) == ["00:00:00", "00:10:00", "00:20:00", "00:30:00", "00:40:00"]
    assert len(values(store, "A")) == len(values(store, "C")) == 6
    assert report.rejects_file is not None
    kept = report.rejects_file.read_text()
    assert '"timestamp": "2024-03-01T00:30:04Z", "v": "9.0"' in kept
    assert "is not a whole number of steps of 10min from its sample at 2024-03-01T00:00:00Z" in kept
    assert "contradicting rows of asset 'B' at 2024-03-01T00:50:00Z: v 5.0 and 7.0" in kept
    again = fetch(ROWS + ODD)
    assert (again.unchanged, len(again.rejects), again.new_rejects) == (17, 3, 0)
    corrected = fetch(ROWS)
    assert (corrected.new, corrected.unchanged, corrected.rejects) == (1, 17, ())


@pytest.mark.parametrize(("how", "value"), [("first", 5.0), ("last", 7.0), ("mean", 6.0)])
def test_they_can_be_settled(fetch: Fetch, store: Store, how: str, value: float) -> None:
    report = fetch(ROWS + ODD, duplicates=how, align="nearest", align_tolerance="5s")
    assert (report.new, report.rejects) == (18, ())
    assert values(store, "B")["00:50:00"] == value
    assert values(store, "B")["00:30:00"] == {"first": 3.0, "last": 9.0, "mean": 6.0}[how]


def test_an_asset_that_keeps_no_grid_fails_alone(fetch: Fetch, store: Store) -> None:
    odd = [("B", f"2024-03-01T{n // 20:02}:{3 * (n % 20):02}:00Z", 1.0) for n in range(40)]
    report = fetch([row for row in ROWS if row[0] != "B"] + odd)
    assert [failure.asset for failure in report.failures] == ["B"]
    assert report.failures[0].error.exit_code == 4
    assert (report.new, store.assets("s")) == (12, ["A", "C"])


def test_a_cadence_that_no_asset_keeps_is_refused(fetch: Fetch, store: Store) -> None:
    with pytest.raises(InputError, match=r"steps of 1h .*declare the cadence"):
        fetch(ROWS, cadence="1h")
    assert store.sources() == []


def test_the_newest_file_wins(tmp_path: Path, store: Store) -> None:
    (tmp_path / "d").mkdir()
    for age, (name, value) in enumerate([("z", 3.0), ("a", 2.0), ("m", 1.0)]):
        path = tmp_path / "d" / f"{name}.csv"
        path.write_text(f"asset,t,v\nA,2024-03-01,{value}\nA,2024-03-0{age + 2},5\n")
        os.utime(path, ns=(10**18, 10**18 - age * 10**9))
    for how, value in {"newest-file": 3.0, "first": 2.0, "last": 3.0, "mean": 2.0}.items():
        settings = FilesSource(kind="files", path=tmp_path / "d", cadence="1D", columns=COLUMNS, duplicates=how)
        place = Store.create(tmp_path / how)
        fetch_into(place, build("s", settings), Request(), now=NOW, rules=rules_of(settings))
        assert place.read("s", "A").values[:, 0].tolist() == [value, 5, 5, 5]
    os.utime(tmp_path / "d" / "m.csv", ns=(2 * 10**18, 2 * 10**18))
    settings = FilesSource(kind="files", path=tmp_path / "d", cadence="1D", columns=COLUMNS, duplicates="newest-file")
    fetch_into(store, build("s", settings), Request(), now=NOW, rules=rules_of(settings))
    assert store.read("s", "A").values[0, 0] == 1.0


def test_a_tolerance_of_half_a_step_is_refused() -> None:
    keys = {"kind": "files", "path": "t.csv", "cadence": "1min", "columns": COLUMNS}
    with pytest.raises(ValidationError, match="align_tolerance 30s is not less than half of the cadence 1min"):
        FilesSource(**keys, align="nearest")
    assert FilesSource(**keys, align="nearest", align_tolerance="29s").tolerance_us == 29_000_000
    assert FilesSource(**keys).tolerance_us == 0


def test_a_reject_says_where_its_row_stood(fetch: Fetch, tmp_path: Path) -> None:
    report = fetch([*ROWS, *ODD], duplicates="reject")
    places = [reason.partition(": asset")[0].partition(": contradicting")[0] for reason in reasons(report)]
    files = [f"{tmp_path / 't.csv'} line {line}" for line in (13, 20, 21)]
    query = [f"row {row} of the query of source 's'" for row in (12, 19, 20)]
    records = [f"record {record}" for record in (6, 7, 8)]
    assert sorted(places) in [sorted(files), sorted(query), sorted(records)]


def reasons(report: FetchReport) -> list[str]:
    return [reject.reason for reject in report.rejects]


def test_an_asset_that_jitters_is_told_how_to_take_it(fetch: Fetch) -> None:
    jittering = [("C", f"2024-03-01T{n:02}:00:{n % 5:02}Z", 1.0) for n in range(20)]
    report = fetch([*ROWS[:12], *jittering])
    (failure,) = report.failures
    assert failure.error.hint == 'align = "nearest" with align_tolerance = "4s" takes them'
    assert fetch([*ROWS[:12], *jittering], align="nearest", align_tolerance="4s").failures == ()
