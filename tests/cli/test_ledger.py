"""Incidents from night to night, as a user meets them: scan --ledger, and what people write."""

from __future__ import annotations

import datetime as dt
import io
import json

import pytest

from anomscan.incidents.ledger_file import LedgerFile
from cli.conftest import DAY, START, calm

DAYS = 150
SCAN = ("scan", "--all")


@pytest.fixture
def fleet(place):
    """Three calm assets; ``b`` scores high on some days, and ``c`` sends nothing from the 131st on."""

    def high(*days: int) -> None:
        place.scores(
            [
                [asset, START + t * DAY, 9.0 if asset == "b" and t in days else 1 + 0.01 * (t % 7)]
                for asset in "abc"
                for t in range(DAYS)
            ]
        )

    place.telemetry(
        [
            [asset, START + t * DAY, calm(t, number), "Ok"]
            for number, asset in enumerate("abc")
            for t in range(DAYS if asset != "c" else 130)
        ]
    )
    place.good("fetch")
    place.high = high
    high(100, 101, 140, 141)
    return place


def day(number: int) -> str:
    return str(START + number * DAY)


def night(place, end: int, *options: object) -> dict[str, dict]:
    """A night that ends on a day: its records by asset."""
    out = place.good(*SCAN, "--through", day(end), "--ledger", *options)
    return {each["asset"]: each for each in map(json.loads, out.splitlines())}


def entries(place, *options: object) -> list[dict]:
    return json.loads(place.good("incidents", "list", "--json", *options))


def states(place) -> dict[str, str]:
    return {f"{each['asset']} {each['first_flagged'][5:]}": each["state"] for each in entries(place)}


def test_without_a_ledger_a_scan_says_what_it_always_said(fleet):
    before = fleet.good(*SCAN)
    assert all(each["id"] is None for line in before.splitlines() for each in json.loads(line)["incidents"])
    assert not (fleet.folder / "incidents").exists()
    fleet.good(*SCAN, "--ledger", "-o", "results.jsonl")
    (fleet.folder / "incidents" / "ledger.jsonl").unlink()
    assert fleet.good(*SCAN) == before


def test_an_incident_has_one_id_and_its_states_from_night_to_night(fleet):
    first = night(fleet, 120)
    (old,) = first["b"]["incidents"]
    assert states(fleet) == {f"b {day(100)[5:]}": "closed"}
    new = night(fleet, 140, "--days", 20)["b"]["incidents"][-1]
    assert new["id"] != old["id"]
    assert states(fleet)[f"b {day(140)[5:]}"] == "new"
    assert states(fleet)[f"c {day(130)[5:]}"] == "new"
    for end, state in ((141, "quiet"), (146, "quiet"), (149, "closed")):
        record = night(fleet, end, "--days", 3)["b"]
        assert states(fleet)[f"b {day(140)[5:]}"] == state
        assert [each["id"] for each in record["incidents"]] in ([new["id"]], [])
    assert states(fleet)[f"c {day(130)[5:]}"] == "ongoing"


def test_another_scan_reads_ids_and_writes_nothing(fleet):
    night(fleet, 149)
    file = fleet.folder / "incidents" / "ledger.jsonl"
    before = file.read_bytes()
    ids = {each["asset"]: each["id"] for each in entries(fleet)}
    records = {each["asset"]: each for each in map(json.loads, fleet.good(*SCAN, "--sigma", 3).splitlines())}
    assert records["c"]["incidents"][0]["id"] == ids["c"]
    assert {each["id"] for each in records["b"]["incidents"]} <= {each["id"] for each in entries(fleet)}
    fleet.high(60, 61, 100, 101, 140, 141)
    found = json.loads(fleet.good("scan", "--asset", "b", "--rescore"))["incidents"]
    assert [each["id"] is None for each in found] == [True, False, False]
    fleet.good(*SCAN, "--through", day(120))
    assert file.read_bytes() == before


def test_a_part_of_the_fleet_closes_nothing_of_the_rest(fleet):
    night(fleet, 141)
    fleet.good("scan", "--asset", "a", "--through", day(149), "--ledger")
    assert states(fleet)[f"b {day(140)[5:]}"] == states(fleet)[f"c {day(130)[5:]}"] == "unknown"


def test_the_same_night_twice_is_one(fleet):
    night(fleet, 141)
    file = fleet.folder / "incidents" / "ledger.jsonl"
    before = file.read_bytes()
    night(fleet, 141)
    fleet.good(*SCAN, "--through", day(141), "--ledger", "-o", "results.jsonl")
    assert file.read_bytes() == before
    file.unlink()
    # A run that is repeated for its ledger does not pass for done.
    fleet.good(*SCAN, "--through", day(141), "--ledger", "-o", "results.jsonl", "--resume")
    assert file.read_bytes() == before


def test_nights_do_not_run_backwards(fleet):
    night(fleet, 141)
    code, out, err = fleet(*SCAN, "--through", day(140), "--ledger")
    assert (code, out) == (2, "")
    assert f"is of {day(141)}, and this run ends on {day(140)}" in err
    code, _, err = fleet(*SCAN, "--to", day(140), "--ledger")
    assert code == 2
    assert "takes no --to" in err


def test_fail_on_hears_only_of_what_nobody_has_acknowledged_or_snoozed(fleet):
    def code(*options: object) -> int:
        return fleet(*SCAN, "--through", day(141), "--days", 10, *options)[0]

    assert code("--ledger", "--fail-on", "new") == 3
    ids = {each["asset"]: each["id"] for each in entries(fleet, "--state", "open")}
    alarms = ("any", "incident", "new", "silent", "sigma:4")
    assert [code("--fail-on", each) for each in alarms] == [3] * 5
    fleet.good("incidents", "ack", ids["b"], "--by", "ada", "--reason", "in work")
    assert [code("--fail-on", each) for each in alarms] == [0, 3, 3, 3, 0]
    fleet.good("incidents", "snooze", ids["c"], "--until", "2999-01-01", "--by", "ada", "--reason", "strike")
    assert [code("--fail-on", each) for each in alarms] == [0] * 5
    assert code("--ledger", "--fail-on", "new,incident") == 0
    fleet.good("incidents", "reopen", ids["b"], ids["c"])
    assert [code("--fail-on", each) for each in alarms] == [3] * 5


def test_people_write_into_it_and_the_next_night_keeps_that(fleet):
    night(fleet, 141)
    id_ = {each["asset"]: each["id"] for each in entries(fleet)}["c"]
    fleet.good("incidents", "label", id_[:6], "weather", "--by", "ada")
    fleet.good("incidents", "label", id_, "storm", "--by", "ada")
    fleet.good("incidents", "label", id_, "false-alarm", "--by", "ada")
    fleet.good("incidents", "label", id_, "storm", "--remove", "--by", "ada")
    fleet.good("incidents", "note", id_, "a tree\x1b[31m on the line", "--by", "grace")
    fleet.good("incidents", "ack", id_, "--reason", "in work", "--by", "ada")
    night(fleet, 149)
    shown = json.loads(fleet.good("incidents", "show", id_, "--json"))
    assert [(each["label"], each["by"]) for each in shown["labels"]] == [("false-alarm", "ada")]
    assert shown["labels"][0]["covers"] == [[shown["since"], day(141)]]
    (back,) = shown["withdrawn"]
    assert (back["label"], back["withdrawn"][-1]) == ("weather", "Z")
    assert shown in entries(fleet)
    assert [(each["text"], each["by"]) for each in shown["notes"]] == [("a tree\x1b[31m on the line", "grace")]
    assert shown["acknowledged"]["reason"] == "in work"
    assert (shown["asset"], shown["state"], shown["muted"]) == ("c", "ongoing", True)
    text = fleet.good("incidents", "show", id_)
    assert "\x1b" not in text
    assert "in work" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "zz"], "there is no incident 'zz'"),
        (["show", ""], "the argument after 'show' is empty"),
        (["snooze", "ID", "--until", "2016-01-01", "--reason", "x", "--by", "ada"], "is not in the future"),
        (["snooze", "ID", "--until", "soon", "--reason", "x", "--by", "ada"], "'soon' is not a day"),
        (["ack", "ID", "--reason", " ", "--by", "ada"], "--reason is empty"),
        (["ack", "ID", "--by", "ada"], "Missing option '--reason'"),
        (["ack", "ID", "--reason", "x", "--by", " "], "who says so?"),
        (["label", "ID", "storm", "--remove", "--by", "ada"], "has no label 'storm'"),
        (["list", "--state", "asleep"], "there is no state 'asleep'"),
        (["list", "--older-than", "long"], "'long' is not a length of time"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(fleet, arguments, said):
    night(fleet, 149)
    file = fleet.folder / "incidents" / "ledger.jsonl"
    before = file.read_bytes()
    id_ = entries(fleet)[0]["id"]
    code, _, err = fleet("incidents", *[id_ if each == "ID" else each for each in arguments])
    assert code == 2
    assert said in err
    assert file.read_bytes() == before


def test_closed_ones_are_listed_on_demand_and_cannot_be_acknowledged(fleet):
    night(fleet, 149)
    code, out, err = fleet("incidents", "list")
    assert code == 0
    assert "silent" in out
    assert "closed" not in out
    assert "2 closed ones not shown" in err
    closed = entries(fleet, "--state", "closed")
    assert [each["asset"] for each in closed] == ["b", "b"]
    code, _, err = fleet("incidents", "ack", closed[0]["id"], "--reason", "x", "--by", "ada")
    assert code == 2
    assert "is closed" in err


def test_filters_leave_what_was_asked_for(fleet):
    night(fleet, 141)
    assert {each["asset"] for each in entries(fleet, "--kind", "silent")} == {"c"}
    assert {each["asset"] for each in entries(fleet, "--asset", "b", "--state", "new")} == {"b"}
    assert entries(fleet, "--cohort", "R1") == entries(fleet, "--severity", "0.5") == []
    assert len(entries(fleet, "--older-than", "7d")) == 3
    assert entries(fleet, "--newer-than", "7d") == []
    fleet.good("incidents", "label", entries(fleet, "--kind", "silent")[0]["id"], "fault", "--by", "ada")
    assert {each["asset"] for each in entries(fleet, "--label", "fault")} == {"c"}


def test_a_ledger_that_was_edited_wrongly_is_named_with_its_line_before_the_work(fleet):
    night(fleet, 141)
    file = fleet.folder / "incidents" / "ledger.jsonl"
    file.write_text(file.read_text().replace('"state": "new"', '"state": "gone"', 1))
    for command in (SCAN, (*SCAN, "--ledger"), ("incidents", "list"), ("incidents", "rebuild")):
        code, out, err = fleet(*command)
        assert (code, out) == (2, "")
        assert "ledger.jsonl, line 3: 'state'" in err
        assert len(err.splitlines()) == 1
    file.write_text('{"schema": "anomscan.ledger/2"}\n')
    assert "newer anomscan" in fleet(*SCAN)[2]


def test_the_ledger_is_not_written_over(fleet):
    night(fleet, 141)
    code, _, err = fleet(*SCAN, "-o", "incidents/ledger.jsonl")
    assert code == 2
    assert "the ledger" in err


def test_rebuild_gives_the_same_ids_and_keeps_what_people_wrote(fleet):
    for end in (120, 140, 145, 149):
        night(fleet, end)
    file = LedgerFile(fleet.folder / "incidents")
    fleet.good("incidents", "note", entries(fleet, "--asset", "c")[0]["id"], "a strike", "--by", "ada")
    before = entries(fleet)
    fleet.good("incidents", "rebuild")
    after = entries(fleet)
    same = ("id", "asset", "kind", "spells", "notes", "first_seen")
    assert [[each[name] for name in same] for each in after] == [[each[name] for name in same] for each in before]
    file.path.unlink()
    fleet.good("incidents", "rebuild")
    assert {each["id"] for each in entries(fleet)} == {each["id"] for each in before}


def test_a_snooze_that_ends_is_told_a_week_before(fleet):
    night(fleet, 141)
    id_ = entries(fleet, "--kind", "silent")[0]["id"]
    until = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=5)
    fleet.good("incidents", "snooze", id_, "--until", until, "--reason", "x", "--by", "ada")
    _, _, err = fleet(*SCAN, "--through", day(142), "--ledger")
    assert f"1 snooze ends within a week: {id_} on {until}" in err


class Screen(io.TextIOWrapper):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def drawn(monkeypatch, place, encoding: str, *arguments: object) -> list[str]:
    """What a terminal shows of the messages of a command."""
    screen = Screen(io.BytesIO(), encoding, errors="replace")
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    place(*arguments)
    screen.flush()
    return screen.buffer.getvalue().decode(encoding).splitlines()


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", "▲"), ("ascii", "^")])
def test_an_incident_is_drawn_on_a_terminal_and_nowhere_else(fleet, monkeypatch, encoding, mark):
    night(fleet, 145)
    (silent,) = (each for each in entries(fleet) if each["asset"] == "c")
    shown = next(each for each in entries(fleet) if each["asset"] == "b" and each["state"] != "closed")
    for each in (silent, shown):
        _, _, err = fleet("incidents", "show", each["id"])
        assert err == ""
    lines = drawn(monkeypatch, fleet, encoding, "incidents", "show", shown["id"])
    assert lines[0] == "prt7, a year about the incident, which is marked"
    assert len(lines) == 8
    assert max(map(len, lines[1:])) <= 60
    assert set(lines[-1]) == {" ", mark}


def test_an_incident_stays_beside_its_names_on_a_narrow_terminal(fleet, monkeypatch):
    night(fleet, 145)
    shown = entries(fleet)[0]
    screen = Screen(io.BytesIO(), "utf-8")
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "60")
    fleet("incidents", "show", shown["id"])
    screen.flush()
    lines = screen.buffer.getvalue().decode().splitlines()
    assert max(map(len, lines)) <= 60
    assert any(line.split() == ["asset", shown["asset"]] for line in lines)


def test_a_scan_of_one_asset_draws_its_score_on_a_terminal(fleet, monkeypatch):
    lines = drawn(monkeypatch, fleet, "ascii", "scan", "--asset", "b", "--format", "table")
    title = "score of b, the last year, days above the cut-off marked"
    (place,) = (place for place, line in enumerate(lines) if line.endswith(title))
    assert lines[place + 7].strip(" ^") == ""
    assert "^" in lines[place + 7]
    lines = drawn(monkeypatch, fleet, "ascii", "scan", "--all", "--format", "table")
    assert not any("score of" in line for line in lines)
