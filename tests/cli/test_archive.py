"""Incidents that are over for long leave the ledger, and are not forgotten."""

from __future__ import annotations

import json
import re

import pytest

from anomscan.errors import OutputError
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.jobs.fetch import rejects as moved_rejects
from cli.conftest import CONFIG, DAY, START, YESTERDAY, calm

DAYS = 200


def day(number: int) -> str:
    return str(START + number * DAY)


@pytest.fixture
def fleet(place):
    """Asset ``a`` has three incidents, of which the first two are over for more than 40 days at the end."""
    place.write("anomscan.toml", CONFIG + '[incidents]\nkeep = "40d"\nreopen_within = "10d"\n')
    place.telemetry([["a", START + t * DAY, calm(t), "Ok"] for t in range(DAYS)])
    place.scores([["a", START + t * DAY, 9.0 if t in (80, 81, 120, 196) else 1 + 0.01 * (t % 7)] for t in range(DAYS)])
    place.good("fetch")
    return place


def night(place, end: int, *options: object) -> list[dict]:
    (record,) = map(json.loads, place.good("scan", "--all", "--ledger", "--through", day(end), *options).splitlines())
    return record["incidents"]


def listed(place) -> list[str]:
    return sorted(each["first_flagged"] for each in json.loads(place.good("incidents", "list", "--json")))


def archived(place) -> list[str]:
    lines = (place.folder / "incidents/archive/2016.jsonl").read_text().splitlines()
    return sorted(json.loads(line)["first_flagged"] for line in lines[1:])


def test_what_is_over_for_long_is_in_the_archive_and_keeps_its_id(fleet):
    (first,) = night(fleet, 110)
    assert listed(fleet) == [day(80)]
    night(fleet, 150, "--from", day(110))
    assert (listed(fleet), archived(fleet)) == ([day(120)], [day(80)])
    night(fleet, 199, "--from", day(150))
    assert (listed(fleet), archived(fleet)) == ([day(196)], [day(80), day(120)])
    shown = json.loads(fleet.good("incidents", "show", first["id"], "--json"))
    assert (shown["first_flagged"], shown["state"], shown["first_seen"]) == (day(80), "closed", day(110))
    # A scan of so long ago, whether it writes or not, knows it.
    before = (fleet.folder / "incidents/ledger.jsonl").read_bytes(), archived(fleet)
    assert night(fleet, 199)[0]["id"] == first["id"]
    (record,) = map(json.loads, fleet.good("scan", "--all").splitlines())
    assert record["incidents"][0]["id"] == first["id"]
    fleet.good("incidents", "rebuild")
    assert ((fleet.folder / "incidents/ledger.jsonl").read_bytes(), archived(fleet)) == before


def test_who_writes_into_an_archived_one_brings_it_back(fleet):
    (first,) = night(fleet, 110)
    night(fleet, 199, "--from", day(110))
    fleet.good("incidents", "label", first["id"], "fault", "--by", "ada")
    assert day(80) in listed(fleet)
    night(fleet, 199)
    # A label acts on what is normal: it stays.
    assert (listed(fleet), archived(fleet)) == ([day(80), day(196)], [day(120)])


def test_a_run_that_is_killed_between_archive_and_ledger_loses_and_doubles_nothing(fleet, monkeypatch):
    night(fleet, 110)

    def full(self, ledger):
        if self.path.name == "ledger.jsonl":
            raise OutputError("no room")
        plain(self, ledger)

    plain = LedgerFile.write
    with monkeypatch.context() as patched:
        patched.setattr(LedgerFile, "write", full)
        assert fleet("scan", "--all", "--ledger", "--through", day(150), "--from", day(110))[0] == 7
    assert (listed(fleet), archived(fleet)) == ([day(80)], [day(80)])
    night(fleet, 150, "--from", day(110))
    assert (listed(fleet), archived(fleet)) == ([day(120)], [day(80)])


def test_an_archive_that_was_edited_wrongly_is_named_with_its_line(fleet):
    night(fleet, 199)
    path = fleet.folder / "incidents/archive/2016.jsonl"
    path.write_text(path.read_text().replace('"state": "closed"', '"state": "over"'))
    code, _, err = fleet("scan", "--all")
    assert code == 2
    assert "archive/2016.jsonl, line 2: 'state'" in err


def test_nights_of_long_ago_are_put_away_by_year(nightly):
    nightly.until(0)
    nights = nightly.folder / "nights"
    nights.mkdir()
    recent = f"{YESTERDAY}.jsonl"
    others = [recent, "2020-13-40.jsonl", "notes.txt"]
    for name in ("2020-01-02.jsonl", "2020-01-02.jsonl.run.json", "2021-05-06.jsonl", *others):
        (nights / name).write_text(name)
    assert nightly("night")[0] == 0
    moved = sorted(str(path.relative_to(nights)) for path in nights.glob("archive/*/*"))
    assert moved == [
        "archive/2020/2020-01-02.jsonl",
        "archive/2020/2020-01-02.jsonl.run.json",
        "archive/2021/2021-05-06.jsonl",
    ]
    assert {recent, "2020-13-40.jsonl", "notes.txt"} <= {path.name for path in nights.iterdir()}


def test_rejects_of_long_ago_are_put_away_by_year_and_still_known(nightly):
    nightly.until(0)
    telemetry, store = nightly.folder / "telemetry.csv", nightly.folder / "anomscan-data"
    good = telemetry.read_text()
    telemetry.write_text(f"{good}S1,no day,1,Ok\nS2,nor this,2,Ok\nS3,never,3,Ok\n")
    code, _, err = nightly("fetch")
    assert code == 4
    assert "3 rows rejected, 3 of them new" in err
    rejects = store / "fleet.rejects.jsonl"
    first, second, third = rejects.read_bytes().splitlines(keepends=True)
    today = json.loads(first)["at"]
    assert today in (str(YESTERDAY + DAY), str(YESTERDAY + 2 * DAY))  # the day may end during the test

    def dated(line: bytes, day: str) -> bytes:
        return line.replace(today.encode(), day.encode())

    # The last one as an earlier version kept it.
    undated = third.replace(f', "at": "{today}"'.encode(), b"")
    rejects.write_bytes(dated(first, "2020-05-06") + dated(second, str(YESTERDAY)) + undated)
    for _ in range(2):
        code, _, err = nightly("night")
        assert code == 0, err
        assert "3 rows rejected again as before" in err
        assert (store / "fleet.rejects-2020.jsonl").read_bytes() == dated(first, "2020-05-06")
        recent, other = rejects.read_bytes().splitlines(keepends=True)
        assert recent == dated(second, str(YESTERDAY))
        assert json.loads(other)["row"] == json.loads(third)["row"]
        assert json.loads(other)["at"] >= today
    telemetry.write_text(f"{good}S4,none,4,Ok\n")
    assert "1 row rejected, 1 of them new" in nightly("night")[2]
    assert len(rejects.read_bytes().splitlines()) == 3


def test_a_night_that_is_killed_while_it_puts_rejects_away_loses_none(nightly, monkeypatch):
    nightly.until(0)
    store = nightly.folder / "anomscan-data"
    with (nightly.folder / "telemetry.csv").open("a") as file:
        file.write("S1,no day,1,Ok\n")
    assert nightly("fetch")[0] == 4
    rejects = store / "fleet.rejects.jsonl"
    old = re.sub(rb'"at": "[^"]*"', b'"at": "2020-05-06"', rejects.read_bytes())
    rejects.write_bytes(old)
    plain = moved_rejects.replace_file

    def full(path, **options):
        if path == rejects:
            raise OutputError("no room")
        return plain(path, **options)

    with monkeypatch.context() as patched:
        patched.setattr(moved_rejects, "replace_file", full)
        code, _, err = nightly("night")
    assert code == 7
    assert "archive: no room" in err
    assert rejects.read_bytes() == (store / "fleet.rejects-2020.jsonl").read_bytes() == old
    assert nightly("night")[0] == 0
    assert rejects.read_bytes() == b""
    assert (store / "fleet.rejects-2020.jsonl").read_bytes() == old
