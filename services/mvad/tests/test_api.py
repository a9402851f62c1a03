"""The API by plain HTTP: its answers, headers and refusals."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from series import NAMES, one_table, rows, stamp
from serving import KEY, PATIENCE_S, ROOT, Served, training
from webserver import Web


def batch(**fields: object) -> dict[str, object]:
    times = {"startTime": stamp(440), "endTime": stamp(510)}
    return {"dataSource": "table.csv", "topContributorCount": 2, **times, **fields}


def test_training_answers_as_recorded(server: Served, model: str, fixtures: Path) -> None:
    recorded = json.loads((fixtures / "v1.1_train.json").read_text())["Entries"]
    created, ready = recorded[0]["ResponseBody"], recorded[-1]["ResponseBody"]
    status, headers, body = server.ask("POST", "/models", training())
    assert status == 201
    assert headers["location"] == f"{server.url}{ROOT}/models/{body['modelId']}"
    assert list(body) == list(created)
    assert list(body["modelInfo"]) == list(created["modelInfo"])
    assert body["modelInfo"]["diagnosticsInfo"] == created["modelInfo"]["diagnosticsInfo"]
    assert server.ask("DELETE", f"/models/{body['modelId']}")[0] == 204
    done = server.wait(f"/models/{model}")["modelInfo"]
    shape = ready["modelInfo"]["diagnosticsInfo"]
    assert list(done["diagnosticsInfo"]["modelState"]) == list(shape["modelState"])
    assert done["diagnosticsInfo"]["modelState"]["epochIds"] == shape["modelState"]["epochIds"]
    assert list(done["diagnosticsInfo"]["variableStates"][0]) == list(shape["variableStates"][0])


def test_ready_model_says_how_it_went(server: Served, model: str) -> None:
    info = server.wait(f"/models/{model}")["modelInfo"]
    assert (info["status"], info["errors"], info["displayName"]) == ("READY", [], "waves")
    losses = info["diagnosticsInfo"]["modelState"]["trainLosses"]
    assert 0 < losses[-1] < losses[0]
    assert info["diagnosticsInfo"]["variableStates"][0] == {
        "variable": "flow",
        "filledNARatio": 0.0,
        "effectiveCount": 400,
        "firstTimestamp": stamp(0),
        "lastTimestamp": stamp(399),
    }


@pytest.mark.parametrize(("trained", "source"), [(None, "table.csv"), ("files.zip", "folder")])
def test_batch_finds_the_spikes(server: Served, model: str, trained: str | None, source: str) -> None:
    if trained:
        model = server.train(dataSource=trained, dataSchema="MultiTable")
        assert server.wait(f"/models/{model}")["modelInfo"]["status"] == "READY"
    status, headers, body = server.ask("POST", f"/models/{model}:detect-batch", batch(dataSource=source))
    assert (status, body["summary"]["status"], body["results"]) == (202, "CREATED", [])
    assert headers["operation-id"] == body["resultId"]
    assert headers["operation-location"] == f"{server.url}{ROOT}/detect-batch/{body['resultId']}"
    done = server.wait(f"/detect-batch/{body['resultId']}")
    assert done["summary"]["status"] == "READY", done["summary"]
    results = done["results"]
    assert [r["timestamp"] for r in results] == [stamp(i) for i in range(440, 511)]
    found = {r["timestamp"]: r["value"] for r in results if r["value"]["isAnomaly"]}
    assert {stamp(450), stamp(500)} <= set(found)
    for value in found.values():
        assert value["severity"] == pytest.approx(value["score"] / 1.718281828)
        assert 1 <= len(value["interpretation"]) <= 2
        assert value["interpretation"][0]["variable"] in NAMES
    quiet = next(r["value"] for r in results if not r["value"]["isAnomaly"])
    assert (quiet["severity"], quiet["interpretation"]) == (0.0, [])


def test_rows_without_history_carry_the_code(server: Served, model: str) -> None:
    times = {"startTime": stamp(-100), "endTime": stamp(60)}
    _, _, body = server.ask("POST", f"/models/{model}:detect-batch", batch(**times))
    results = server.wait(f"/detect-batch/{body['resultId']}")["results"]
    assert len(results) == 61
    assert [r["errors"][0]["code"] for r in results[:27]] == ["InsufficientHistoricalData"] * 27
    assert all("value" not in r for r in results[:27])
    assert all("value" in r for r in results[27:])


def test_detect_last(server: Served, model: str) -> None:
    data = rows(600, spikes=(450,))[400:451]
    variables = [
        {"variable": name, "timestamps": [m for m, _ in data], "values": [v[i] for _, v in data]}
        for i, name in enumerate(NAMES)
    ]
    status, _, body = server.ask("POST", f"/models/{model}:detect-last", {"variables": variables})
    assert status == 200, body
    assert [r["timestamp"] for r in body["results"]] == [stamp(450)]
    assert body["results"][0]["value"]["isAnomaly"] is True
    assert body["variableStates"][0]["effectiveCount"] == 1
    holed = [*variables[:2], {**variables[2], "values": [*variables[2]["values"][:-1], None]}]
    status, _, body = server.ask("POST", f"/models/{model}:detect-last", {"variables": holed})
    assert body["variableStates"][0] == {"variable": "load", "filledNARatio": 1.0, "effectiveCount": 0}
    short = [{**v, "timestamps": v["timestamps"][:20], "values": v["values"][:20]} for v in variables]
    status, headers, body = server.ask("POST", f"/models/{model}:detect-last", {"variables": short})
    assert (status, body["code"], headers["x-ms-error-code"]) == (400, "NotEnoughInput", "NotEnoughInput")
    status, _, body = server.ask("POST", f"/models/{model}:detect-last", {"variables": variables[:2]})
    assert (status, body["code"]) == (400, "ColumnNotFound")
    extra = [*variables, {**variables[0], "variable": "more"}]
    status, _, body = server.ask("POST", f"/models/{model}:detect-last", {"variables": extra})
    assert (status, body["code"]) == (400, "NumColumnsMismatch")


def test_last_agrees_with_batch(server: Served, model: str) -> None:
    _, _, body = server.ask("POST", f"/models/{model}:detect-batch", batch())
    result = server.wait(f"/detect-batch/{body['resultId']}")["results"][30]
    data = rows(600, spikes=(450, 500))[: 440 + 30 + 1][-28:]
    variables = [
        {"variable": name, "timestamps": [m for m, _ in data], "values": [v[i] for _, v in data]}
        for i, name in enumerate(NAMES)
    ]
    _, _, last = server.ask("POST", f"/models/{model}:detect-last", {"variables": variables})
    assert last["results"][0]["timestamp"] == result["timestamp"]
    assert last["results"][0]["value"]["score"] == pytest.approx(result["value"]["score"], abs=1e-6)


BAD_TRAININGS = [
    (b"{", "InvalidJsonFormat"),
    (b"[]", "InvalidJsonFormat"),
    (b"[" * 50000, "InvalidJsonFormat"),
    (b"\xff\xfe", "InvalidJsonFormat"),
    ({"displayName": "x\ud800"}, "InvalidJsonFormat"),
    ({"dataSource": "\udfff.csv"}, "InvalidJsonFormat"),
    ({"ignored": {"deep": ["\udc00\ud800"]}}, "InvalidJsonFormat"),
    ({"\ud800": 1}, "InvalidJsonFormat"),
    (b'{"displayName": "\xed\xa0\x80"}', "InvalidJsonFormat"),
    ('{"displayName": "x\\ud800"}'.encode("utf-16"), "InvalidJsonFormat"),
    ({"dataSource": None}, "RequiredSource"),
    ({"startTime": None}, "RequiredStartTime"),
    ({"endTime": ""}, "RequiredEndTime"),
    ({"startTime": "yesterday"}, "InvalidTimestampFormat"),
    ({"startTime": 12}, "InvalidTimestampFormat"),
    ({"startTime": "0001-01-01T00:00:00Z"}, "InvalidTimestampFormat"),
    ({"startTime": "2025-01-01T00:00:00Z"}, "InvalidRequestParameterError"),
    ({"slidingWindow": 27}, "InvalidSlidingWindow"),
    ({"slidingWindow": 2881}, "InvalidSlidingWindow"),
    ({"slidingWindow": 28.5}, "InvalidSlidingWindow"),
    ({"slidingWindow": True}, "InvalidSlidingWindow"),
    ({"alignPolicy": {"alignMode": "outer"}}, "InvalidAlignMode"),
    ({"alignPolicy": {"fillNAMethod": "Mean"}}, "InvalidFillNAMethod"),
    ({"alignPolicy": {"fillNAMethod": "NotFill"}}, "InvalidFillNAMethod"),
    ({"alignPolicy": {"fillNAMethod": "Fixed"}}, "RequiredPaddingValue"),
    ({"alignPolicy": {"fillNAMethod": "Fixed", "paddingValue": "x"}}, "InvalidRequestParameterError"),
    ({"alignPolicy": {"fillNAMethod": "Fixed", "paddingValue": 1e39}}, "InvalidRequestParameterError"),
    ({"alignPolicy": []}, "InvalidRequestParameterError"),
    ({"dataSchema": "TwoTables"}, "InvalidRequestParameterError"),
    ({"displayName": "n" * 25}, "InvalidRequestParameterError"),
    ({"dataSource": "nothing.csv"}, "FileNotExist"),
]


@pytest.mark.parametrize(("fields", "code"), BAD_TRAININGS, ids=lambda v: str(v)[:40])
def test_wrong_trainings_are_refused(server: Served, fields: Any, code: str) -> None:
    body = fields if isinstance(fields, bytes) else training(**fields)
    status, headers, answer = server.ask("POST", "/models", body)
    assert (status, answer["code"], headers["x-ms-error-code"]) == (400, code, code)
    assert answer["message"]


def test_unknown_things(server: Served) -> None:
    for method, path, body in (
        ("GET", "/models/none", None),
        ("DELETE", "/models/none", None),
        ("POST", "/models/none:detect-batch", batch()),
        ("POST", "/models/none:detect-last", {}),
        ("GET", "/models/..%2F..%2Fetc", None),
    ):
        status, _, answer = server.ask(method, path, body)
        assert status == 404
        assert answer.get("code", "ModelNotExist") == "ModelNotExist"
    status, _, answer = server.ask("GET", "/detect-batch/none")
    assert (status, answer["code"]) == (404, "ResultNotExist")
    assert server.ask("GET", "/models", root="/anomalydetector/v1.0/multivariate")[0] == 404
    assert server.ask("PUT", "/models")[0] == 405


def test_wrong_detections_are_refused(server: Served, model: str) -> None:
    for fields, code in (
        ({"topContributorCount": 0}, "InvalidRequestParameterError"),
        ({"topContributorCount": 31}, "InvalidRequestParameterError"),
        ({"endTime": stamp(0)}, "InvalidRequestParameterError"),
        ({"startTime": None}, "RequiredStartTime"),
        ({"dataSource": "x\ud800"}, "InvalidJsonFormat"),
    ):
        status, _, answer = server.ask("POST", f"/models/{model}:detect-batch", batch(**fields))
        assert (status, answer["code"]) == (400, code)
    for body in ({}, {"variables": []}, {"variables": [1]}, {"variables": [{"variable": "flow"}]}):
        status, _, answer = server.ask("POST", f"/models/{model}:detect-last", body)
        assert (status, answer["code"]) == (400, "InvalidRequestParameterError")
    lone = {"variables": [{"variable": "x\ud800", "timestamps": [stamp(0)], "values": [1]}]}
    status, _, answer = server.ask("POST", f"/models/{model}:detect-last", lone)
    assert (status, answer["code"]) == (400, "InvalidJsonFormat")
    many = [{"variable": f"v{i}", "timestamps": [], "values": []} for i in range(301)]
    status, _, answer = server.ask("POST", f"/models/{model}:detect-last", {"variables": many})
    assert (status, answer["code"]) == (400, "DataExceedsLimit")


def test_failed_and_unready_models_detect_nothing(server: Served) -> None:
    failed = server.train(startTime="2020-01-01T00:00:00Z", endTime="2020-01-02T00:00:00Z")
    info = server.wait(f"/models/{failed}")["modelInfo"]
    assert (info["status"], info["errors"][0]["code"]) == ("FAILED", "NoData")
    status, _, answer = server.ask("POST", f"/models/{failed}:detect-batch", batch())
    assert (status, answer["code"]) == (400, "ModelFailed")
    waiting = server.train()
    status, _, answer = server.ask("POST", f"/models/{waiting}:detect-batch", batch())
    assert (status, answer["code"]) == (400, "ModelNotReady")
    for key in (failed, waiting):
        assert server.ask("DELETE", f"/models/{key}")[0] == 204


def test_whole_characters_beyond_the_first_plane_are_kept(server: Served) -> None:
    status, _, body = server.ask("POST", "/models", training(displayName="\U0001f600 x"))
    assert (status, body["modelInfo"]["displayName"]) == (201, "\U0001f600 x")
    assert server.ask("DELETE", f"/models/{body['modelId']}")[0] == 204


def test_too_little_and_too_much(server: Served, data: Path, model: str) -> None:
    short = server.wait(f"/models/{server.train(endTime=stamp(27))}")["modelInfo"]
    assert (short["status"], short["errors"][0]["code"]) == ("FAILED", "NotEnoughInput")
    (data / "sources" / "long.csv").write_text(one_table(rows(20_100)))
    for times, code in (
        ({"startTime": stamp(0), "endTime": stamp(20_000)}, "DataExceedsLimit"),
        ({"startTime": stamp(-9), "endTime": stamp(5)}, "NotEnoughInput"),
        ({"startTime": stamp(30_000), "endTime": stamp(30_001)}, "NoData"),
        ({"startTime": stamp(20_000), "endTime": stamp(20_000)}, None),
    ):
        _, _, body = server.ask("POST", f"/models/{model}:detect-batch", batch(dataSource="long.csv", **times))
        done = server.wait(f"/detect-batch/{body['resultId']}")
        assert [e["code"] for e in done["summary"]["errors"]] == ([code] if code else []), times
        assert [r["timestamp"] for r in done["results"]] == ([] if code else [stamp(20_000)])


def test_listing_pages(server: Served, page: Web, model: str) -> None:
    others = [server.train(dataSource=f"http://127.0.0.1:{page.port}/absent.csv") for _ in range(2)]
    for key in others:
        server.wait(f"/models/{key}")
    _, _, first = server.ask("GET", "/models?top=1")
    assert len(first["models"]) == 1
    assert first["currentCount"] >= 3
    assert first["maxCount"] >= first["currentCount"]
    _, _, second = server.ask("GET", first["nextLink"].removeprefix(server.url + ROOT))
    assert second["models"][0]["modelId"] != first["models"][0]["modelId"]
    _, _, rest = server.ask("GET", "/models?$skip=0&$top=100")
    assert "nextLink" not in rest
    assert {model, *others} <= {m["modelId"] for m in rest["models"]}
    for query in ("skip=x", "top=-1", "top=9999999999"):
        status, _, answer = server.ask("GET", f"/models?{query}")
        assert (status, answer["code"]) == (400, "InvalidRequestParameterError")
    for key in others:
        assert server.ask("DELETE", f"/models/{key}")[0] == 204


def test_keys(server: Served) -> None:
    for headers, word in (({}, "missing"), ({"Ocp-Apim-Subscription-Key": "wrong"}, "invalid")):
        for method, path in (("GET", "/models"), ("POST", "/models"), ("GET", "/nowhere")):
            status, _, body = server.ask(method, path, None, headers)
            assert (status, body["error"]["code"]) == (401, "401")
            assert word in body["error"]["message"]
            assert KEY not in str(body)


def test_bodies_are_bounded(server: Served) -> None:
    status, _, body = server.ask("POST", "/models", b"x" * 70_000)
    assert (status, body["code"]) == (413, "RequestBodyTooLarge")
    head = (
        f"POST {ROOT}/models HTTP/1.1\r\nHost: 127.0.0.1\r\nOcp-Apim-Subscription-Key: {KEY}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as raw:
        raw.sendall(head.encode())
        # All that may be sent, and a byte more: with nothing unread, the answer is not lost in a reset.
        raw.sendall((b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 2 + b"1\r\nx\r\n")
        assert b" 413 " in raw.recv(100)


def test_slow_heads_are_cut_off(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n")
        assert raw.recv(100) == b""
