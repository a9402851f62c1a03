"""A list of assets that a query gives: in the store after a fetch, and told where it cannot be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from anomscan.store.asset_list import read_asset_list

CONFIG = """
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7"], health = "health_status" }
[sources.database]
kind = "sql"
url = "sqlite:///sites.db"
query = "SELECT 1 AS a, 2 AS t, 3 AS v WHERE :start <= :end"
cadence = "1D"
columns = { asset = "a", timestamp = "t", values = ["v"] }
[defaults]
source = "fleet"
[assets]
source = "database"
query = "SELECT * FROM sites"
columns = { asset = "id", cohort = "region", capacity = "kwp", retired = "until" }
"""


@pytest.fixture
def fleet(place):
    place.write("anomscan.toml", CONFIG)
    place.telemetry([["A1", "2024-01-01", 0.8, "Ok"], ["A2", "2024-01-01", 0.7, "Ok"]])
    with closing(sqlite3.connect(place.folder / "sites.db")) as database, database:
        database.execute("CREATE TABLE sites (id TEXT, region TEXT, kwp REAL, until TEXT)")
        database.execute("INSERT INTO sites VALUES ('A1', 'Süd', 9.5, NULL), (' A2 ', '', NULL, '2024-05-31')")
    return place


def test_a_query_says_who_the_assets_are(fleet):
    fleet.good("fetch")
    listed = read_asset_list(fleet.folder / "anomscan-data/fleet")
    assert listed == {"A1": {"cohort": "Süd", "capacity": "9.5"}, "A2": {"retired": "2024-05-31"}}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"SELECT * FROM sites"', '"SELECT id FROM sites"', "has no column 'region'"),
        ('"SELECT * FROM sites"', '"SELECT * FROM nowhere"', "the query of [assets] fails"),
        ('"SELECT * FROM sites"', '"SELECT * FROM sites WHERE id = :asset"', "has a parameter :asset"),
        ('"SELECT * FROM sites"', '"DELETE FROM sites WHERE FALSE"', "gives no rows back"),
        ('"SELECT * FROM sites"', '"SELECT * FROM sites WHERE FALSE"', "names no asset"),
        ('retired = "until"', 'retired = "region"', "'Süd' is not a date"),
        ('[assets]\nsource = "database"', '[assets]\nsource = "fleet"', "which is not a database"),
        ('[assets]\nsource = "database"', '[assets]\nsource = "other"', "there is no source 'other'"),
        ('[assets]\nsource = "database"', "[assets]", "needs a source and a query together"),
        ('[assets]\nsource = "database"', '[assets]\npath = "a.csv"\nsource = "database"', "a path and a query"),
    ],
)
def test_a_query_that_cannot_be_read_is_told_before_the_work(fleet, old, new, told):
    assert old in CONFIG
    fleet.write("anomscan.toml", CONFIG.replace(old, new))
    code, _, err = fleet("fetch")
    assert code == 2
    assert told in err
    assert "Traceback" not in err
    assert not (fleet.folder / "anomscan-data/fleet/manifest.json").exists()
