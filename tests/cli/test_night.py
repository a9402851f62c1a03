"""One command for each night: fetch, scan of what is new, ledger, report."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from anomscan.errors import OutputError
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.storage import lock
from cli.conftest import YESTERDAY


@pytest.fixture
def fleet(nightly):
    return nightly


def results_of(place):
    (path,) = (place.folder / "nights").glob("*.jsonl")
    return {record["asset"]: record for record in map(json.loads, path.read_text("utf-8").splitlines())}


def test_a_night_fetches_scans_what_is_new_remembers_and_reports(fleet):
    fleet.until(21)
    code, _, err = fleet("night", "--fail-on", "new")
    assert code == 4, err  # its newest sample is three weeks old
    assert "source 'fleet' is stale" in err
    fleet.until(0)
    code, _, err = fleet("night", "--fail-on", "new")
    assert code == 3, err
    assert "ledger: 1 new" in err
    record = results_of(fleet)["S3"]
    assert record["from"] == str(YESTERDAY - dt.timedelta(days=21))
    assert record["to"] == str(YESTERDAY)
    (incident,) = record["incidents"]
    assert incident["since"] == str(YESTERDAY - dt.timedelta(days=19))
    assert len(incident["id"]) == 12
    index = (fleet.folder / "nights/report/index.html").read_text("utf-8")
    assert "S3" in index
    (listed,) = json.loads(fleet.good("incidents", "list", "--json"))
    assert (listed["id"], listed["state"]) == (incident["id"], "new")


def test_the_same_night_again_tells_the_same(fleet):
    fleet.until(0)
    first, _, err = fleet("night")
    assert first == 0, err
    before = results_of(fleet)["S3"]["incidents"]
    ledger = fleet.good("incidents", "list", "--json")
    assert fleet("night")[0] == 0
    assert results_of(fleet)["S3"]["incidents"] == before
    assert fleet.good("incidents", "list", "--json") == ledger


def is_a_night_of_stale_data(fleet) -> None:
    """It cannot fetch, and judges what the store has."""
    code, _, err = fleet("night", "--fail-on", "stale")
    assert code == 5, err
    assert err.count("error: fetch: ") == err.count("error: ") == 1
    assert "warning: source 'fleet' is stale" in err
    assert "6 assets" in err
    assert results_of(fleet)["S3"]["incidents"]
    assert "S3" in (fleet.folder / "nights/report/index.html").read_text("utf-8")
    assert [each["asset"] for each in json.loads(fleet.good("incidents", "list", "--json"))] == ["S3"]


@pytest.mark.parametrize("is_gone", ["file", "folder", "share", "pattern"])
def test_files_that_are_gone_still_yield_a_night(fleet, is_gone):
    fleet.until(0)
    folder = fleet.folder / "share"
    folder.mkdir()
    shutil.move(fleet.folder / "telemetry.csv", folder / "telemetry.csv")
    path = {"file": "share/telemetry.csv", "pattern": "share/*.csv"}.get(is_gone, "share")
    config = fleet.folder / "anomscan.toml"
    config.write_text(config.read_text().replace("telemetry.csv", path))
    fleet.good("night")
    if is_gone == "share":
        shutil.rmtree(folder)
    else:
        (folder / "telemetry.csv").unlink()
    is_a_night_of_stale_data(fleet)


def test_a_database_that_is_down_still_yields_a_night(fleet):
    fleet.until(0)
    rows = [line.split(",") for line in (fleet.folder / "telemetry.csv").read_text().splitlines()[1:]]
    with closing(sqlite3.connect(fleet.folder / "fleet.db")) as database, database:
        database.execute("CREATE TABLE t (asset_id TEXT, date TEXT, prt7 REAL, health_status TEXT)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
    config = fleet.folder / "anomscan.toml"
    source = 'kind = "sql"\nurl = "sqlite:///fleet.db"\nquery = "SELECT * FROM t WHERE date BETWEEN :start AND :end"'
    text = config.read_text().replace('kind = "files"\npath = "telemetry.csv"', source)
    config.write_text(text)
    fleet.good("night")
    (fleet.folder / "fleet.db").unlink()
    is_a_night_of_stale_data(fleet)
    config.write_text(text.replace("sqlite:///fleet.db", "mysql://reader@127.0.0.1:9/fleet"))
    is_a_night_of_stale_data(fleet)


def test_an_api_that_is_down_still_yields_a_night(fleet):
    fleet.until(0)
    fleet.good("night")
    config = fleet.folder / "anomscan.toml"
    source = 'kind = "rest"\nurl = "http://127.0.0.1:9/{asset}?from={start}"\ndeadline_s = 0.5\nassets = ["S3"]'
    text = config.read_text().replace('kind = "files"\npath = "telemetry.csv"', source)
    config.write_text(text.replace('asset = "asset_id", ', ""))
    is_a_night_of_stale_data(fleet)


def test_files_that_never_were_there_are_a_matter_of_settings(fleet):
    fleet.until(0)
    (fleet.folder / "telemetry.csv").unlink()
    code, _, err = fleet("night")
    assert code == 2
    assert "fetch: there is no file " in err


def test_two_nights_do_not_run_at_once(fleet):
    fleet.until(0)
    (fleet.folder / "nights").mkdir()
    with lock.hold(fleet.folder / "nights/night.lock", "the test"):
        code, _, err = fleet("night")
    assert code == 6
    assert "nights" in err
    assert not list((fleet.folder / "nights").glob("*.jsonl"))


def test_without_anything_in_the_store_both_steps_fail(fleet):
    code, _, err = fleet("night")
    assert code == 2
    assert "fetch: " in err
    assert "scan: " in err


def test_wrong_settings_are_told_before_the_work(fleet):
    fleet.until(0)
    assert fleet("night", "--detector", "none")[0] == 2
    assert fleet("night", "--fail-on", "sometimes")[0] == 2
    assert not (fleet.folder / "nights").exists()


def test_a_report_that_cannot_be_written_leaves_the_rest_of_the_night(fleet):
    fleet.until(0)
    (fleet.folder / "nights").mkdir()
    (fleet.folder / "nights/report").write_text("in the way")
    code, _, err = fleet("night")
    assert code == 7
    assert "report: " in err
    assert "scan: " not in err
    assert results_of(fleet)["S3"]["incidents"]
    assert json.loads(fleet.good("incidents", "list", "--json"))


def test_a_ledger_that_cannot_be_written_leaves_results_and_report(fleet, monkeypatch):
    def full(self, ledger):
        raise OutputError("incidents/ledger.jsonl cannot be written: No space left on device")

    fleet.until(0)
    with monkeypatch.context() as patched:
        patched.setattr(LedgerFile, "write", full)
        code, _, err = fleet("night")
    assert code == 7
    assert "ledger: incidents/ledger.jsonl cannot be written" in err
    (incident,) = results_of(fleet)["S3"]["incidents"]
    assert incident["id"] is None
    assert "S3" in (fleet.folder / "nights/report/index.html").read_text("utf-8")
    assert not list((fleet.folder / "nights").glob("*.parts"))
    # The night after it makes up for it.
    assert fleet("night")[0] == 0
    assert results_of(fleet)["S3"]["incidents"][0]["id"]


def test_a_list_of_assets_that_is_gone_leaves_the_scan(fleet):
    fleet.until(0)
    fleet.table("assets.csv", ["asset"], [["S1"], ["S3"]])
    config = fleet.folder / "anomscan.toml"
    config.write_text(config.read_text() + '[assets]\npath = "assets.csv"\ncolumns = { asset = "asset" }\n')
    assert fleet("night")[0] == 0
    (fleet.folder / "assets.csv").unlink()
    code, _, err = fleet("night")
    assert code == 2
    assert "fetch: " in err
    assert "assets.csv" in err
    assert results_of(fleet)["S3"]["incidents"]
