"""The shapes of answers, held against what the hosted service answered and what Microsoft published."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from anomscan_mvad import shapes
from anomscan_mvad.shapes import misfit


def recorded(fixtures: Path, name: str) -> list[Any]:
    entries = json.loads((fixtures / name).read_text(encoding="utf-8"))["Entries"]
    return [entry["ResponseBody"] for entry in entries]


def test_recorded_answers_have_them(fixtures: Path) -> None:
    for answer in recorded(fixtures, "v1.1_train.json"):
        assert misfit(answer, shapes.MODEL) is None
    for answer in recorded(fixtures, "v1.1_batch_detect.json"):
        assert misfit(answer, shapes.RESULT) is None
    published = json.loads((fixtures / "published_outputs_sdk_demo.json").read_text(encoding="utf-8"))
    assert misfit(published["detect_last_response_for_5_3000.json"], shapes.LAST_RESULT) is None


def places(value: Any) -> list[list[Any]]:
    """List the ways to all that lies in a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [[key, *way] for key, item in inner for way in [[], *places(item)]]


MODEL = {
    "modelId": "7601d2a5-a273-4833-83a4-5055de8133cf",
    "createdTime": "2024-01-01T00:00:00Z",
    "lastUpdatedTime": "2024-01-01T00:00:00Z",
    "modelInfo": {
        "dataSource": "file:///data/x.csv",
        "dataSchema": "OneTable",
        "startTime": "2024-01-01T00:00:00Z",
        "endTime": "2024-01-01T00:00:00.25Z",
        "displayName": "",
        "slidingWindow": 28,
        "alignPolicy": {"alignMode": "Outer", "fillNAMethod": "Linear", "paddingValue": 0},
        "status": "FAILED",
        "errors": [{"code": "NoData", "message": "none"}],
        "diagnosticsInfo": {
            "modelState": {"epochIds": [10], "trainLosses": [0.5], "validationLosses": [0], "latenciesInSeconds": [1]},
            "variableStates": [{"variable": "a", "filledNARatio": 1.0, "effectiveCount": 0}],
        },
    },
}


def test_null_and_strangers_fit_nowhere() -> None:
    assert misfit(MODEL, shapes.MODEL) is None
    for way in places(MODEL):
        for wrong in (None, "x\ud800", [None], {"": 1}, float("nan"), 1e39, True):
            broken = copy.deepcopy(MODEL)
            at: Any = broken
            for key in way[:-1]:
                at = at[key]
            at[way[-1]] = wrong
            assert misfit(broken, shapes.MODEL), (way, wrong)


@pytest.mark.parametrize(
    ("shape", "good", "bad"),
    [
        (shapes.identifier, ["7601d2a5-a273-4833-83a4-5055de8133cf"], ["7601d2a5a273483383a45055de8133cf", "x", 1]),
        (shapes.time, ["2024-01-01T00:00:00Z"], ["2024-01-01", "2024-13-01T00:00:00Z", "2024-01-01T00:00:00+01:00"]),
        (shapes.url, ["https://h/x", "file:///x"], ["x.csv", "", "http://[", None]),
        (shapes.count, [0, 2**31 - 1], [-1, 2**31, 1.0, True]),
        (shapes.number, [0, -1.5, shapes.FLOAT32_MAX], [float("inf"), 10**400, "1", False]),
    ],
    ids=["identifier", "time", "url", "count", "number"],
)
def test_simple_shapes(shape: shapes.Shape, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if misfit(value, shape)] == []
    assert [value for value in bad if not misfit(value, shape)] == []
    missing = {name: value for name, value in MODEL.items() if name != "createdTime"}
    assert misfit(missing, shapes.MODEL) == ".createdTime"
