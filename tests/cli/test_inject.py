"""Made-up faults in the calm history of a fleet."""

from __future__ import annotations

import json

import numpy as np
import pytest

DAYS, START = 320, np.datetime64("2022-01-01")
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
view = "peers"
[scan]
window = 120
[defaults]
detector = "chart"
"""


@pytest.fixture
def fleet(place):
    place.write("anomscan.toml", CONFIG)
    random = np.random.default_rng(3)
    values = 0.8 + random.normal(0, 0.01, DAYS) + random.normal(0, 0.01, (6, DAYS))
    values[2, 200:230] -= 0.25
    place.telemetry(
        [
            [f"S{asset}", str(START + np.timedelta64(row, "D")), round(value, 6), "Ok"]
            for asset, line in enumerate(values.tolist())
            for row, value in enumerate(line)
        ]
    )
    place.good("fetch")
    return place


def store_of(place) -> dict[str, bytes]:
    folder = place.folder / "anomscan-data"
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_large_faults_are_caught_and_small_ones_are_not(fleet):
    before = store_of(fleet)
    code, out, err = fleet("inject", "--fault", "jump", "--fault", "spike", "--fault", "gap", "--trials", "12")
    assert code == 0, err
    (record,) = map(json.loads, out.splitlines())
    assert (record["detector"], record["view"], record["cutoff"]) == ("chart", "peers", "threshold")
    jumps = record["faults"]["jump"]["sizes"]
    assert [each["tried"] for each in jumps] == [12] * 4
    assert jumps[0]["caught"] < jumps[3]["caught"] == 12
    assert jumps[3]["delay"] <= 1
    assert 0.08 < jumps[3]["share"] < 0.3
    gaps = {each["size"]: each["caught"] for each in record["faults"]["gap"]["sizes"]}
    assert (gaps[1], gaps[7]) == (0, 12)
    assert "catches nine of ten: " in err
    assert "made-up faults in copies of 6 assets, seed 0" in err
    assert store_of(fleet) == before


def test_set_ups_are_tried_on_the_same_faults_and_results_do_not_depend_on_workers(fleet):
    options = (
        "inject",
        "--detector",
        "near",
        "--detector",
        "chart",
        "--view",
        "own",
        "--fault",
        "jump",
        "--trials",
        "4",
    )
    one, two = (fleet.good(*options, "--workers", n) for n in (1, 2))
    assert one == two
    assert [json.loads(line)["detector"] for line in one.splitlines()] == ["near", "chart"]
    assert one != fleet.good(*options, "--seed", "1")


def test_no_fault_is_put_where_something_is_known(fleet):
    fleet.table(
        "labels.csv",
        ["asset", "from", "to"],
        [[f"S{n}", str(START), str(START + np.timedelta64(DAYS, "D"))] for n in range(6)],
    )
    code, _, err = fleet("inject", "--labels", "labels.csv", "--fault", "jump")
    assert code == 2
    assert "no asset has a calm stretch" in err


def test_cohorts_are_told_apart(fleet):
    fleet.write("anomscan.toml", CONFIG + '[assets]\npath = "assets.csv"\ncolumns = { asset = "id", cohort = "c" }\n')
    fleet.table("assets.csv", ["id", "c"], [[f"S{n}", "north" if n < 5 else "south"] for n in range(6)])
    fleet.good("fetch")
    out = fleet.good("inject", "--view", "own", "--fault", "zero", "--trials", "2")
    assert set(json.loads(out)["cohorts"]) == {"north", "south"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fault", "flood"), "there is no kind of fault 'flood'"),
        (("--fault", "decoupled"), "needs 2 variables"),
        (("--asset", "nobody"), "none of the assets"),
        (("--detector", "none"), "there is no detector 'none'"),
        (("-o", "telemetry.csv"), "would overwrite"),
    ],
)
def test_what_makes_no_sense_is_refused(fleet, options, message):
    code, out, err = fleet("inject", *options)
    assert (code, out) == (2, "")
    assert message in err


def test_recorded_scores_cannot_know_made_up_faults(fleet):
    fleet.write("anomscan.toml", CONFIG + '[detectors.replay]\nkind = "recorded"\npath = "scores.csv"\n')
    fleet.scores([["S1", str(START), 1.0]])
    code, _, err = fleet("inject", "--detector", "replay")
    assert code == 2
    assert "does not score here" in err
