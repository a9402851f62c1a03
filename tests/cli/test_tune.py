"""A set-up is chosen on the first part of history; what comes later has no say."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

DAYS, START = 420, np.datetime64("2022-01-01")
CONFIG = """
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7"], health = "health_status" }
[scan]
window = 120
"""
DETECTORS = """
[detectors.near]
kind = "nearest"
min_history = 100
half_lives = [1.0, 4.0]
[detectors."the chart"]
kind = "control-chart"
"""
DEFAULT = '[defaults]\ndetector = "near"\n'
#: Drops of a fortnight that last: (asset, first row).
FAULTS = [(0, 150), (1, 170), (2, 190), (3, 210), (4, 220), (0, 300), (1, 320), (2, 340), (3, 360), (4, 380)]


def day(row: int) -> str:
    return str(START + np.timedelta64(row, "D"))


def fleet_of(place, values):
    place.write("anomscan.toml", CONFIG + DETECTORS + DEFAULT)
    place.telemetry(
        [[f"S{asset}", day(row), value, "Ok"] for asset, line in enumerate(values) for row, value in enumerate(line)]
    )
    place.good("fetch")
    place.table(
        "labels.csv",
        ["asset", "from", "to", "label"],
        [[f"S{asset}", day(row), day(row + 13), "string"] for asset, row in FAULTS],
    )
    return place


@pytest.fixture
def values():
    random = np.random.default_rng(3)
    found = 0.8 + random.normal(0, 0.01, DAYS) + random.normal(0, 0.01, (6, DAYS))
    for asset, row in FAULTS:
        found[asset, row : row + 14] -= 0.08
    return found.round(6)


@pytest.fixture
def fleet(place, values):
    return fleet_of(place, values)


LABELLED = ("tune", "--alerts", "3", "--labels", "labels.csv", "--split", day(270))


def test_the_choice_is_told_with_what_it_is_worth_on_the_rest(fleet):
    code, out, err = fleet(*LABELLED)
    assert code == 0, err
    assert "set-ups tell of at most 3 incidents a week on 2022-04-30 to 2022-09-27" in err
    assert "on 2022-09-28 to 2023-02-24, which had no say, it catches" in err
    assert "of 5 (" in err
    assert "the settings have near, own, mean-std:4" in err
    comments = "".join(line.removeprefix("# ") + "\n" for line in out.splitlines() if line.startswith("#"))
    assert comments.strip() in err


def test_the_snippet_is_settings_that_say_the_chosen_setup(fleet):
    snippet = fleet.good(*LABELLED, "--detector", "the chart", "--view", "peers")
    assert tomllib.loads(snippet) == {
        "defaults": {"detector": "the chart"},
        "detectors": {"the chart": {"kind": "control-chart", "view": "peers", "cutoff": "threshold"}},
    }
    fleet.write("anomscan.toml", CONFIG + snippet)
    fleet.good("config", "check")
    err = fleet(*LABELLED)[2]
    assert "the settings have the chart, peers, threshold" in err or "it is what the settings have" in err


@pytest.mark.parametrize(("cutoff", "scan"), [("rank:1/90d", {"budget": "1/90d"}), ("mean-std:3.5", {"sigma": 3.5})])
def test_the_snippet_has_the_level_of_the_cutoff(fleet, cutoff, scan):
    snippet = tomllib.loads(fleet.good(*LABELLED, "--detector", "near", "--cutoff", cutoff, "-o", "-"))
    assert snippet["scan"] == scan
    assert snippet["detectors"]["near"]["cutoff"] == cutoff.partition(":")[0]


def test_what_comes_later_has_no_say(place, values):
    fleet_of(place, values)
    before = place(*LABELLED)[2]
    changed = values.copy()
    changed[:, 270:] = np.random.default_rng(9).normal(0.8, 0.05, changed[:, 270:].shape).round(6)
    fleet_of(place, changed)
    after = place(*LABELLED)[2]
    chosen = [next(line for line in err.splitlines() if line.startswith("chosen:")) for err in (before, after)]
    assert chosen[0] == chosen[1]
    assert before != after


def test_without_labels_faults_are_made_up(fleet):
    code, out, err = fleet(
        "tune", "--alerts", "3", "--trials", "6", "--detector", "near", "--detector", "the chart", "-o", "chosen.toml"
    )
    assert (code, out) == (0, "")
    assert "(made-up faults)" in err
    assert "detector" in tomllib.loads((fleet.folder / "chosen.toml").read_text())["defaults"]


def test_a_budget_that_no_setup_keeps_is_told_with_the_fewest(fleet):
    code, out, err = fleet(*LABELLED[:2], "0.001", *LABELLED[3:])
    assert (code, out) == (2, "")
    assert "no set-up tells of at most 0.001 incidents a week: the fewest are " in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tune",), "--alerts"),
        (("tune", "--alerts", "0"), "give more than 0"),
        (("tune", "--alerts", "2", "--split", "2024-01-01"), "no set-up judges days of both parts"),
        (("tune", "--alerts", "2", "--split", "soon"), "soon"),
        (("tune", "--alerts", "2", "-o", "anomscan.toml"), "anomscan.toml"),
        (("tune", "--alerts", "2", "--detector", "none"), "none"),
    ],
)
def test_what_cannot_be_meant_is_refused(fleet, arguments, said):
    settings = (fleet.folder / "anomscan.toml").read_text()
    code, out, err = fleet(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert (fleet.folder / "anomscan.toml").read_text() == settings
