"""A proof of what an endpoint scored: it is asked again, or its recording is."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from anomscan.cli.app import run
from anomscan.errors import ExitCode

CONFIG = """
[defaults]
source = "fleet"
detector = "endpoint"
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7"] }
[detectors.endpoint]
kind = "sagemaker"
endpoint = "fleet-rcf"
region = "eu-west-1"
[scan]
window = 60
shingle = 3
"""


@pytest.fixture
def place(tmp_path, monkeypatch, loopback):
    """A folder with two assets in its store."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "anomscan.toml").write_text(CONFIG)
    lines = ["asset_id,date,prt7"]
    for asset, seed in (("a", 0), ("b", 1)):
        values = np.random.default_rng(seed).normal(0.8, 0.05, 90)
        values[70] = 2.0
        lines += [f"{asset},{dt.date(2016, 1, 1) + dt.timedelta(days=n)},{x}" for n, x in enumerate(values.tolist())]
    (tmp_path / "telemetry.csv").write_text("\n".join(lines) + "\n")
    assert run(["fetch"]) == 0
    return tmp_path


def scan(*more):
    return run(["scan", "--all", "-o", "found.jsonl", *more])


@pytest.mark.slow
def test_a_proof_is_recorded_and_replayed_with_the_scan(place, loopback, capsys):
    assert scan("--record", "short.jsonl") == 0
    assert scan("--record", "tape.jsonl", "--prove") == 0
    assert "proved 62 verdicts of 2 assets" in capsys.readouterr().err
    recorded = (place / "found.jsonl").read_bytes()
    calls = len(loopback.calls)
    assert scan("--replay", "tape.jsonl", "--prove") == 0
    assert "proved 62 verdicts of 2 assets" in capsys.readouterr().err
    assert (place / "found.jsonl").read_bytes() == recorded
    assert scan("--replay", "short.jsonl", "--prove") == ExitCode.INPUT
    assert "short.jsonl has no response" in capsys.readouterr().err
    assert len(loopback.calls) == calls
