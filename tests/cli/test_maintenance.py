"""Planned outages, as a user meets them: judged and marked, and no incident."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from cli.conftest import CONFIG, DAY, START, calm

DAYS = 150
SCAN = ("scan", "--all", "--ledger")


def day(number: int) -> str:
    return str(START + number * DAY)


def maintenance(first: int, last: int, of: str = 'assets = ["b", "c"]') -> str:
    return f'\n[[maintenance]]\n{of}\nfrom = "{day(first)}"\nto = {day(last)}\nreason = "inverter swap"\n'


@pytest.fixture
def fleet(place):
    """Three calm assets; ``b`` scores high on the days 100 and 104, and ``c`` sends nothing from the 131st on."""
    place.telemetry(
        [
            [asset, START + t * DAY, calm(t, number), "Ok"]
            for number, asset in enumerate("abc")
            for t in range(DAYS if asset != "c" else 130)
        ]
    )
    place.scores(
        [
            [asset, START + t * DAY, 9.0 if asset == "b" and t in (100, 104) else 1 + 0.01 * (t % 7)]
            for asset in "abc"
            for t in range(DAYS)
        ]
    )

    def planned(text: str = "", columns: str = "asset", *rows: str) -> None:
        place.write("assets.csv", "\n".join([columns, *rows]) + "\n")
        names = ", ".join(f'{name} = "{name}"' for name in columns.split(","))
        assets = f'[assets]\npath = "assets.csv"\ncolumns = {{ {names} }}\n' if rows else ""
        place.write("anomscan.toml", CONFIG + assets + text)
        place.good("fetch")

    place.planned = planned
    return place


def scanned(place, end: int, *options: object, code: int = 0) -> dict[str, dict]:
    found, out, err = place(*SCAN, "--through", day(end), *options)
    assert found == code, err
    return {each["asset"]: each for each in map(json.loads, out.splitlines())}


def incidents(record: dict) -> list[tuple[str, str, str]]:
    return [(each["kind"], each["since"], each["last"]) for each in record["incidents"]]


def test_days_in_maintenance_are_judged_and_make_no_incident(fleet):
    fleet.planned()
    before = scanned(fleet, 120)["b"]
    assert incidents(before)
    (fleet.folder / "incidents/ledger.jsonl").unlink()
    fleet.planned(maintenance(99, 106))
    after = scanned(fleet, 120, "--fail-on", "any,incident,new,silent")["b"]
    assert after["verdicts"] == before["verdicts"]
    assert [each["timestamp"] for each in after["anomalies"]] == [each["timestamp"] for each in before["anomalies"]]
    assert after["incidents"] == []


def test_an_open_incident_is_marked_and_makes_no_alarm(fleet):
    fleet.planned(maintenance(103, 120, 'cohort = "R1"'), "asset,cohort", "a,R1", "b,R1", "c,R2")
    scanned(fleet, 102, "--fail-on", "new", code=3)
    scanned(fleet, 104, "--fail-on", "any,incident,new", "--days", 2)
    (entry,) = json.loads(fleet.good("incidents", "list", "--json"))
    assert (entry["state"], entry["maintenance"], entry["muted"]) == ("unknown", "inverter swap", True)
    assert "maintenance: inverter swap" in fleet.good("incidents", "list")
    # Days in maintenance close nothing; those after it do.
    scanned(fleet, 120, "--days", 16)
    assert json.loads(fleet.good("incidents", "list", "--json"))[0]["state"] == "unknown"
    scanned(fleet, 130, "--days", 10)
    (entry,) = json.loads(fleet.good("incidents", "list", "--asset", "b", "--json"))
    assert (entry["state"], entry["maintenance"]) == ("closed", None)


def test_silence_counts_from_the_end_of_maintenance(fleet):
    fleet.planned(maintenance(129, 138))
    record = scanned(fleet, 139, "--fail-on", "incident,new")["c"]
    assert record["verdicts"]["silent"] == 10
    assert record["incidents"] == []
    assert incidents(scanned(fleet, 145)["c"]) == [("silent", day(139), day(145))]


def test_a_retired_asset_is_not_silent(fleet):
    fleet.planned("", "asset,commissioned,retired", f"b,{day(103)},", f"c,,{day(130)}")
    records = scanned(fleet, 149, "--fail-on", "silent")
    assert records["c"]["incidents"] == []
    assert incidents(records["b"]) == [("pattern", day(104), day(104))]


def test_what_was_wrong_with_a_retired_asset_is_over(fleet):
    def state() -> list[tuple[str, str | None]]:
        listed = json.loads(fleet.good("incidents", "list", "--json"))
        return [(each["state"], each["maintenance"]) for each in listed]

    fleet.planned("", "asset,retired", f"b,{day(105)}", "c,")
    scanned(fleet, 105)
    assert state() == [("new", None)]
    for _ in range(2):
        scanned(fleet, 106, "--from", day(105))
        assert state() == [("closed", None)]
    scanned(fleet, 125, "--from", day(106))
    assert state() == [("closed", None)]
    # It goes on after all: what is judged now says so.
    fleet.planned("", "asset,retired", "b,", "c,")
    scanned(fleet, 126, "--from", day(104))
    assert state() == [("closed", None)]


def test_maintenance_leaves_a_clean_baseline(fleet):
    fleet.scores(
        [
            [asset, START + t * DAY, 9.0 if asset == "b" and 40 <= t < 45 else 1 + 0.01 * (t % 7)]
            for asset in "abc"
            for t in range(DAYS)
        ]
    )
    clean = CONFIG.replace("[scan]", '[scan]\nbaseline_days = "clean"')
    cutoffs = []
    for text in ("", maintenance(40, 44)):
        fleet.planned()
        fleet.write("anomscan.toml", clean + text)
        fleet.good("scan", "--all", "--through", day(90), "-o", "results.jsonl", "--prove")
        rows = pq.read_table(fleet.folder / "results.jsonl.scores.parquet").to_pylist()
        cutoffs.append([row["cutoff"] for row in rows if row["asset"] == "b"])
    before, after = cutoffs
    # While it was warming up nobody could know that these days were not normal.
    assert min(before) > 5 * max(after)


def test_wrong_maintenance_is_told_with_its_line(place):
    for text, said in (
        ('reason = "x"', "maintenance of what?"),
        ('assets = ["a"]\nreason = "x"', "needs from and to, or weekly"),
        ('assets = ["a"]\nweekly = "Sun 22:00"\nreason = "x"', "is not a weekly time"),
        ('assets = ["a"]\nweekly = "Sun 22:00-04:00"\ntimezone = "Mars"\nreason = "x"', "time zone 'Mars'"),
        ('assets = ["a"]\nweekly = "Sun 22:00-04:00"\nfrom = 2026-01-01\nreason = "x"', "exclude each other"),
        ('assets = ["a"]\nfrom = 2026-01-02\nto = 2026-01-01\nreason = "x"', "ends no later"),
        ('cohort = "R1"\nweekly = "Sun 22:00-04:00"\nreason = "x"', "columns.cohort"),
    ):
        place.write("anomscan.toml", CONFIG + "[[maintenance]]\n" + text + "\n")
        code, _, err = place("config", "check")
        assert (code, len(err.splitlines())) == (2, 1), err
        assert said in err
    place.write("anomscan.toml", CONFIG + '[[maintenance]]\nassets = ["a"]\nwekly = "Sun 22:00-04:00"\nreason = "x"\n')
    code, _, err = place("config", "check")
    assert code == 2
    assert "did you mean 'weekly'" in err
    place.write("anomscan.toml", CONFIG + '[[maintenance]]\nassets = ["a"]\nweekly = "Sun 22:00-04:00"\nreason = "x"\n')
    assert 'weekly = "Sun 22:00-04:00"' in place.good("config", "show")
