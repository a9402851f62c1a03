"""What the real service once answered, through the official SDK and all of ours."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from anomscan.detectors.azure.blob import FolderStaging
from anomscan.detectors.azure.client import Mvad
from anomscan.detectors.azure.detector import AzureDetector
from anomscan.detectors.azure.training import train
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Series
from servers.mvad_client import series_of, settings
from servers.mvad_loopback import MODEL, Recording, Reply, serving


@pytest.fixture
def sample(recordings) -> Series:
    """Microsoft's sample, a sample a minute."""
    with (recordings / "sample_data_5_3000.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    timestamps = np.array([row[0].removesuffix("Z") for row in rows], "datetime64[us]")
    values = np.array([row[1:] for row in rows], np.float64)
    return Series("sample", Cadence.parse("1min"), tuple(header[1:]), timestamps, values)


def test_the_recorded_training_gives_the_recorded_states_and_curve(recordings, sample, tmp_path):
    recording = Recording(recordings / "v1.1_train.json")
    last = json.loads((recordings / "v1.1_train.json").read_text())["Entries"][-1]["ResponseBody"]["modelInfo"]
    said: list[str] = []
    with serving(recording) as service:
        chosen = settings(service.url, sliding_window=200, model=tmp_path / "m.json", display_name="sample")
        done = train(
            sample,
            chosen,
            Mvad(chosen),
            FolderStaging(tmp_path, print),
            through=np.datetime64("2021-01-02T05:00", "us"),
            on_status=said.append,
        )
        sent = service.asked("POST")[0].body
    state, states = last["diagnosticsInfo"]["modelState"], last["diagnosticsInfo"]["variableStates"]
    assert done.curve == list(zip(state["epochIds"], state["trainLosses"], state["validationLosses"], strict=True))
    assert done.variables == [
        (one["variable"], one["filledNARatio"], one["effectiveCount"], one["firstTimestamp"], one["lastTimestamp"])
        for one in states
    ]
    assert done.model_id == MODEL
    assert json.loads((tmp_path / "m.json").read_text()) == {"model_id": MODEL, "endpoint": service.url}
    assert [text.split(": ")[1].split(",")[0] for text in said[:-1]] == [
        "CREATED",
        "RUNNING",
        "RUNNING",
        "RUNNING",
        "READY",
    ]
    # what we send differs from what was sent then in where the data lies and where the sample begins
    recorded = recording.sent[0][2]
    assert {**sent, "dataSource": recorded["dataSource"], "startTime": recorded["startTime"]} == recorded
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json"]


def test_the_recorded_results_come_back_exactly(recordings, sample):
    file = recordings / "v1.1_batch_detect.json"
    recorded = json.loads(file.read_text())["Entries"][-1]["ResponseBody"]["results"]
    wide = Series(
        sample.asset,
        sample.cadence,
        tuple(f"series_{i}" for i in range(20)),
        sample.timestamps,
        np.tile(sample.values, 4),
    )
    model = {
        "modelId": MODEL,
        "modelInfo": {"status": "READY", "slidingWindow": 200, "endTime": "2021-01-02T05:00:00Z"},
    }

    def describe(call):
        return Reply(200, model) if call.method == "GET" and call.path.startswith("/models/") else None

    first, last = np.searchsorted(
        sample.timestamps, np.array(["2021-01-02T00:00", "2021-01-02T05:00"], "datetime64[us]")
    )
    recording = Recording(file)
    with serving(describe, recording) as service:
        chosen = settings(service.url, model_id=MODEL)
        detector = AzureDetector("azure", chosen, Mvad(chosen), FolderStaging(None, print))
        (scores,) = detector.score([wide], 7, [slice(int(first), int(last) + 1)])
        sent = service.asked("POST")[0].body
    rows = np.flatnonzero(np.isfinite(scores.score))
    assert rows.tolist() == list(range(first, last + 1))
    assert len(rows) == 301
    assert scores.is_anomaly.sum() == 23
    for row, result in zip(rows, recorded, strict=True):
        value = result["value"]
        assert f"{sample.timestamps[row]}"[:19] + "Z" == result["timestamp"]
        assert (scores.score[row], scores.columns["severity"][row]) == (value["score"], value["severity"])
        assert scores.is_anomaly[row] == value["isAnomaly"]
        given = {one["variable"]: one["contributionScore"] for one in value["interpretation"]}
        found = {wide.variables[i]: x for i, x in enumerate(scores.contribution[row]) if np.isfinite(x)}
        assert found == given
    assert scores.notes == ()
    asked = dict(recording.sent[0][2])
    assert {**sent, "dataSource": asked["dataSource"]} == asked
    assert detector.trained_through == np.datetime64("2021-01-02T05:00", "us")


def test_the_recorded_deletion(recordings):
    with serving(Recording(recordings / "v1.1_delete_model.json")) as service:
        Mvad(settings(service.url)).delete(MODEL)
        assert [(call.method, call.path) for call in service.calls] == [("DELETE", f"/models/{MODEL}")]


def test_the_documented_shapes_are_read(recordings):
    """A normal sample without interpretation, an anomalous one without errors."""
    documented = json.loads((recordings / "GetResult.json").read_text())["responses"]["200"]["body"]
    info = {"status": "READY", "slidingWindow": 28, "dataSchema": "OneTable"}

    def answer(call):
        if call.method == "POST":
            return Reply(202, {"resultId": "r", "summary": {"status": "CREATED"}, "results": []})
        return Reply(200, documented if "detect-batch" in call.path else {"modelId": "m", "modelInfo": info})

    series = series_of(np.zeros((30, 3)), ("variable_1", "variable_2", "variable_3"))
    with serving(answer) as service:
        chosen = settings(service.url)
        (scores,) = AzureDetector("azure", chosen, Mvad(chosen), FolderStaging(None, print)).score([series], 1)
    assert scores.score[28:].tolist() == [0.6928471326828003, 0.9171165823936462]
    assert scores.is_anomaly.tolist() == [False] * 29 + [True]
    assert scores.contribution[29].tolist() == [0.1304264402, 0.5371576215, 0.3324159383]
    assert np.isnan(scores.contribution[28]).all()
