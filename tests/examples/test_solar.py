"""The made-up solar fleet: each of its faults is found, and nothing else but the snow."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anomscan.cli.app import run

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "solar"
KINDS = {
    "curtailed": {"stuck"},
    "hedge_grows": {"drifting-down"},
    "logger_repeats": {"stuck"},
    "meter_scaled": {"raised"},
    "modem_dead": {"silent"},
    "roof_works": {"dropped"},
    "strings_lost": {"dropped"},
    "trips": {"dropped", "noisy"},
}


def test_each_fault_is_one_incident_and_there_is_nothing_else(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / "examples" / "solar")
    data = tmp_path / "demo" / "solar"
    subprocess.run([sys.executable, EXAMPLE / "make_fleet.py", data], check=True)
    config = str(tmp_path / "examples" / "solar" / "anomscan.toml")
    assert run(["-q", "--config", config, "fetch"]) == 0
    assert run(["-q", "--config", config, "scan", "--all", "-o", str(data / "results.jsonl")]) == 0
    lines = (data / "results.jsonl").read_text("utf-8").splitlines()
    records = {record["asset"]: record for record in map(json.loads, lines)}
    own = {
        (asset, each["since"]): each
        for asset, record in records.items()
        for each in record["incidents"]
        if each["common"] is None and not asset.startswith("cohort:")
    }
    with (data / "faults.csv").open(encoding="utf-8") as file:
        faults = list(csv.DictReader(file))
    assert len(faults) == 16
    for fault in faults:
        found = [
            key
            for key, each in own.items()
            if key[0] == fault["asset"] and each["since"] <= fault["last_day"] and each["last"] >= fault["first_day"]
        ]
        assert next(own.pop(key)["kind"] for key in found) in KINDS[fault["fault"]], fault
        assert len(found) == 1, fault
    assert own == {}
    snow = [each for region in ("alps", "coast", "plain") for each in records[f"cohort:{region}"]["incidents"]]
    assert [each["days"] for each in snow] == [4, 4, 4]
