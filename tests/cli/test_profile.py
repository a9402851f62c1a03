"""The matrix profile, end to end: detected, reported, refused by scan unless it may look ahead."""

import datetime as dt
import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from anomscan.reports.schemas import schema

START = dt.date(2021, 1, 1)
DAYS = 300
CONFIG = """
[defaults]
source = "fleet"
detector = "shapes"
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset", timestamp = "date", values = ["x"] }
[detectors.shapes]
kind = "profile"
windows = [3, 7]
[detectors.past]
kind = "profile"
windows = [3, 7]
causal = true
min_history = 80
[scan]
window = 120
"""


def day(number: int) -> str:
    return str(START + dt.timedelta(days=number))


@pytest.fixture
def site(place):
    """Three assets with a weekly pattern, which S2 loses for five days."""
    place.write("anomscan.toml", CONFIG)
    random, rows = np.random.default_rng(7), []
    for k in range(3):
        values = np.sin(2 * np.pi * np.arange(DAYS) / 7) + random.normal(0, 0.02, DAYS)
        if k == 2:
            values[200:205] = 0.4
        rows += [[f"S{k}", day(t), round(x, 5)] for t, x in enumerate(values.tolist())]
    place.table("telemetry.csv", ["asset", "date", "x"], rows)
    place.good("fetch")
    return place


def records(text: str) -> dict[str, dict]:
    return {record["asset"]: record for record in map(json.loads, text.splitlines())}


def flagged(record: dict) -> set[str]:
    return {anomaly["timestamp"] for anomaly in record["anomalies"]}


def test_detect_and_report_take_it(site):
    site.good("detect", *(f"--asset=S{k}" for k in range(3)), "-o", "results.jsonl")
    found = records((site.folder / "results.jsonl").read_text())
    assert flagged(found["S2"]) & {day(t) for t in range(200, 205)}
    assert all(anomaly["in_sample"] for anomaly in found["S2"]["anomalies"])
    assert found["S0"]["verdicts"]["ok"] == DAYS
    site.good("report", "results.jsonl", "-o", "report.html")
    assert "most similar other stretch" in (site.folder / "report.html").read_text()


def test_scan_refuses_it_unless_it_may_look_ahead(site):
    code, out, err = site("scan", "--all")
    assert (code, out) == (2, "")
    assert "detector 'shapes' looks at what came later" in err
    assert "--retrospective" in err
    for option in ("--prove", "--ledger"):
        code, _, err = site("scan", "--all", "--retrospective", option)
        assert code == 2
        assert option in err
    site.good("scan", "--all", "--retrospective", "-o", "results.jsonl")
    found = records((site.folder / "results.jsonl").read_text())
    assert flagged(found["S2"]) & {day(t) for t in range(200, 205)}
    assert all(anomaly["in_sample"] for anomaly in found["S2"]["anomalies"])
    facts = json.loads((site.folder / "results.jsonl.run.json").read_text())
    assert facts["retrospective"] is True
    Draft202012Validator(schema("run")).validate(facts)


def test_its_causal_form_is_scanned_and_proved(site):
    code, _, err = site("scan", "--all", "--detector", "past", "--prove", "-o", "results.jsonl")
    assert code == 0, err
    assert "proved 100 verdicts" in err
    found = records((site.folder / "results.jsonl").read_text())
    assert flagged(found["S2"]) & {day(t) for t in range(200, 207)}
    assert not any(anomaly["in_sample"] for anomaly in found["S2"]["anomalies"])
    assert found["S0"]["verdicts"]["warming-up"] == 119
    assert "retrospective" not in json.loads((site.folder / "results.jsonl.run.json").read_text())


def test_set_ups_for_a_scan_leave_it_out(site):
    code, _, err = site("compare", "--detector", "shapes")
    assert code == 2
    assert "detector 'shapes' looks at what came later" in err
    out = site.good("compare", "--format", "jsonl")
    assert {json.loads(line).get("detector") for line in out.splitlines()} >= {"past"}
    assert "shapes" not in out


def test_doctor_calls_it_ready(site):
    _, out, err = site("doctor")
    assert "9999" not in out + err
