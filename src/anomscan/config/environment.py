"""Settings in the environment and in a .env file, which is read as if it were the environment."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anomscan.config.settings import Settings
from anomscan.config.tree import put

PREFIX = "ANOMSCAN_"

#: The first notebook's variables, which stand in for what such a section leaves out: (section, kind), key, name.
#: The first key of each is the address of a service; the second and third belong to the notebook's service alone.
_NOTEBOOK = {
    ("sources", "rest"): {"url": "inference_telemetry_endpoint_url", "key": "inference_telemetry_endpoint_key"},
    ("detectors", "azure"): {
        "endpoint": "anomaly_detector_endpoint",
        "key": "anomaly_detector_key",
        "model_id": "anomaly_detector_model_id",
        "storage_connection_string": "storage_connection_string",
    },
}
_NOTEBOOK_HOME = frozenset({"key", "model_id"})


def settings_in(environ: Mapping[str, str], env_file: Path) -> Iterator[tuple[str, str, str]]:
    """Variables that name a setting, those of the .env file first: (name, value, who gave it)."""
    sections = tuple(f"{PREFIX}{section.upper()}_" for section in Settings.model_fields)
    if env_file.is_file():
        from dotenv import dotenv_values

        for name, value in dotenv_values(env_file).items():
            if name.startswith(sections) and value is not None and name not in environ:
                yield name, value, f"{env_file} {name}"
    for name in sorted(environ):
        if name.startswith(sections):
            yield name, environ[name], f"environment {name}"


def export(env_file: Path) -> None:
    """Give this process what the .env file says beside settings: what env:NAME means, AWS_PROFILE and the like."""
    if env_file.is_file():
        from dotenv import dotenv_values

        for name, value in dotenv_values(env_file).items():
            if not name.startswith(PREFIX) and value is not None:
                os.environ.setdefault(name, value)


def notebook_names(
    tree: Mapping[str, Any], environ: Mapping[str, str], env_file: Path
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What the notebook's variables give to sections that leave it out: (key, value, who gave it)."""
    asked = [
        (part, name, section, names)
        for (part, kind), names in _NOTEBOOK.items()
        for name, section in (tree[part].items() if isinstance(tree.get(part), Mapping) else ())
        if isinstance(section, Mapping) and section.get("kind") == kind and not set(names) <= set(section)
    ]
    if not asked:
        return
    known = {variable for names in _NOTEBOOK.values() for variable in names.values()}
    given = {variable: (environ[variable], f"environment {variable}") for variable in known if environ.get(variable)}
    if env_file.is_file():
        from dotenv import dotenv_values

        for variable, value in dotenv_values(env_file).items():
            if variable in known and value and variable not in environ:
                given[variable] = (value, f"{env_file} {variable}")
    for part, name, section, names in asked:
        home = next(iter(names))
        # What belongs to the notebook's service must not be sent to one elsewhere.
        elsewhere = names[home] in given and home in section and _host(section[home]) != _host(given[names[home]][0])
        for key, variable in names.items():
            if key not in section and variable in given and not (elsewhere and key in _NOTEBOOK_HOME):
                yield (part, name, key), *given[variable]


def _host(url: object) -> str:
    match = re.match(r"\w+://([^/?#]*)", str(url))
    return match[1].lower() if match else ""


def set_from(tree: dict[str, Any], variable: str, value: str) -> tuple[str, ...]:
    """Put an environment variable's value where its name says; parts match keys that exist without regard to case."""
    key: list[str] = []
    node: Any = tree
    for part in variable.removeprefix(PREFIX).lower().split("__"):
        known = [name for name in node if name.lower() == part] if isinstance(node, dict) else []
        key.append(known[0] if known else part)
        node = node.get(key[-1], {}) if isinstance(node, dict) else {}
    put(tree, tuple(key), _from_text(value))
    return tuple(key)


def _from_text(text: str) -> Any:
    """An environment value: a TOML array or table where it looks like one, else text (pydantic reads numbers)."""
    if text[:1] in "[{" and text:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    return text
