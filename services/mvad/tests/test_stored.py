"""What lies in the data folder is not trusted: one bad entry costs nothing but itself."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from anomscan_mvad import records, shapes
from anomscan_mvad.store import Store
from serving import PATIENCE_S, serving
from test_shapes import MODEL, places

KEY = "11111111-1111-1111-1111-111111111111"
STATE: dict[str, Any] = {"created": 1.7e9, "updated": 1.7e9, "attempts": 1, "info": MODEL["modelInfo"]}
RESULT: dict[str, Any] = {
    "created": 1.7e9,
    "model": KEY,
    "summary": {
        "status": "FAILED",
        "errors": [],
        "variableStates": [{"variable": "a", "filledNARatio": 1.0, "effectiveCount": 0}],
        "setupInfo": {
            "dataSource": "file:///x.csv",
            "topContributorCount": 10,
            "startTime": "2024-01-01T00:00:00Z",
            "endTime": "2024-01-01T00:00:00Z",
        },
    },
}


def put(data: Path, raw: str | bytes, key: str = KEY, shelf: str = "models") -> Path:
    folder = data / shelf / key
    folder.mkdir(parents=True)
    (folder / "state.json").write_bytes(raw.encode() if isinstance(raw, str) else raw)
    return folder


def opened(data: Path) -> Store:
    store = Store(data, records.read_model, records.read_result)
    store.close()
    return store


def changed(state: dict[str, Any], way: list[Any], value: object) -> dict[str, Any]:
    state = copy.deepcopy(state)
    at: Any = state
    for key in way[:-1]:
        at = at[key]
    at[way[-1]] = value
    return state


@pytest.mark.parametrize(("shelf", "good"), [("models", STATE), ("results", RESULT)])
def test_a_bad_field_costs_only_its_entry(tmp_path: Path, shelf: str, good: dict[str, Any]) -> None:
    put(tmp_path, json.dumps(good), shelf=shelf)
    number = 0
    for way in places(good):
        for wrong in (None, [], {}, [[1]], "\ud800", float("nan"), 1e300, -1, 10**400, True, "x"):
            number += 1
            put(tmp_path, json.dumps(changed(good, way, wrong)), f"22222222-2222-2222-2222-{number:012}", shelf)
    store = opened(tmp_path)
    kept = (store.models if shelf == "models" else store.results).items()
    assert KEY in dict(kept)
    assert len(kept) + len(store.left_out) == number + 1
    assert len(store.left_out) > number / 2
    for key, state in kept:
        if shelf == "models":
            assert shapes.misfit(records.public(key, state), shapes.MODEL) is None
        else:
            assert shapes.misfit(state["summary"], shapes.SUMMARY) is None


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"created": 1}', b"1" * 5000],
    ids=lambda r: str(r[:9]),
)
def test_what_is_no_state_is_left_where_it_is(tmp_path: Path, raw: bytes) -> None:
    folder = put(tmp_path, raw)
    store = opened(tmp_path)
    assert store.models.items() == []
    assert len(store.left_out) == 1
    assert (folder / "state.json").read_bytes() == raw


def test_entries_of_other_names(tmp_path: Path) -> None:
    put(tmp_path, json.dumps(STATE), "by-hand")
    (tmp_path / "models" / "stray").write_text("")
    cut_short = tmp_path / "models" / KEY
    cut_short.mkdir()
    store = opened(tmp_path)
    assert store.models.items() == []
    assert [line.partition(" is left out")[0].rpartition("/")[2] for line in sorted(store.left_out)] == [
        "by-hand",
        "stray",
    ]
    assert not cut_short.exists()


def test_what_earlier_versions_stored_is_put_right(tmp_path: Path) -> None:
    old = changed(STATE, ["info", "dataSource"], "folder/my table.csv")
    old = changed(old, ["info", "displayName"], "x\ud800")
    states = ["info", "diagnosticsInfo", "variableStates", 0]
    old = changed(old, states, {**MODEL_STATE, "firstTimestamp": None, "lastTimestamp": None})
    put(tmp_path, json.dumps(old))
    store = opened(tmp_path)
    assert store.left_out == []
    (_, state) = store.models.items()[0]
    assert state["info"]["dataSource"] == "file:///folder/my%20table.csv"
    assert state["info"]["displayName"] == "x?"
    assert state["info"]["diagnosticsInfo"]["variableStates"] == [MODEL_STATE]


MODEL_STATE = {"variable": "a", "filledNARatio": 1.0, "effectiveCount": 0}


def test_a_server_lists_what_is_good(tmp_path: Path) -> None:
    put(tmp_path, json.dumps(changed(STATE, ["info", "displayName"], "x\ud800")))
    put(tmp_path, json.dumps(changed(STATE, ["created"], "yesterday")), "22222222-2222-2222-2222-222222222222")
    with serving(tmp_path) as server:
        assert "left out" in server.lines.get(timeout=PATIENCE_S)
        status, _, listed = server.ask("GET", "/models")
        assert (status, [model["modelId"] for model in listed["models"]]) == (200, [KEY])
        assert server.ask("GET", "/models/22222222-2222-2222-2222-222222222222")[0] == 404
