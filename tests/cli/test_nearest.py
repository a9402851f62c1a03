"""The nearest past, end to end: scanned, proved, told in a night, detected, of several variables."""

from __future__ import annotations

import datetime as dt
import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest

START = dt.date(2021, 1, 1)
DAYS = 260
CONFIG = """
[defaults]
source = "fleet"
detector = "nearest"
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7", "wind"], health = "health_status" }
[detectors.nearest]
kind = "nearest"
half_lives = [1, 4]
min_history = 80
[scan]
window = 120
"""


def day(number: int) -> str:
    return str(START + dt.timedelta(days=number))


@pytest.fixture
def site(place):
    """Six assets with a weekly pattern; S3 drops for five days, S4 has an outage of its logger, S5 has just begun."""
    place.write("anomscan.toml", CONFIG)
    random, rows = np.random.default_rng(7), []
    for k in range(6):
        week = 0.1 * np.sin(2 * np.pi * np.arange(DAYS) / 7)
        values = np.column_stack([0.8 + week, 5 - 10 * week]) + random.normal(0, [0.01, 0.1], (DAYS, 2))
        if k == 3:
            values[200:205, 0] -= 0.4
        missing = range(150, 170) if k == 4 else range(200) if k == 5 else range(0)
        rows += [
            [f"S{k}", day(t), round(a, 5), round(b, 5), "Unknown" if t == 230 else "Ok"]
            for t, (a, b) in enumerate(values.tolist())
            if t not in missing
        ]
    place.table("telemetry.csv", ["asset_id", "date", "prt7", "wind", "health_status"], rows)
    place.good("fetch")
    return place


def records(text: str) -> dict[str, dict]:
    return {record["asset"]: record for record in map(json.loads, text.splitlines())}


def test_a_scan_finds_what_was_never_seen_before_and_is_proved(site):
    code, _, err = site("scan", "--all", "--prove", "-o", "results.jsonl")
    assert code == 0, err
    assert re.search(r"proved 100 verdicts of \d assets, .* from the rows before them alone", err)
    found = records((site.folder / "results.jsonl").read_text())
    anomalies = {anomaly["timestamp"]: anomaly for anomaly in found["S3"]["anomalies"]}
    assert set(map(day, range(200, 205))) <= set(anomalies)
    first = anomalies[day(200)]
    shares = {each["variable"]: each["contribution"] for each in first["contributions"]}
    assert shares["prt7"] > 0.8 * first["score"]
    assert shares["prt7"] + shares["wind"] == pytest.approx(first["score"])
    (incident,) = [each for each in found["S3"]["incidents"] if each["since"] == day(200)]
    assert incident["kind"] == "dropped"
    # Each day has a verdict, and the first ones none but that it is too early.
    assert found["S0"]["verdicts"]["warming-up"] == 119
    assert found["S4"]["verdicts"]["no-data"] == 20
    assert found["S5"]["verdicts"] == {**found["S5"]["verdicts"], "warming-up": 60, "ok": 0}
    assert found["S0"]["verdicts"]["skipped"] == 1
    table = pq.read_table(site.folder / "results.jsonl.scores.parquet").to_pandas()
    row = table[(table.asset == "S3") & (table.timestamp == np.datetime64(START) + np.timedelta64(200, "D"))]
    assert row.times.item() > 3
    assert row.steps_back.item() % 1 == 0
    assert 2 <= row.steps_back.item() <= 200


def test_the_terminal_tells_what_an_open_incident_resembles(site, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, _, err = site("scan", "--all", "--through", day(204), "-o", "results.jsonl")
    assert code == 0, err
    told = re.search(
        r"S3 +dropped in prt7: .* still so; most like (\S+), still (\S+) times farther than anything before", err
    )
    assert told
    assert day(0) <= told[1] < day(200)
    assert 3 < float(told[2]) < 20


def test_by_rank_a_budget_cuts(site):
    site.write("anomscan.toml", CONFIG.replace("window = 120", 'window = 120\ncutoff = "rank"\nbudget = "2/1y"'))
    found = records(site.good("scan", "--all", "--prove"))
    flagged = [anomaly["timestamp"] for anomaly in found["S3"]["anomalies"]]
    assert {day(200), day(201)} <= set(flagged)
    assert sum(len(found[asset]["anomalies"]) for asset in ("S0", "S1", "S2")) <= 8
    assert all(anomaly["sigma"] is None for anomaly in found["S3"]["anomalies"])
    site.write("anomscan.toml", CONFIG.replace("window = 120", 'window = 120\ncutoff = "rank"\nbudget = "1/20y"'))
    code, _, err = site("scan", "--all")
    assert code == 2
    assert "is too small" in err


def test_a_night_says_of_its_day_what_a_scan_of_all_days_says(site):
    whole = records(site.good("scan", "--all"))
    for number in (201, 204):
        night = records(site.good("scan", "--all", "--from", day(number), "--to", day(number)))
        known = {asset: record["anomalies"] for asset, record in night.items()}
        for asset, record in whole.items():
            assert known[asset] == [each for each in record["anomalies"] if each["timestamp"] == day(number)]


def test_detect_cuts_all_scores_once(site):
    found = records(site.good("detect", "--asset", "S3"))["S3"]
    flagged = [anomaly["timestamp"] for anomaly in found["anomalies"]]
    assert day(201) in flagged
    assert found["verdicts"]["warming-up"] == 80


def test_it_compares_with_peers_where_that_is_wanted(site):
    site.write("anomscan.toml", CONFIG.replace("half_lives = [1, 4]", 'half_lives = [1, 4]\nview = "peers"'))
    found = records(site.good("scan", "--all", "--prove"))
    assert day(201) in [anomaly["timestamp"] for anomaly in found["S3"]["anomalies"]]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("half_lives = [100]", "min_history of 80 holds no two stretches of half-life 100"),
        ("half_lives = []", "half_lives"),
        ("half_lives = [0.5]", "half_lives"),
        ("half_lives = [4]\nmax_lag = 15", "max_lag of 15 leaves no past to compare for a half-life of 4"),
        ("inherit = 2", "inherit"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(place, setting, said):
    place.write("anomscan.toml", CONFIG.replace("half_lives = [1, 4]", setting))
    code, _, err = place("config", "check")
    assert code == 2
    assert said in err
