"""The merged settings to be read by a person, each value with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from anomscan.config.loading import Loaded
from anomscan.config.toml import toml_value
from anomscan.config.tree import leaves


def explain(loaded: Loaded) -> list[tuple[str, str, str]]:
    """Every setting as (key, value as TOML text, origin); secrets are masked."""
    rows = []
    for key, value in leaves(_plain(loaded.settings)):
        origin = next((loaded.origins[key[:n]] for n in range(len(key), 0, -1) if key[:n] in loaded.origins), "default")
        rows.append((".".join(key), _toml(value), origin))
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {field.alias or name: _plain(getattr(value, name)) for name, field in type(value).model_fields.items()}
    if isinstance(value, Mapping):
        return {name: _plain(child) for name, child in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value


def _toml(value: Any) -> str:
    if value is None:
        return "(not set)"
    if isinstance(value, SecretStr):
        return '"**********"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, Mapping):
        given = [f"{name} = {_toml(each)}" for name, each in value.items() if each not in (None, [])]
        return f"{{ {', '.join(given)} }}"
    return toml_value(value)
