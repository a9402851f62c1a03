"""The check-up says what it found of each source, and its code says whether all is well."""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing

import pytest

from servers.mariadb import MariaDb

YESTERDAY = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
QUERY = "SELECT id, day, v FROM t WHERE day BETWEEN :start AND :end AND (:asset IS NULL OR id = :asset)"
SQL = f"""
[sources.db]
kind = "sql"
query = "{QUERY}"
cadence = "1D"
columns = {{ asset = "id", timestamp = "day", values = ["v"] }}
"""


def test_all_is_well(fetched):
    fetched.write("scores.csv", "asset,timestamp,score\na,2016-01-01,1\n")
    code, out, err = fetched("doctor")
    assert (code, err) == (0, "")
    assert "source fleet: settings: cadence 1D, variables prt7" in out
    assert f"0 rows of 0 assets for {YESTERDAY}" in out
    assert "store: fleet: 2 assets, the newest sample from 2016-04-29" in out
    assert "no model yet" in out
    assert "detectors: kernel: " in out
    assert "FAIL" not in out


def test_what_is_wrong_with_the_data_is_2(fetched):
    fetched.write("telemetry.csv", "asset_id,date,prt\na,2016-01-01,1\n")
    code, out, _ = fetched("doctor")
    assert code == 2
    assert "FAIL source fleet: query:" in out
    assert "did you mean 'prt'" in out


def test_a_row_that_cannot_be_used_is_told(place):
    with closing(sqlite3.connect(place.folder / "t.db")) as connection, connection:
        connection.execute("CREATE TABLE t (id TEXT, day TEXT, v TEXT)")
        connection.executemany("INSERT INTO t VALUES ('a', ?, ?)", [(str(YESTERDAY), "1"), (str(YESTERDAY), "one")])
    place.write("anomscan.toml", SQL + 'url = "sqlite:///t.db"\n')
    code, out, _ = place("doctor")
    assert code == 2
    assert f"1 row of 1 asset for {YESTERDAY}" in out
    assert "1 cannot be used, the first:" in out


def test_a_source_that_cannot_be_reached_is_5_and_the_others_are_looked_at(place):
    place.telemetry([["a", YESTERDAY, 0.5, "Ok"]])
    settings = (place.folder / "anomscan.toml").read_text()
    place.write("anomscan.toml", settings + SQL + 'url = "mysql+pymysql://u:hunter2@127.0.0.1:9/d"\n')
    place.scores([["a", YESTERDAY, 1]])
    code, out, err = place("doctor")
    assert code == 5
    assert f"1 row of 1 asset for {YESTERDAY}" in out
    assert "FAIL source db: query:" in out
    assert "hunter2" not in out + err


@pytest.mark.servers
def test_a_database_server_tells_its_version_encryption_and_clock(place):
    with MariaDb() as server:
        server.run(
            "CREATE DATABASE fleet",
            "CREATE USER reader",
            "GRANT SELECT ON fleet.* TO reader",
            "CREATE TABLE fleet.t (id VARCHAR(9), day DATE, v DOUBLE)",
            f"INSERT INTO fleet.t VALUES ('a', '{YESTERDAY}', 0.5), ('b', '{YESTERDAY}', NULL)",
        )
        place.write("anomscan.toml", SQL + f'url = "{server.url()}"\n')
        code, out, _ = place("doctor", "--source", "db")
    assert code == 0
    assert "server: " in out
    assert "encryption: none, the connection is in clear text" in out
    assert "clock: agrees with ours" in out
    assert f"2 rows of 2 assets for {YESTERDAY}" in out


def test_a_first_fetch_that_failed_hides_nothing(place):
    place.write("anomscan.toml", SQL + 'url = "mysql://reader:s3cret@127.0.0.1:1/fleet"\n')
    assert place("fetch")[0] == 5
    code, out, err = place("doctor")
    assert code == 5
    assert "FAIL source db: query:" in out
    assert "is still empty; run anomscan fetch" in out
    assert "s3cret" not in out + err
