"""A fleet of which some assets are bad in every way: the others are exact, and the bad ones are named, once."""

from __future__ import annotations

import csv
import json
import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from anomscan.store.store import Store
from servers.mariadb import MariaDb
from servers.rest_faults import Call, Reply, serving

pytestmark = pytest.mark.slow

ASSETS, BAD, SAMPLES = 1000, 50, 12
START = datetime(2024, 3, 1)
STEP = timedelta(minutes=10)
COMMON = """cadence = "10min"
timezone = "UTC"
missing = ["-9999"]
plausible = { v = [-1.0, 50.0] }
earliest = "2010-01-01"
"""
SOURCES = {
    "files": """kind = "files"
path = "telemetry.csv"
columns = { asset = "asset", timestamp = "t", values = ["v"], health = "health" }
""",
    "sql": """kind = "sql"
url = "sqlite:///telemetry.db"
query = "SELECT * FROM pr WHERE t >= :start AND t <= :end AND (:asset IS NULL OR asset = :asset) ORDER BY asset, rowid"
columns = { asset = "asset", timestamp = "t", values = ["v"], health = "health" }
""",
    "mariadb": """kind = "sql"
url = "URL"
query = "SELECT * FROM pr WHERE t >= :start AND t <= :end AND (:asset IS NULL OR asset = :asset) ORDER BY asset, id"
columns = { asset = "asset", timestamp = "t", values = ["v"], health = "health" }
""",
    "rest": """kind = "rest"
url = "URL/api/{asset}"
key = ""
assets_url = "URL/list"
concurrency = 16
columns = { timestamp = "t", values = ["v"], health = "health" }
""",
}

#: asset, timestamp, value, health, as a service or a file has them.
Row = tuple[str, str, Any, str]
#: What is stored of an asset: value and health by timestamp.
Content = dict[str, tuple[float | None, str]]
#: The ways to be bad; what each of them does to good rows, see :func:`spoilt`.
WAYS = 15
#: Of which no record can be used, and where: REST asks for each asset alone, and says so.
FAILING = {"files": {7}, "sql": {7}, "mariadb": {7}, "rest": {4, 7}}
#: What is left out or warned of without being a failure.
LEFT_OUT = {12, 13, 14}


def stamp(step: float, seconds: int = 0) -> str:
    return (START + step * STEP + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def good(asset: str, number: int, samples: int) -> list[Row]:
    return [(asset, stamp(n), (number * 7 + n) % 23 / 8, ("Ok", "Unknown")[n % 5 == 3]) for n in range(samples)]


def spoilt(way: int, rows: list[Row]) -> tuple[list[Row], list[int]]:
    """The rows of a bad asset, and which of the good ones are stored."""
    asset, _, value, health = rows[4]
    every = list(range(len(rows)))
    but_one = [n for n in every if n != 4]
    text = "I/O Timeout"

    def with_fifth(*changed: Any) -> list[Row]:
        return [row if n != 4 else (asset, row[1], *changed) for n, row in enumerate(rows)]

    return {
        0: ([*rows, (asset, stamp(2, 4), 9.0, "Ok")], every),
        1: ([*rows, (asset, rows[4][1], value + 1, health)], but_one),
        2: ([*rows, (asset, rows[4][1], value, "Other")], but_one),
        3: (with_fifth(text, health), but_one),
        4: ([(*row[:2], text, row[3]) for row in rows] * 4, []),
        5: ([(asset, "2024-03-01T99:00:00Z", 1.0, "Ok"), *rows], every),
        6: ([(asset, stamp(-3, 67), 1.0, "Ok"), *rows], every),
        7: ([(asset, stamp(n * 0.3), 1.0, "Ok") for n in range(60)], []),
        8: ([*rows, (asset, stamp(30), "1e400", "Ok"), (asset, "99999-01-01", 1.0, "Ok")], every),
        9: ([(asset, stamp(n, 1 + n), 5.0, "Ok") for n in range(3)] + rows, every),
        10: (with_fifth("-9999", health), every),
        11: (with_fifth(99.0, health), every),
        12: ([(asset, "1970-01-01T00:00:00Z", 1.0, "Ok"), *rows], every),
        13: ([*rows, (asset, "2100-01-01T00:00:00Z", 1.0, "Ok")], every),
        14: ([(*row[:2], f" {row[2]} ", f"{row[3]} ") for row in rows] + good(asset.upper(), 1, 1), every),
    }[way]


def fleet(samples: int) -> tuple[list[Row], dict[str, Content]]:
    """All rows, those of the bad assets first, and what is stored of them."""
    rows: list[Row] = []
    stored: dict[str, Content] = {}
    for number in range(ASSETS):
        asset = f"{'bad' if number < BAD else 'fine'}-{number:04}"
        own = good(asset, number, samples)
        kept = list(range(samples))
        if number < BAD:
            # The bad rows of a night are those of the night before.
            way = number % WAYS
            extra, kept = spoilt(way, own[:SAMPLES])
            rows += extra + own[SAMPLES:] if kept else extra
            kept += range(SAMPLES, samples) if kept else ()
            if way in (10, 11):
                own[4] = (asset, own[4][1], None, own[4][3])
            if way == 14:
                stored[asset.upper()] = {row[1]: row[2:] for row in good(asset.upper(), 1, 1)}
        else:
            rows += own
        if kept:
            stored[asset] = {own[n][1]: own[n][2:] for n in kept}
    return rows, stored


def bad(*ways: int) -> set[str]:
    """The assets that are bad in one of these ways."""
    return {f"bad-{number:04}" for number in range(BAD) if number % WAYS in ways}


def contents(store: Store) -> dict[str, Content]:
    found: dict[str, Content] = {}
    for series in (series for chunk in store.snapshot("fleet").stream() for series in chunk):
        times = [f"{str(moment)[:19]}Z" for moment in series.timestamps]
        values = [None if math.isnan(value) else value for value in series.values[:, 0].tolist()]
        found[series.asset] = {
            time: (value, str(series.health(n))) for n, (time, value) in enumerate(zip(times, values, strict=True))
        }
    return found


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[MariaDb | None]:
    """A server for the source that needs one."""
    if request.node.callspec.params["kind"] != "mariadb":
        yield None
        return
    with MariaDb() as server:
        server.run("CREATE DATABASE fleet", "CREATE USER reader@'%'", "GRANT SELECT ON fleet.* TO reader@'%'")
        yield server


@pytest.fixture
def served() -> Iterator[tuple[str, dict[str, list[Row]]]]:
    rows: dict[str, list[Row]] = {}

    def answer(call: Call) -> Reply:
        if call.parts[0] == "list":
            return Reply(body=list(rows))
        return Reply(body=[dict(zip(("t", "v", "health"), row[1:], strict=True)) for row in rows[call.parts[1]]])

    with serving(answer) as service:
        yield service.url, rows


def provide(
    kind: str, folder: Path, rows: list[Row], behind: dict[str, list[Row]], server: MariaDb | None = None
) -> None:
    if kind == "files":
        with (folder / "telemetry.csv").open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(("asset", "t", "v", "health"))
            writer.writerows(rows)
    elif kind == "sql":
        (folder / "telemetry.db").unlink(missing_ok=True)
        with closing(sqlite3.connect(folder / "telemetry.db")) as database, database:
            database.execute("CREATE TABLE pr (asset TEXT, t TEXT, v, health TEXT)")
            database.executemany("INSERT INTO pr VALUES (?, ?, ?, ?)", rows)
    elif server is not None:
        with server.connect("fleet") as connection, connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS pr")
            cursor.execute(
                "CREATE TABLE pr (id INT AUTO_INCREMENT PRIMARY KEY, asset TEXT, t VARCHAR(30), v TEXT, health TEXT)"
            )
            cursor.executemany("INSERT INTO pr (asset, t, v, health) VALUES (%s, %s, %s, %s)", rows)
    else:
        behind.clear()
        for row in rows:
            behind.setdefault(row[0], []).append(row)


@pytest.mark.parametrize("kind", ["files", "sql", "rest", pytest.param("mariadb", marks=pytest.mark.servers)])
def test_950_are_exact_and_the_rest_is_named_once(
    kind: str,
    place: Callable[..., tuple[int, str, str]],
    served: tuple[str, dict[str, list[Row]]],
    database: MariaDb | None,
) -> None:
    url, behind = served
    url = url if database is None else database.url()
    folder: Path = place.folder  # type: ignore[attr-defined]
    (folder / "anomscan.toml").write_text(f"[sources.fleet]\n{SOURCES[kind].replace('URL', url)}{COMMON}")
    rejects = folder / "anomscan-data" / "fleet.rejects.jsonl"
    failing = bad(*FAILING[kind])

    rows, stored = fleet(SAMPLES)
    provide(kind, folder, rows, behind, database)
    code, _, said = place("fetch")
    assert code == 4, said
    assert contents(Store.open(folder / "anomscan-data")) == stored
    named = {json.loads(line)["row"]["asset"] for line in rejects.read_text("utf-8").splitlines()}
    # A word for a missing value is no fault.
    assert named | failing == bad(*range(WAYS)) - bad(10, *LEFT_OUT)
    assert all(f"asset '{asset}'" in said for asset in failing)
    assert f"{len(failing)} assets failed" in said
    assert "ids that differ only in case" in said

    before = rejects.read_bytes()
    rows, stored = fleet(SAMPLES + 1)
    provide(kind, folder, rows, behind, database)
    code, _, said = place("fetch")
    assert contents(Store.open(folder / "anomscan-data")) == stored
    assert rejects.read_bytes() == before
    assert "rows rejected again as before" in said
    assert code == 4  # for the assets that failed again
    assert f"{len(failing)} assets failed" in said

    # Once these are gone, the old rejects raise nothing.
    rows = [row for row in rows if row[0] not in failing]
    provide(kind, folder, rows, behind, database)
    code, _, said = place("fetch")
    assert code == 0, said
    assert rejects.read_bytes() == before
