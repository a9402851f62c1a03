"""The official client, unmodified, through its whole life; and what Microsoft published, found again."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from azure.ai.anomalydetector import AnomalyDetectorClient
from azure.ai.anomalydetector.models import (
    AlignPolicy,
    ModelInfo,
    MultivariateBatchDetectionOptions,
    MultivariateLastDetectionOptions,
    VariableValues,
)
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from azurite import Blobs, azurite, command
from series import NAMES, files, one_table, packed, rows, stamp
from serving import KEY, MOST_ANSWERS, Served, serving
from webserver import Web

Client = AnomalyDetectorClient


def client_of(server: Served, key: str = KEY) -> Client:
    return AnomalyDetectorClient(server.url, AzureKeyCredential(key))


@pytest.fixture
def client(server: Served) -> Iterator[Client]:
    with client_of(server) as client:
        yield client


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def poll(get: Callable[[], Any], status: Callable[[Any], str]) -> Any:
    """Ask until it is over. A service that died answers no more; one that never ends is given up after many answers."""
    for _ in range(MOST_ANSWERS):
        if status(got := get()) in ("READY", "FAILED"):
            return got
        time.sleep(0.2)
    pytest.fail(f"still {status(got)} after {MOST_ANSWERS} answers")


def train(client: Client, info: ModelInfo) -> Any:
    key = client.train_multivariate_model(info).model_id
    return poll(lambda: client.get_multivariate_model(key), lambda m: m.model_info.status)


def detect(client: Client, key: str, source: str, start: str, end: str, top: int = 10) -> Any:
    options = MultivariateBatchDetectionOptions(
        data_source=source, top_contributor_count=top, start_time=instant(start), end_time=instant(end)
    )
    result = client.detect_multivariate_batch_anomaly(key, options).result_id
    return poll(lambda: client.get_multivariate_batch_detection_result(result), lambda r: r.summary.status)


def life(client: Client, source: str, schema: str, then: str | None = None) -> None:
    """Train, poll, list, detect (from another source, if there is one), poll, detect the last, delete."""
    info = ModelInfo(
        data_source=source,
        start_time=instant(stamp(0)),
        end_time=instant(stamp(399)),
        data_schema=schema,
        display_name="sdk",
        sliding_window=28,
        align_policy=AlignPolicy(align_mode="Outer", fill_n_a_method="Linear", padding_value=0),
    )
    model = train(client, info)
    assert model.model_info.status == "READY", model.model_info.errors
    assert model.model_info.diagnostics_info.model_state.epoch_ids == list(range(10, 101, 10))
    assert {v.variable for v in model.model_info.diagnostics_info.variable_states} == set(NAMES)
    assert model.model_id in {m.model_id for m in client.list_multivariate_models(skip=0, top=3)}
    found = detect(client, model.model_id, then or source, stamp(440), stamp(510), 1)
    assert found.summary.status == "READY", found.summary.errors
    assert [r.timestamp for r in found.results] == [instant(stamp(i)) for i in range(440, 511)]
    anomalous = {r.timestamp for r in found.results if r.value.is_anomaly}
    assert {instant(stamp(450)), instant(stamp(500))} <= anomalous
    assert all(len(r.value.interpretation or []) == (r.timestamp in anomalous) for r in found.results)
    tail = rows(600, spikes=(450, 500))[470:501]
    variables = [
        VariableValues(variable=name, timestamps=[m for m, _ in tail], values=[v[i] for _, v in tail])
        for i, name in enumerate(NAMES)
    ]
    last = client.detect_multivariate_last_anomaly(
        model.model_id, MultivariateLastDetectionOptions(variables=variables, top_contributor_count=2)
    )
    assert [(r.timestamp, r.value.is_anomaly) for r in last.results] == [(instant(stamp(500)), True)]
    client.delete_multivariate_model(model.model_id)
    with pytest.raises(ResourceNotFoundError) as caught:
        client.get_multivariate_model(model.model_id)
    assert caught.value.error is not None
    assert caught.value.error.code == "ModelNotExist"


def test_life_over_http(client: Client, page: Web) -> None:
    page.gives("/table.csv", one_table(rows(600, spikes=(450, 500))).encode())
    life(client, f"http://127.0.0.1:{page.port}/table.csv", "OneTable")


def test_life_over_azurite(tmp_path: Path) -> None:
    start = command()
    if start is None:
        pytest.skip("Azurite is not installed; npm install azurite, and set ANOMSCAN_AZURITE to that folder")
    with (
        azurite(start, tmp_path) as blobs,
        serving(tmp_path / "data", "--allow-host", f"127.0.0.1:{blobs.port}") as server,
        client_of(server) as client,
    ):
        archive = packed(files(rows(600, spikes=(450, 500))))
        source = blobs.put("telemetry.zip", archive)
        refuse(client, blobs, source, archive)
        for name, text in files(rows(600, spikes=(450, 500))).items():
            blobs.put(f"fleet/windy site/{name}", text.encode())
        blobs.put("fleet/windy site/notes.txt", b"left out")
        blobs.put("fleet/windy site/deeper/flow.csv", b"left out")
        life(client, blobs.folder("fleet/windy%20site"), "MultiTable", source)
        refuse_folders(client, blobs)
        kept = "".join(p.read_text() for p in (tmp_path / "data").rglob("*.json"))
        assert "sig=" not in kept


def refuse(client: Client, blobs: Blobs, source: str, archive: bytes) -> None:
    times = {"start_time": instant(stamp(0)), "end_time": instant(stamp(399))}
    for url, code in (
        (source.partition("?")[0], "StorageReadError"),
        (source.replace("sig=", "sig=x"), "StorageReadError"),
        (blobs.put("late.zip", archive, minutes=-1), "StorageReadError"),
        (source.replace("telemetry", "absent"), "FileNotExist"),
    ):
        model = train(client, ModelInfo(data_source=url, **times))
        assert model.model_info.status == "FAILED"
        # Which of the two an emulator or the cloud says about a blob that is not there is theirs to choose.
        assert model.model_info.errors[0].code in (code, "StorageReadError")


def refuse_folders(client: Client, blobs: Blobs) -> None:
    times = {"start_time": instant(stamp(0)), "end_time": instant(stamp(399)), "data_schema": "MultiTable"}
    for url, words in (
        (blobs.folder("fleet/windy%20site", listing=False), "must permit listing"),
        (blobs.folder("fleet/absent"), "As a folder it holds no CSV file"),
        (blobs.folder("fleet"), "As a folder it holds no CSV file"),
    ):
        model = train(client, ModelInfo(data_source=url, **times))
        assert model.model_info.status == "FAILED"
        assert words in model.model_info.errors[0].message
        assert "sig=" not in model.model_info.errors[0].message


def test_errors_reach_the_client_whole(server: Served, client: Client) -> None:
    times = {"start_time": instant(stamp(0)), "end_time": instant(stamp(399))}
    with pytest.raises(HttpResponseError) as caught:
        client.train_multivariate_model(ModelInfo(data_source="table.csv", sliding_window=5, **times))
    assert caught.value.status_code == 400
    assert caught.value.model is not None
    assert caught.value.model.code == "InvalidSlidingWindow"
    assert "28 and 2880" in caught.value.model.message
    with client_of(server, "wrong") as stranger, pytest.raises(ClientAuthenticationError, match="invalid subscription"):
        list(stranger.list_multivariate_models())


def test_paging(server: Served, client: Client, page: Web) -> None:
    keys = {server.train(dataSource=f"http://127.0.0.1:{page.port}/absent.csv") for _ in range(3)}
    for key in keys:
        server.wait(f"/models/{key}")
    assert keys <= {m.model_id for m in client.list_multivariate_models(top=1)}
    for key in keys:
        client.delete_multivariate_model(key)


@pytest.mark.slow
@pytest.mark.parametrize("schema", ["OneTable", "MultiTable"])
def test_published_anomalies(fixtures: Path, tmp_path: Path, schema: str) -> None:
    published = json.loads((fixtures / "published_outputs_sdk_demo.json").read_text())
    name = "sample_data_5_3000.csv" if schema == "OneTable" else "multivariate_sample_data_5_3000.zip"
    start = command()
    if start is None:
        pytest.skip("Azurite is not installed; npm install azurite, and set ANOMSCAN_AZURITE to that folder")
    with (
        azurite(start, tmp_path) as blobs,
        serving(tmp_path / "data", "--allow-host", f"127.0.0.1:{blobs.port}", quick=False) as server,
        client_of(server) as client,
    ):
        source = blobs.put(name, (fixtures / name).read_bytes())
        asked = published["train"]
        policy = asked["alignPolicy"]
        model = train(
            client,
            ModelInfo(
                data_source=source,
                data_schema=schema,
                start_time=instant(asked["startTime"]),
                end_time=instant(asked["endTime"]),
                sliding_window=asked["slidingWindow"],
                align_policy=AlignPolicy(
                    align_mode=policy["alignMode"],
                    fill_n_a_method=policy["fillNAMethod"],
                    padding_value=policy["paddingValue"],
                ),
            ),
        )
        assert model.model_info.status == "READY", model.model_info.errors
        span = published["detect_batch"]
        found = detect(client, model.model_id, source, span["startTime"], span["endTime"])
    assert len(found.results) == published["result_rows"]
    values = {r.timestamp: r.value for r in found.results}
    anomalies = published["anomalies_in_first_100_printed"]
    printed = [row for row in published["results_head_tail_printed"] if row["timestamp"] != "..."] + anomalies
    wanted = {instant(row["timestamp"]): str(row["isAnomaly"]).lower() == "true" for row in printed}
    assert {moment: values[moment].is_anomaly for moment in wanted} == wanted
    head = {r.timestamp for r in found.results[:100] if r.value.is_anomaly}
    assert head == {instant(row["timestamp"]) for row in anomalies}
    theirs = np.array([float(row["score"]) for row in printed])
    ours = np.array([values[instant(row["timestamp"])].score for row in printed])
    pearson = float(np.corrcoef(theirs, ours)[0, 1])
    difference = float(abs(theirs - ours).mean())
    losses = model.model_info.diagnostics_info.model_state.train_losses
    print(f"{schema}: Pearson {pearson:.5f}, mean difference {difference:.4f}, losses {losses}")
    assert pearson >= 0.999
    assert difference < 0.005
    assert losses[-1] == pytest.approx(published["modelState"]["trainLosses"][-1], abs=0.02)
    second = published["interpretation_of_2nd_anomaly_0913"]
    top = next(r for r in found.results if r.timestamp == instant(anomalies[1]["timestamp"])).value.interpretation[0]
    assert top.variable == second[0]["variable"]
    assert top.contribution_score == pytest.approx(second[0]["contributionScore"], abs=0.05)
