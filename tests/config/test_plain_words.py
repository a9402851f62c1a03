"""Whatever stands in whatever key: taken, or refused in plain words that name the key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from anomscan.config import load
from anomscan.config.detector_sections import DetectorSettings
from anomscan.config.settings import Settings
from anomscan.config.source_sections import SourceSettings
from anomscan.errors import ConfigError

WRONG = ["3", "-3", "1e400", "nan", "1.5", "true", '"text"', '""', '"\\u0000"', "[]", "[3]", '["a"]', "[[1]]", "{}"]
WRONG += ["{ a = 1 }", "[{}]", "12:00:00", "2020-01-01", "99999999999999999999999"]
#: What belongs to a programmer.
JARGON = re.compile(r"class|pathlib|pydantic|tuple|dictionary|instance\b|attribute|validation|None|input should|Error")

COLUMNS = {"asset": "a", "timestamp": "t", "values": ["v"]}
#: What must stand in a section of a kind beside the key.
BESIDE = {
    "files": {"path": "t.csv", "cadence": "1D", "columns": COLUMNS},
    "sql": {"query": "SELECT 1", "cadence": "1D", "columns": COLUMNS},
    "rest": {"url": "https://example.com/{asset}", "cadence": "1D", "columns": COLUMNS},
    "recorded": {"path": "scores.csv"},
    "sagemaker": {"endpoint": "forest"},
    "azure": {"endpoint": "https://example.com"},
}


class Raw(str):
    """A value as TOML writes it."""


def sections() -> Iterator[tuple[list[str], type[BaseModel], dict[str, Any]]]:
    """Each table of the settings: its key, its model, and the settings that it needs around it."""
    for name, field in Settings.model_fields.items():
        if name not in ("sources", "detectors"):
            yield from tables([name], field.annotation, {name: {}})
    for name, union in (("sources", SourceSettings), ("detectors", DetectorSettings)):
        for model in get_args(get_args(union)[0]):
            kind = get_args(model.model_fields["kind"].annotation)[0]
            yield from tables([name, "x"], model, {name: {"x": {"kind": kind, **BESIDE.get(kind, {})}}})


def tables(key: list[str], model: Any, around: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    if isinstance(model, type) and issubclass(model, BaseModel):
        yield key, model, around
        for name, field in model.model_fields.items():
            yield from tables([*key, name], field.annotation, around)


def written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {written(each)}" for name, each in value.items()) + "}"
    return value if isinstance(value, Raw) else json.dumps(value)


@pytest.mark.slow
@pytest.mark.parametrize("value", WRONG)
def test_every_key_with_every_kind_of_value(tmp_path, value):
    path, refused = tmp_path / "anomscan.toml", 0
    for key, model, around in sections():
        for name in model.model_fields:
            tree = deepcopy(around)
            inner = tree
            for part in key:
                inner = inner.setdefault(part, {})
            inner[name] = Raw(value)
            path.write_text(f"{key[0]} = {written(tree[key[0]])}\n", "utf-8")
            try:
                load(path, environ={}, cwd=tmp_path)
            except ConfigError as error:
                refused += 1
                for told in map(str, error.parts or [error]):
                    assert len(told.splitlines()) == 1
                    assert not JARGON.search(told.replace(str(path), "")), told
    assert refused > 20
