"""The azure detector by the command line, against a service on the loopback: train, detect, scan, report, models."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from processes import PATIENCE_S, started, wait_until
from servers.azurite import KEY as ACCOUNT_KEY
from servers.azurite import Azurite
from servers.mvad_loopback import Reply, Toy, serving

KEY = "a-key-that-nobody-may-see"
CONFIG = """
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "10min"
columns = { asset = "asset", timestamp = "time", values = ["temperature", "humidity", "vibration"] }
[detectors.azure]
kind = "azure"
calls_per_minute = 1e6
poll_s = 0.01
sliding_window = 28
[detectors.rcf]
kind = "rcf"
trees = 50
sample_size = 64
[train]
samples = 100
max_std = 10
[scan]
window = 60
shingle = 1
"""
N = 300
STRANGE = {250: (9.0, 8.0, 7.0), 270: (0.0, 9.0, 0.0)}


def row(asset: str, place: int) -> list[object]:
    minutes = place * 10
    stamp = f"2026-01-{1 + minutes // 1440:02}T{minutes // 60 % 24:02}:{minutes % 60:02}:00Z"
    plain = (place % 7 / 10, place % 5 / 10, place % 3 / 10)
    return [asset, stamp, *(STRANGE.get(place, plain) if asset == "pump" else plain)]


@pytest.fixture
def pump(place, monkeypatch):
    """A place with two assets in its store, one strange at two samples; the .env file is to name a service."""
    for name in ("endpoint", "key", "model_id"):
        monkeypatch.delenv(f"anomaly_detector_{name}", raising=False)
    monkeypatch.delenv("storage_connection_string", raising=False)
    place.write("anomscan.toml", CONFIG)
    rows = [row(asset, each) for asset in ("fan", "pump") for each in range(N)]
    place.table("telemetry.csv", ["asset", "time", "temperature", "humidity", "vibration"], rows)
    place.write(".env", "anomaly_detector_endpoint=http://127.0.0.1:1\n")
    place.good("fetch")
    return place


@pytest.fixture
def serve(pump, monkeypatch):
    """Names a service in the .env file, as the notebook's variables do."""

    def named(service, **more: str) -> None:
        given = {"anomaly_detector_endpoint": service.url, "anomaly_detector_key": KEY, **more}
        for name in given:
            monkeypatch.delenv(name, raising=False)
        pump.write(".env", "".join(f"{name}='{value}'\n" for name, value in given.items()))

    return named


def records(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_train_detect_report_as_the_notebook_did(pump, serve):
    with serving(Toy()) as service:
        serve(service)
        code, out, err = pump("train", "--detector", "azure", "--asset", "pump", "--through", "2026-01-02T12:00:00Z")
        assert (code, out) == (0, "")
        assert "trained on 217 samples of asset 'pump', through 2026-01-02T12:00:00Z: model model-1, noted in" in err
        assert "few samples (217): the service advises 5,000 or more" in err
        for table in (("epoch", "loss", "validation loss"), ("20", "1", "1.5"), ("temperature", "0.0%", "500")):
            assert all(cell in err for cell in table)

        pump.good("detect", "--detector", "azure", "--asset", "pump", "--days", "1", "-o", "out.jsonl")
        (sent,) = service.asked("POST", ":detect-batch")
        assert sent.body["startTime"] == "2026-01-02T02:00:00Z"
        assert sent.headers["ocp-apim-subscription-key"] == KEY
    (record,) = records((pump.folder / "out.jsonl").read_text())
    assert record["schema"] == "anomscan.detect/2"
    assert list(record["anomalies"][0]) == [
        *("timestamp", "values", "expected", "band", "health", "score", "cutoff", "sigma", "in_sample", "contributions")
    ]
    (anomaly,) = record["anomalies"]  # the other's severity is a third
    assert anomaly["timestamp"] == "2026-01-02T17:40:00Z"
    assert anomaly["values"] == {"temperature": 9.0, "humidity": 8.0, "vibration": 7.0}
    assert (anomaly["cutoff"], anomaly["sigma"], anomaly["in_sample"]) == (None, None, False)
    assert anomaly["contributions"] == [
        {"variable": "temperature", "contribution": 9 / 24},
        {"variable": "humidity", "contribution": 8 / 24},
        {"variable": "vibration", "contribution": 7 / 24},
    ]
    scores = pq.read_table(pump.folder / "out.jsonl.scores.parquet").to_pydict()
    assert (
        dict(zip(scores["timestamp"], scores["severity"], strict=True))[
            next(t for t in scores["timestamp"] if t.isoformat() == "2026-01-02T17:40:00")
        ]
        == 1.0
    )
    facts = json.loads((pump.folder / "out.jsonl.run.json").read_text())
    assert facts["min_severity"] == 0.85

    pump.good("report", "out.jsonl", "-o", "pages")
    (page,) = (pump.folder / "pages/charts").glob("*.html")
    text = page.read_text()
    assert "temperature 38%, humidity 33%, vibration 29%" in text
    drawing = json.loads(re.search(r'<script type="text/plain"[^>]*>(.*?)</script>', text, re.DOTALL)[1])
    panels = {panel["title"]: panel for panel in drawing["panels"]}
    assert panels.keys() >= {"temperature", "humidity", "vibration", "score", "severity"}
    # The notebook's greys: the three largest contributors of the anomaly.
    greys = [base64.b64decode(panels[name]["grey"]) for name in ("temperature", "humidity", "vibration")]
    assert greys == [b"\1", b"\2", b"\3"]
    assert "what the detector calls so, with a severity above 0.85" in text


def test_where_the_cut_finds_nothing_the_numbers_say_so(pump, serve):
    toy = Toy()
    toy.add_model(["temperature", "humidity", "vibration"])
    model = {"anomaly_detector_model_id": next(iter(toy.models))}
    with serving(toy) as service:
        serve(service, **model)
        ask = ("detect", "--detector", "azure", "--asset", "pump", "--from", "2026-01-02T20:00:00Z")
        code, out, err = pump(*ask)
        (record,) = records(out)
        assert (code, record["anomalies"]) == (0, [])
        assert (
            "asset 'pump': 1 sample is called anomalous, none with a severity above 0.85; the highest is 0.333, "
            "at 2026-01-02T21:00:00Z; --min-severity 0.3 would keep 1"
        ) in err
        (record,) = records(pump.good(*ask, "--min-severity", "0.3"))
        assert [each["timestamp"] for each in record["anomalies"]] == ["2026-01-02T21:00:00Z"]
        table = pump.good(*ask, "--min-severity", "0.3", "--format", "table")
        assert "severity" in table
        assert "0.333" in table
        code, out, err = pump(*ask, "--min-severity", "2")
        assert code == 2
        pump.good(*ask, "-o", "quiet.jsonl")
    pump.good("report", "quiet.jsonl", "-o", "pages")
    (page,) = (pump.folder / "pages/charts").glob("*.html")
    fleet = (pump.folder / "pages/index.html").read_text()
    drawn = json.loads(re.search(r'<script type="text/plain"[^>]*>(.*?)</script>', fleet, re.DOTALL)[1])
    assert drawn["pages"] == {"0": page.stem}


def test_scan_gives_the_records_of_any_detector(pump, serve):
    toy = Toy()
    toy.add_model(["temperature", "humidity", "vibration"])
    with serving(toy) as service:
        serve(service, anomaly_detector_model_id=next(iter(toy.models)))
        found = records(pump.good("scan", "--all", "--detector", "azure"))
        batches = len(service.asked("POST"))
        cut = pump.folder / "anomscan.toml"
        cut.write_text(cut.read_text().replace("poll_s = 0.01", "poll_s = 0.01\nmax_timestamps = 100"))
        assert records(pump.good("scan", "--all", "--detector", "azure")) == found
        assert len(service.asked("POST")) - batches > batches == 2
    fan, strange = found
    assert fan["spans"] == []
    # the other one is called anomalous by the service, but lies within 4 std of a window that holds the first
    assert strange["spans"] == [["2026-01-02T17:40:00Z"] * 2]
    assert strange["schema"] == "anomscan.scan/2"
    assert strange["verdicts"] == {"ok": 240, "anomalous": 1, "warming-up": 59, "skipped": 0, "no-data": 0, "silent": 0}


def test_models_are_listed_shown_and_deleted(pump, serve):
    toy = Toy()
    with serving(toy) as service:
        serve(service)
        pump.good("train", "--detector", "azure", "--asset", "fan")
        assert "model-1 'anomscan' ready" in pump.good("models", "list")
        shown = pump.good("models", "show", "azure")
        assert all(text in shown for text in ("model-1", "READY", "OneTable", "validation loss", "humidity"))
        code, _, err = pump("models", "show", "azure", "nothing")
        assert (code, "ModelNotExist" in err) == (5, True)
        pump.good("models", "delete", "azure")
        assert toy.models == {}
        code, _, err = pump("models", "delete", "azure")
        assert (code, "has no model" in err) == (2, True)
    assert "cannot be reached" in pump.good("models", "list")


@pytest.mark.parametrize("command", ["train", "detect", "scan", "models"])
def test_the_retired_service_exits_with_5_and_the_way_on(pump, serve, command):
    arguments = {
        "train": ("train", "--detector", "azure", "--asset", "pump"),
        "detect": ("detect", "--detector", "azure", "--asset", "pump"),
        "scan": ("scan", "--detector", "azure", "--all"),
        "models": ("models", "show", "azure"),
    }[command]
    with serving(lambda call: Reply(410)) as service:
        serve(service, anomaly_detector_model_id="m")
        code, out, err = pump(*arguments)
    assert len(service.calls) == 1
    assert (code, out) == (5, "")
    assert "is retired (410 Gone)" in err
    assert "make mvad" in err
    assert "Traceback" not in err


def test_what_cannot_be_meant(pump, serve):
    with serving(Toy()) as service:
        serve(service)
        for arguments, says in [
            (("train", "--detector", "azure"), "a model learns from one asset, the store has 2 (fan, pump)"),
            (("train", "--detector", "rcf", "--asset", "fan"), "--asset is for detectors of kind azure"),
            (("detect", "--detector", "azure", "--asset", "fan"), "has no model"),
            (("detect", "--detector", "azure", "--asset", "fan", "--replay", "x"), "cannot be recorded or replayed"),
            (("models", "delete", "rcf", "x"), "has one model, a file"),
        ]:
            code, _, err = pump(*arguments)
            assert (code, says in err) == (2, True), err
        assert service.asked("POST") == []


def test_the_forest_gives_severity_and_contributions_with_no_service(pump):
    pump.good("train", "--detector", "rcf", "--through", "2026-01-02T12:00:00Z")
    ask = ("detect", "--detector", "rcf", "--asset", "pump")
    pump.good(*ask, "-o", "out.jsonl")
    (record,) = records((pump.folder / "out.jsonl").read_text())
    assert [each["timestamp"] for each in record["anomalies"]] == ["2026-01-02T17:40:00Z", "2026-01-02T21:00:00Z"]
    both, one = record["anomalies"]
    assert {each["variable"] for each in both["contributions"]} == {"temperature", "humidity", "vibration"}
    assert one["contributions"][0]["variable"] == "humidity"
    scores = pq.read_table(pump.folder / "out.jsonl.scores.parquet").to_pydict()
    ranked = sorted(zip(scores["score"], scores["severity"], strict=True))
    assert [severity for _, severity in ranked] == sorted(severity for _, severity in ranked)
    assert 0 <= ranked[0][1] < 0.5 < 0.85 < ranked[-1][1] <= 1
    (record,) = records(pump.good(*ask, "--min-severity", "0.85"))
    assert len(record["anomalies"]) == 2
    _, out, err = pump(*ask, "--min-severity", "1")
    assert records(out)[0]["anomalies"] == []
    assert "2 samples are called anomalous, none with a severity above 1" in err


def test_a_forest_of_one_variable_has_no_severity(fetched):
    fetched.good("train", "--detector", "rcf")
    code, _, err = fetched("detect", "--detector", "rcf", "--asset", "a", "--min-severity", "0.5")
    assert (code, "gives no severity" in err) == (2, True)


@pytest.mark.servers
def test_no_secret_is_said_or_written(pump, serve):
    toy = Toy()
    said = ""
    with Azurite() as blobs, serving(toy) as service:
        serve(service, storage_connection_string=blobs.connection_string)
        for arguments in (
            ("-v", "train", "--detector", "azure", "--asset", "pump"),
            ("-v", "detect", "--detector", "azure", "--asset", "pump", "-o", "out.jsonl"),
            ("-v", "--log-format", "json", "scan", "--detector", "azure", "--all", "-o", "all.jsonl"),
            ("report", "out.jsonl", "-o", "pages"),
            ("config", "show"),
            ("models", "list"),
        ):
            code, out, err = pump(*arguments)
            assert code == 0, err
            said += out + err
        assert toy.read
        signatures = [source.rpartition("sig=")[2] for source in toy.read]
        model = pump.folder / "models/mvad.json"
        assert "model-1" in model.read_text()
    written = b"".join(file.read_bytes() for file in pump.folder.rglob("*") if file.is_file() and file.name != ".env")
    for secret in (KEY, ACCOUNT_KEY, *signatures):
        assert secret not in said
        assert secret.encode() not in written
    assert b"sig=" not in written


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", [("detect", "--asset", "pump"), ("scan", "--all", "--workers", "2")])
def test_an_interrupted_run_ends_at_once_and_leaves_no_data(pump, serve, command, stop, code):
    toy = Toy(polls=10_000)
    toy.add_model(["temperature", "humidity", "vibration"])
    with serving(toy) as service:
        serve(service, anomaly_detector_model_id=next(iter(toy.models)))
        settings = pump.folder / "anomscan.toml"
        settings.write_text(settings.read_text().replace("poll_s = 0.01", "poll_s = 60"))
        arguments = [sys.executable, "-m", "anomscan", command[0], "--detector", "azure", *command[1:]]
        with started(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=pump.folder) as process:
            wait_until(lambda: service.asked("GET", "/detect-batch/"), process)
            asked = len(service.asked("GET", "/detect-batch/"))
            folder = pump.folder / "anomscan-mvad-data/sources"
            assert list(folder.iterdir())
            process.send_signal(stop)
            process.communicate(timeout=PATIENCE_S)
        # It did not wait for its next poll, a minute later.
        assert len(service.asked("GET", "/detect-batch/")) == asked
    assert process.returncode == code
    assert list(folder.iterdir()) == []
