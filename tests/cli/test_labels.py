"""What people say of incidents acts on what is normal, from then on."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from cli.conftest import CONFIG, DAY, START, calm

DAYS, FIRST, AGAIN = 150, (90, 91, 92), (130, 131)
CLEAN_CONFIG = CONFIG.replace("shingle = 3", 'shingle = 1\nbaseline_days = "clean"')
SCAN = ("scan", "--all")


def day(number: int) -> str:
    return str(START + number * DAY)


@pytest.fixture
def fleet(place):
    """Asset ``a`` scores high on five days in two stretches; its clean baseline is the 60 days before."""
    place.write("anomscan.toml", CLEAN_CONFIG)
    place.telemetry([["a", START + t * DAY, calm(t), "Ok"] for t in range(DAYS)])
    place.scores([["a", START + t * DAY, 9.0 if t in FIRST + AGAIN else 1 + 0.01 * (t % 7)] for t in range(DAYS)])
    place.good("fetch")
    return place


@pytest.fixture
def label(fleet, monkeypatch):
    def put(number: float, *arguments: str) -> None:
        """Label the first incident on a day, by the clock; 110.5 is noon."""
        at = f"{day(int(number))}T{round(number % 1 * 24):02}:00:00Z"
        monkeypatch.setattr("anomscan.jobs.incidents.now", lambda: at)
        listed = json.loads(fleet.good("incidents", "list", "--json"))
        id_ = min(listed, key=lambda each: each["first_flagged"])["id"]
        fleet.good("incidents", "label", id_, *arguments, "--by", "ada")

    return put


def flagged(place, *options: object) -> list[str]:
    (record,) = map(json.loads, place.good(*SCAN, *options).splitlines())
    return [each["timestamp"] for each in record["anomalies"]]


def days(numbers) -> list[str]:
    return [day(number) for number in numbers]


def ledger(place) -> list[dict]:
    return [json.loads(line) for line in (place.folder / "incidents/ledger.jsonl").read_text().splitlines()[1:]]


def test_a_false_alarm_enters_what_is_normal_from_then_on(fleet, label):
    fleet.good(*SCAN, "--ledger", "--through", day(110))
    assert flagged(fleet) == days(FIRST + AGAIN)
    label(110.5, "false-alarm")
    assert flagged(fleet, "--prove") == days(FIRST)
    # A night says the same as a scan of everything, and so do nights one after another.
    for end in range(111, DAYS, 6):
        fleet.good(*SCAN, "--ledger", "--through", day(end), "--days", 8)
    assert flagged(fleet, "--from", day(129), "--workers", 2) == []
    assert [each["state"] for each in ledger(fleet)] == ["closed"]


def test_a_label_says_nothing_of_days_before_it(fleet, label):
    fleet.good(*SCAN, "--ledger", "--through", day(110))
    label(131.5, "false-alarm")
    # The day on which it was made ends after it.
    assert flagged(fleet, "--prove") == days((*FIRST, AGAIN[0]))


@pytest.mark.parametrize(("hour", "left"), [(12, ()), (16, AGAIN[:1])])
def test_a_day_ends_by_the_clocks_of_the_source(fleet, label, hour, left):
    fleet.write("anomscan.toml", CLEAN_CONFIG.replace("[sources.fleet]", '[sources.fleet]\ntimezone = "Asia/Tokyo"'))
    fleet.good(*SCAN, "--ledger", "--through", day(110))
    label(AGAIN[0] + hour / 24, "false-alarm")
    assert flagged(fleet) == days((*FIRST, *left))


def test_control_charts_and_what_they_expect_heed_labels(fleet, label):
    chart = '[detectors.chart]\nkind = "control-chart"\n[detectors.replay]'
    fleet.write("anomscan.toml", CONFIG.replace("[detectors.replay]", chart).replace('"replay"', '"chart"'))
    fleet.telemetry([["a", START + t * DAY, calm(t) * (0.8 if 90 <= t < 104 else 1), "Ok"] for t in range(DAYS)])
    fleet.good("fetch")
    fleet.good(*SCAN, "--ledger", "--through", day(101))
    before = scores(fleet)
    label(101.5, "false-alarm")
    after = scores(fleet)
    known = sum(each[0] < day(101) for each in before)
    assert 0 < known < len(before)
    assert before[:known] == after[:known]
    assert before[known:] != after[known:]


def scores(place) -> list[tuple]:
    place.good(*SCAN, "--prove", "-o", "r.jsonl")
    table = pq.read_table(place.folder / "r.jsonl.scores.parquet", columns=["timestamp", "score", "low_prt7"])
    return [tuple(map(str, row.values())) for row in table.to_pylist()]


def test_what_was_taken_back_held_until_then(fleet, label):
    fleet.good(*SCAN, "--ledger", "--through", day(110))
    label(110.5, "false-alarm")
    label(131.5, "false-alarm", "--remove")
    assert flagged(fleet, "--prove") == days((*FIRST, AGAIN[1]))
    (entry,) = ledger(fleet)
    assert "labels" not in entry
    (back,) = entry["withdrawn"]
    assert (back["label"], back["withdrawn"]) == ("false-alarm", f"{day(131)}T12:00:00Z")
    assert back["covers"] == [[entry["spells"][0]["since"], day(FIRST[-1])]]


def test_a_fault_leaves_what_is_normal_though_it_was_not_flagged(fleet, label):
    fleet.write("anomscan.toml", CLEAN_CONFIG.replace("[scan]", '[scan]\nbaseline = "exclude-newest"'))
    high = dict.fromkeys((90, 94, *AGAIN), 9.0) | dict.fromkeys((91, 92, 93), 1.09)
    fleet.scores([["a", START + t * DAY, high.get(t, 1 + 0.01 * (t % 7))] for t in range(DAYS)])
    assert flagged(fleet) == days((90, 94, *AGAIN))
    fleet.good(*SCAN, "--ledger", "--through", day(110))
    before = sigma(fleet)
    label(110.5, "fault")
    assert sigma(fleet) > before


def sigma(place) -> float:
    (record,) = map(json.loads, place.good(*SCAN, "--prove").splitlines())
    return {each["timestamp"]: each["sigma"] for each in record["anomalies"]}[day(AGAIN[0])]


def test_a_ledger_from_before_labels_said_what_they_cover(fleet, label):
    fleet.good(*SCAN, "--ledger", "--through", day(110))
    label(110.5, "false-alarm")
    path = fleet.folder / "incidents/ledger.jsonl"
    head, line = path.read_text().splitlines()
    entry = json.loads(line)
    del entry["labels"][0]["covers"]
    path.write_text(f"{head}\n{json.dumps(entry)}\n")
    assert flagged(fleet) == days(FIRST)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"at": "yesterday"}, "'labels.at' is neither a date nor a UTC instant with Z: 'yesterday'"),
        ({"covers": [["2016-02-01", "2016-01-01"]]}, "'labels.covers' ends before it begins"),
        ({"covers": [["2016-02-01"]]}, "labels.0.covers.0"),
        ({"withdrawn": "2016-13-01"}, "'labels.withdrawn' is neither"),
    ],
)
def test_a_label_that_was_edited_wrongly_is_named_with_its_line(fleet, label, change, message):
    fleet.good(*SCAN, "--ledger", "--through", day(110))
    label(110.5, "fault")
    path = fleet.folder / "incidents/ledger.jsonl"
    head, line = path.read_text().splitlines()
    entry = json.loads(line)
    entry["labels"][0].update(change)
    path.write_text(f"{head}\n{json.dumps(entry)}\n")
    code, _, err = fleet(*SCAN)
    assert code == 2
    assert "ledger.jsonl, line 2: " in err
    assert message in err
