"""Messages name what is wrong, and nothing that is right."""

from __future__ import annotations

import json

import pytest

from cli.conftest import CONFIG, DAY, START, example_rows

HUGE = "1.7e+38 that a forest takes"


@pytest.fixture
def huge(place):
    rows = example_rows()
    rows[90][2] = "1e39"
    rows[20][2] = "1e300"
    place.telemetry(rows)
    place.good("fetch")
    place.good("train", "--detector", "rcf")
    return place


def test_a_value_that_no_forest_takes_costs_its_day_alone_and_is_named(huge):
    code, out, err = huge("scan", "--all", "--detector", "rcf")
    assert code == 0
    assert f"warning: asset 'a': prt7 is 1e+39 on {START + 90 * DAY}, beyond the {HUGE}" in err
    assert "RuntimeWarning" not in err
    assert '"no-data": 3' in out  # the shingles of one; those of the other are warming-up
    again = huge("scan", "--all", "--detector", "rcf")
    assert (again[0], again[1]) == (code, out)
    assert "days" in huge("detect", "--asset", "a", "--detector", "rcf")[2]
    code, _, err = huge("scan", "--all", "--detector", "rcf", "--prove", "-o", "r.jsonl")
    assert code == 0
    assert huge("report", "r.jsonl")[0] == 0


def test_an_asset_with_one_is_no_exemplar_and_the_fleet_is_trained(huge):
    code, _, err = huge("train", "--detector", "rcf")
    assert code == 0
    assert f"prt7 is 1e+39 on {START + 90 * DAY}, beyond the {HUGE}" in err
    assert "1 asset" in err


def test_a_day_read_as_the_month_is_named_as_such(place):
    place.telemetry([[asset, f"2016-{day:02}-01", 0.8, "Ok"] for asset in "ab" for day in range(1, 13)])
    code, _, err = place("fetch")
    assert code == 2
    assert "the day is read as the month" in err
    assert "%d and %m in their order" in err
    assert "29D (" not in err.replace("29D or more", "")
    assert 'cadence = "' not in err


@pytest.mark.parametrize(
    ("pattern", "text", "other"),
    [("%m/%d/%Y", "{day:02}/01/2016", "%d/%m/%Y"), (None, "2016-{day:02}-01", "%Y-%d-%m")],
)
def test_a_month_after_the_twelfth_is_a_day(place, pattern, text, other):
    place.telemetry([["a", text.format(day=day), 0.8, "Ok"] for day in range(13, 30)])
    if pattern:
        place.write("anomscan.toml", CONFIG.replace('"1D"', f'"1D"\ntimestamp_format = "{pattern}"'))
    code, _, err = place("fetch")
    assert code == 2
    assert f'month and day look swapped: timestamp_format = "{other}"' in err


def test_where_a_third_of_the_rows_is_rejected_the_way_out_is_told(place):
    rows = [["a", f"{START + n * DAY:%Y-%d-%m}", 0.8, "Ok"] for n in range(60)]
    place.telemetry(rows)
    code, _, err = place("fetch")
    assert code == 4
    assert "rejected, 36 of them new" in err
    assert '(month and day look swapped: timestamp_format = "%Y-%d-%m") (all in' in err
    # One odd row among many says nothing of the settings.
    place.telemetry([["b", START + n * DAY, 0.8, "Ok"] for n in range(60)] + [["b", "2016-13-03", 0.8, "Ok"]])
    code, _, err = place("fetch")
    assert (code, "1 row rejected" in err, "swapped" in err) == (4, True, False)


def test_the_history_that_a_service_is_asked_for_is_named(place):
    place.write(
        "anomscan.toml",
        """[sources.service]
kind = "rest"
url = "http://127.0.0.1:9/{asset}/{days}"
assets = ["a"]
cadence = "1D"
columns = { timestamp = "t", values = ["v"] }
""",
    )
    code, _, err = place("fetch", "--to", "2016-01-31")
    assert code == 2
    assert "last 366 days" in err
    assert "sources.service.history_days" in err


EVERY_WAY = """
[detectors.chart]
kind = "control-chart"
view = "own"
[detectors.chart-peers]
kind = "control-chart"
view = "peers"
peers = "ratio"
[detectors.near]
kind = "nearest"
min_history = 20
half_lives = [1.0]
[detectors.near-peers]
kind = "nearest"
view = "peers"
min_history = 20
half_lives = [1.0]
[detectors.rcf-peers]
kind = "rcf"
trees = 50
sample_size = 64
view = "peers"
model = "models/peers.forest"
"""


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("detector", ["rcf", "rcf-peers", "chart", "chart-peers", "near", "near-peers"])
def test_a_value_that_no_measurement_gives_costs_its_day_alone_whatever_the_detector(place, detector):
    """Its day has no score, and no other asset is the worse for it; several at once leave their peers without any."""
    wild = {"a": {100: "1.8e38"}, "b": {100: "1.7e308", 80: "-3e39"}, "c": {105: "-1.7e308"}, "d": {100: "1e155"}}
    rows = example_rows("abcdef", 140)
    calm = [row[:] for row in rows]
    for row in rows:
        row[2] = wild.get(row[0], {}).get((row[1] - START).days, row[2])
    verdicts = {}
    for name, given in (("calm", calm), ("wild", rows)):
        place.write("anomscan.toml", CONFIG + EVERY_WAY + f'[store]\npath = "{name}"\n')
        place.telemetry(given)
        place.good("fetch", "--from", "2016-01-01")
        if name == "calm" and detector.startswith("rcf"):
            place.good("train", "--detector", detector)
        code, _, err = place("scan", "--all", "--detector", detector, "-o", f"{name}.jsonl", "--overwrite")
        assert code == 0, err
        assert "RuntimeWarning" not in err
        lines = (place.folder / f"{name}.jsonl").read_text("utf-8").splitlines()
        verdicts[name] = {each["asset"]: each for each in map(json.loads, lines)}
    for asset, record in verdicts["wild"].items():
        assert record["error"] is None
        lost = record["verdicts"]["no-data"] - verdicts["calm"][asset]["verdicts"]["no-data"]
        # The shingles of a forest hold three days; without three peers a day has no score against them.
        most = (3 if detector.startswith("rcf") else 1) * (3 if detector.endswith("peers") else 2)
        assert lost <= most, (asset, record["verdicts"])
        assert asset not in wild or lost > 0
    assert place("report", "wild.jsonl", "-o", "R")[0] == 0
