"""Set-ups side by side, on a fleet whose faults are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from anomscan.jobs.setups import ScoredOnce

DAYS, START = 320, np.datetime64("2022-01-01")
_JUDGED = ("ok", "anomalous")
CONFIG = """
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7"], health = "health_status" }
[detectors.near]
kind = "nearest"
min_history = 100
half_lives = [1.0, 4.0]
[detectors.chart]
kind = "control-chart"
[scan]
window = 120
[defaults]
detector = "chart"
"""


def day(row: int) -> str:
    return str(START + np.timedelta64(row, "D"))


@pytest.fixture(scope="module")
def values():
    random = np.random.default_rng(3)
    found = 0.8 + random.normal(0, 0.01, DAYS) + random.normal(0, 0.01, (6, DAYS))
    found[2, 200:230] -= 0.25
    found[4, 250:253] = 0.0
    return found.round(6)


@pytest.fixture
def fleet(place, values):
    place.write("anomscan.toml", CONFIG)
    place.telemetry(
        [[f"S{asset}", day(row), value, "Ok"] for asset, line in enumerate(values) for row, value in enumerate(line)]
    )
    place.good("fetch")
    place.table("labels.csv", ["asset", "from", "to", "label"], [["S2", day(200), day(229), "string"]])
    return place


def rows_of(text: str) -> dict[tuple[str, str, str], dict[str, object]]:
    rows = [json.loads(line) for line in text.splitlines()]
    return {(row["detector"], row["view"], row["cutoff"]): row for row in rows}


def test_every_set_up_is_judged_on_the_same_days(fleet):
    code, out, err = fleet("compare")
    assert code == 0, err
    rows = rows_of(out)
    assert {key[:2] for key in rows} == {(name, view) for name in ("near", "chart") for view in ("own", "peers")}
    assert ("chart", "peers", "threshold") in rows
    assert "6 assets, 2022-04-30 to 2022-11-16" in err
    chart = rows["chart", "peers", "threshold"]
    assert chart["kinds"] == {"dropped": 1, "zero": 1}
    weeks = (DAYS - 119) / 7
    assert chart["per_week"]["value"] == pytest.approx(2 / weeks, rel=0.02)
    assert chart["expected_false"] == pytest.approx(6 * 200 / (20 * 365.25), rel=0.02)


def test_with_labels_each_figure_stands_beside_chance(fleet):
    fleet.table(
        "labels.csv",
        ["asset", "from", "to", "label"],
        [["S2", day(200), day(229), "string"], ["S4", day(250), day(252), "trip"], ["S5", day(10), day(12), "early"]],
    )
    code, out, err = fleet("compare", "--labels", "labels.csv", "--detector", "chart", "--view", "peers")
    assert code == 0, err
    (row,) = rows_of(out).values()
    assert (row["events"], row["recall"]["value"], row["false"]["value"]) == (2, 1.0, 0.0)
    assert 0 < row["recall"]["chance"] < 0.5
    assert row["recall"]["interval"][0] < 0.7
    assert row["recall_by_kind"] == {"string": [1, 1], "trip": [1, 1]}
    assert row["off"]["value"] <= 1
    assert row["vus_pr"]["value"] > 0.9 > row["vus_pr"]["chance"]
    assert "catches most beyond chance: 100% of 2 known bad spans" in err


def test_labels_of_the_ledger_are_taken(fleet):
    assert fleet("compare", "--labels", "ledger")[0] == 2
    fleet.good("scan", "--all", "--ledger", "--format", "jsonl")
    (one, other) = json.loads(fleet.good("incidents", "list", "--json"))
    fleet.good("incidents", "label", one["id"], "fault", "--by", "me")
    fleet.good("incidents", "label", other["id"], "false-alarm", "--by", "me")
    (row,) = rows_of(fleet.good("compare", "--labels", "ledger", "--detector", "chart", "--view", "peers")).values()
    assert (row["events"], row["recall"]["value"]) == (1, 1.0)
    assert row["false"]["value"] > 0
    assert row["false"]["chance"] is None


def test_each_detector_scores_once_however_many_cut_offs(fleet, monkeypatch):
    asked = []
    plain = ScoredOnce.score
    from anomscan.detectors.nearest.detector import NearestPast

    scored = NearestPast.score
    monkeypatch.setattr(NearestPast, "score", lambda *given: asked.append(len(given[1])) or scored(*given))
    cutoffs = [f"mean-std:{k}" for k in (2, 3, 4, 5)] + ["rank:1/1y"]
    out = fleet.good(
        *("compare", "--detector", "near", "--view", "own"), *(part for each in cutoffs for part in ("--cutoff", each))
    )
    assert sum(asked) == 6
    assert plain is ScoredOnce.score
    rows = rows_of(out)
    assert len(rows) == 5
    many = [row["incidents"] for row in rows.values()]
    assert many[0] >= many[3]


FOREST = """
[train]
samples = 150
min_std = 0
[detectors.forest]
kind = "rcf"
model = "m.forest"
trees = 50
sample_size = 100
"""


def test_a_model_is_tried_in_the_view_that_it_was_trained_on(fleet):
    fleet.write("anomscan.toml", CONFIG + FOREST)
    fleet.good("train", "--detector", "forest", "--through", day(160))
    given = ("compare", "--detector", "forest", "--view", "peers", "--cutoff", "mean-std:4")
    tried = rows_of(fleet.good(*given, "--view", "own", "--detector", "near"))
    assert {setup[:2] for setup in tried} == {("forest", "own"), ("near", "own"), ("near", "peers")}
    code, _, err = fleet(*given)
    assert code == 2
    assert "was trained on view 'own'" in err


def test_the_verdicts_are_those_of_scan(fleet):
    fleet.good("scan", "--all", "--detector", "near", "-o", "r.jsonl", "--from", day(119))
    records = [json.loads(line) for line in (fleet.folder / "r.jsonl").read_text("utf-8").splitlines()]
    (row,) = rows_of(
        fleet.good("compare", "--detector", "near", "--view", "own", "--cutoff", "mean-std:4", "--from", day(119))
    ).values()
    assert row["incidents"] == sum(len(record["incidents"]) for record in records)
    assert row["incidents"] > 0


def test_a_page_and_a_table_are_written(fleet):
    out = fleet.good("compare", "--labels", "labels.csv", "--page", "c.html", "--format", "table", "--alerts", "1")
    assert "recall" in out
    page = (fleet.folder / "c.html").read_text("utf-8")
    assert "src=" not in page
    assert "What each caught" in page
    assert "chart, peers, threshold" in page


def test_a_page_tells_what_each_would_miss(fleet):
    out = fleet.good("compare", "--faults", "3", "--detector", "chart", "--detector", "near", "--page", "c.html")
    rows = rows_of(out)
    assert all(set(row["faults"]) > {"jump", "zero"} for row in rows.values())
    assert [each["tried"] for each in rows["chart", "own", "threshold"]["faults"]["jump"]["sizes"]] == [3] * 4
    page = (fleet.folder / "c.html").read_text("utf-8")
    assert "What each would miss" in page
    assert page.count("<td>chart, peers, threshold</td>") == 1
    assert "faults" not in rows_of(fleet.good("compare", "--detector", "chart"))["chart", "own", "threshold"]


def test_results_are_the_same_whatever_workers(fleet):
    def plain(text: str) -> list[dict[str, object]]:
        return [
            {name: value for name, value in json.loads(line).items() if not name.endswith("_s")}
            for line in text.splitlines()
        ]

    one, two = (plain(fleet.good("compare", "--labels", "labels.csv", "--workers", n)) for n in (1, 2))
    assert one == two


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--detector", "none"), "there is no detector 'none'"),
        (("--view", "others"), "there is no view 'others'"),
        (("--cutoff", "mean-std:x"), "'mean-std:x' has no number of sigmas"),
        (("--cutoff", "best:1"), "there is no cut-off rule 'best'"),
        (("--detector", "near", "--cutoff", "threshold"), "no set-up is left"),
        (("--labels", "none.csv"), "none.csv"),
        (("--alerts", "0"), "--alerts"),
        (("--asset", "nobody"), "none of the assets"),
        (("--page", "telemetry.csv"), "would overwrite"),
        (("-o", "labels.csv", "--labels", "labels.csv"), "would overwrite"),
    ],
)
def test_what_makes_no_sense_is_refused(fleet, options, message):
    code, out, err = fleet("compare", *options)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("asset,to\nS1,2022-05-01\n", "no column 'from'"),
        ("asset,from,to\nS1,May,2022-05-01\n", "line 2"),
        ("asset,from,to\nS1,2022-05-02,2022-05-01\n", "ends before it begins"),
        ("asset,from,to\n", "names no span"),
        ("asset,from,to\nX,2022-05-01,2022-05-02\n", "name no asset that is compared"),
    ],
)
def test_labels_that_cannot_be_meant_are_refused(fleet, text, message):
    fleet.write("bad.csv", text)
    code, _, err = fleet("compare", "--labels", "bad.csv")
    assert code == 2
    assert message in err


def test_a_threshold_gives_way_to_a_cut_off_of_the_detector(fleet):
    fleet.write("anomscan.toml", CONFIG.replace('kind = "control-chart"', 'kind = "control-chart"\ncutoff = "rank"'))
    fleet.good("scan", "--all", "-o", "r.jsonl")
    facts = json.loads((fleet.folder / "r.jsonl.run.json").read_text("utf-8"))
    assert "threshold" not in facts
    assert facts["detector_settings"]["cutoff"] == "rank"
    records = [json.loads(line) for line in (fleet.folder / "r.jsonl").read_text("utf-8").splitlines()]
    assert {each["cutoff"] == 1.0 for record in records for each in record["anomalies"]} == {False}


def test_scan_tells_how_many_incidents_may_be_false(fleet):
    judged = sum(json.loads(fleet.good("scan", "--all").splitlines()[0])["verdicts"].get(each, 0) for each in _JUDGED)
    err = fleet("scan", "--all")[2]
    assert f"the cut-off allows for about {6 * judged / (20 * 365.25):.1f} false ones" in err
    fleet.write("anomscan.toml", CONFIG.replace("[scan]", '[scan]\ncutoff = "rank"\nbudget = "1/90d"'))
    err = fleet("scan", "--all", "--detector", "near")[2]
    assert "incidents found; the cut-off allows for about " in err
    fleet.write("anomscan.toml", CONFIG)
    assert "allows for" not in fleet("scan", "--all", "--detector", "near")[2]
