"""The command line with an endpoint: scan, record, replay with nobody there, exit codes."""

from __future__ import annotations

import datetime as dt
import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from anomscan.cli.app import run
from anomscan.errors import ExitCode
from processes import PATIENCE_S, started, wait_until
from servers.sagemaker_runtime import LoopbackRuntime, seeded, serving

pytestmark = pytest.mark.slow

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
max_payload_mb = 0.01
deadline_s = 1.0
[scan]
window = 60
shingle = 3
sigma = 3
"""
ASSETS = [f"asset{number}" for number in range(12)]
POISON = 0.123


@pytest.fixture
def place(tmp_path, monkeypatch, loopback):
    """A folder with a fetched fleet, each second asset with a bad day; botocore's own retries are off."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_RETRY_MODE", "standard")
    (tmp_path / "anomscan.toml").write_text(CONFIG)
    rng = np.random.default_rng(0)
    lines = ["asset_id,date,prt7"]
    for number, asset in enumerate(ASSETS):
        values = rng.normal(0.8, 0.05, 100)
        values[90] = 2.0 if number % 2 else values[90]
        values[50] = POISON if number == 4 else values[50]
        days = [dt.date(2016, 1, 1) + dt.timedelta(days=day) for day in range(100)]
        lines += [f"{asset},{day},{value}" for day, value in zip(days, values.tolist(), strict=True)]
    (tmp_path / "telemetry.csv").write_text("\n".join(lines) + "\n")
    assert run(["fetch"]) == 0
    return tmp_path


def scan(*more):
    return run(["scan", "--all", "-o", "found.jsonl", *more])


def read(place):
    return (place / "found.jsonl").read_bytes()


#: As where boto3 is not installed, and with no network at all.
ALONE = """
import socket, sys
sys.modules["boto3"] = sys.modules["botocore"] = None
def refuse(*arguments): raise RuntimeError("the network is off")
socket.socket.connect = refuse
from anomscan.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


def test_a_recorded_scan_is_replayed_byte_for_byte_with_nobody_there(forest, place, loopback, monkeypatch, capsys):
    with serving(LoopbackRuntime(forest)) as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", runtime.url)
        assert scan("--workers", "2", "--record", "tape.jsonl") == 0
    recorded = read(place)
    records = [json.loads(line) for line in recorded.splitlines()]
    assert {record["asset"] for record in records if record["spans"]} >= set(ASSETS[1::2])
    assert len((place / "tape.jsonl").read_text().splitlines()) == len(ASSETS)

    config = (place / "anomscan.toml").read_text()
    (place / "anomscan.toml").write_text(config.replace("max_payload_mb = 0.01", "max_payload_mb = 0.001"))
    for workers in ("1", "4"):
        (place / "found.jsonl").unlink()
        arguments = ["scan", "--all", "-o", "found.jsonl", "--workers", workers, "--replay", "tape.jsonl"]
        done = subprocess.run([sys.executable, "-c", ALONE, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert read(place) == recorded
    capsys.readouterr()
    assert run(["detect", "--asset", "asset1", "--replay", "tape.jsonl", "-o", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["asset"] == "asset1"
    assert scan("--shingle", "4", "--replay", "tape.jsonl") == ExitCode.INPUT
    assert "record again with --record" in capsys.readouterr().err
    assert loopback.calls == []


def test_the_secrets_of_the_account_are_nowhere(place, monkeypatch, capsys):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-token")
    assert scan("--record", "tape.jsonl") == 0
    written = b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
    assert b"hush" not in written
    assert b"token" not in written


def test_an_asset_that_cannot_be_scored_is_exit_4_and_the_rest_is_there(place, loopback, capsys):
    assert scan() == 0
    whole = read(place).splitlines()
    loopback.fault = lambda call: "throttling" if (call.points == np.float32(POISON)).any() else None
    assert scan() == ExitCode.ASSETS_FAILED
    assert "endpoint 'fleet-rcf' answered ThrottlingException" in capsys.readouterr().err
    for before, after in zip(whole, read(place).splitlines(), strict=True):
        failed = json.loads(after)["error"]
        assert (before == after) is (failed is None)
    assert json.loads(read(place).splitlines()[sorted(ASSETS).index("asset4")])["error"]


def test_an_interrupted_scan_does_not_wait_for_the_endpoint(place, loopback):
    loopback.fault = lambda call: "slow"
    loopback.slow_s = 3600.0
    command = "import sys; from anomscan.__main__ import main; main()"
    arguments = ["scan", "--all", "-o", "found.jsonl", "--record", "tape.jsonl", "--workers", "2"]
    with started([sys.executable, "-c", command, *arguments], stderr=subprocess.PIPE) as process:
        wait_until(lambda: loopback.calls, process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "interrupted" in said
    assert not (place / "found.jsonl").exists()
    assert not (place / "tape.jsonl").exists()


@pytest.mark.parametrize("seed", range(5))
def test_runs_with_faults_lose_nothing_in_silence(place, loopback, seed):
    assert scan() == 0
    whole = read(place).splitlines()
    loopback.fault = seeded(seed, 0.3)
    code = scan()
    failed = 0
    for before, after in zip(whole, read(place).splitlines(), strict=True):
        if json.loads(after)["error"] is None:
            assert after == before
        else:
            failed += 1
    assert code == (ExitCode.ASSETS_FAILED if failed else ExitCode.DONE)


@pytest.mark.parametrize(
    ("fault", "more", "code", "said"),
    [
        ("unavailable", (), ExitCode.SERVICE, "no asset can be scored"),
        ("denied", (), ExitCode.SERVICE, "allow sagemaker:InvokeEndpoint"),
        (None, ("--shingle", "5"), ExitCode.INPUT, "refuses points of dimension 5"),
        (None, ("--replay", "nowhere.jsonl"), ExitCode.INPUT, "nowhere.jsonl cannot be read"),
        (None, ("--record", "a", "--replay", "b"), ExitCode.INPUT, "exclude each other"),
        (None, ("--record", "/dev/null/tape"), ExitCode.OUTPUT, "cannot be written"),
        (None, ("--record", "tape.jsonl", "--detector", "rcf"), ExitCode.INPUT, "which cannot be recorded or replayed"),
    ],
)
def test_exit_codes(place, loopback, capsys, fault, more, code, said):
    loopback.fault = lambda call: fault
    assert scan(*more) == code
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "anomscan" in line or said in line]
    assert said in line
    assert not (place / "found.jsonl").exists()
    assert not (place / "tape.jsonl").exists()
