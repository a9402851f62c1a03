"""Settings in the environment and in a .env file, which is read as if it were the environment."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from anomscan.config.settings import Settings
from anomscan.config.tree import put
from anomscan.errors import ConfigError

PREFIX = "ANOMSCAN_"


class _Name(NamedTuple):
    """A variable of the first notebook, used for a key that sections of a kind leave out."""

    part: str
    kind: str
    key: str
    variable: str
    #: The key with the address of the only service this value may be sent to; None if it may go anywhere.
    home: str | None = None


_NOTEBOOK = (
    _Name("sources", "rest", "url", "inference_telemetry_endpoint_url"),
    _Name("sources", "rest", "key", "inference_telemetry_endpoint_key", home="url"),
    _Name("detectors", "azure", "endpoint", "anomaly_detector_endpoint"),
    _Name("detectors", "azure", "key", "anomaly_detector_key", home="endpoint"),
    _Name("detectors", "azure", "model_id", "anomaly_detector_model_id", home="endpoint"),
    _Name("detectors", "azure", "storage_connection_string", "storage_connection_string"),
)
_ADDRESSES = {(row.part, row.kind, row.key): row.variable for row in _NOTEBOOK}


def settings_in(environ: Mapping[str, str], env_file: Path) -> Iterator[tuple[str, str, str]]:
    """Variables that name a setting, those of the .env file first: (name, value, origin)."""
    sections = tuple(f"{PREFIX}{section.upper()}_" for section in Settings.model_fields)
    for name, value in _variables(env_file).items():
        if name.startswith(sections) and name not in environ:
            yield name, value, f"{env_file} {name}"
    for name in sorted(environ):
        if name.startswith(sections):
            yield name, environ[name], f"environment {name}"


def export(env_file: Path) -> None:
    """Set environment variables from the .env file, settings aside: what env:NAME means, AWS_PROFILE and the like."""
    for name, value in _variables(env_file).items():
        if not name.startswith(PREFIX):
            os.environ.setdefault(name, value)


def _variables(env_file: Path) -> dict[str, str]:
    """The variables of a .env file; none if there is no such file.

    Raises
    ------
    ConfigError
        If it cannot be read.
    """
    if not env_file.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        found = dotenv_values(env_file)
    except UnicodeDecodeError:
        raise ConfigError(f"{env_file} is not UTF-8 text", hint="save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{env_file} cannot be read: {error.strerror}") from None
    if bad := next((name for name, value in found.items() if "\0" in name + (value or "")), None):
        raise ConfigError(f"{env_file}: {bad!r} holds a NUL character")
    return {name: value for name, value in found.items() if value is not None}


def notebook_names(
    tree: Mapping[str, Any], environ: Mapping[str, str], env_file: Path
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Values of the notebook's variables for sections that leave them out: (key, value, origin)."""
    asked = [
        (row, name, section)
        for row in _NOTEBOOK
        for name, section in _sections(tree, row.part)
        if section.get("kind") == row.kind and row.key not in section
    ]
    if not asked:
        return
    given = _given(environ, env_file)
    for row, name, section in asked:
        if row.variable in given and not _elsewhere(row, section, given):
            yield (row.part, name, row.key), *given[row.variable]


def _sections(tree: Mapping[str, Any], part: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The sections of one kind of thing, by name."""
    sections = tree.get(part)
    if not isinstance(sections, Mapping):
        return []
    return [(name, section) for name, section in sections.items() if isinstance(section, Mapping)]


def _given(environ: Mapping[str, str], env_file: Path) -> dict[str, tuple[str, str]]:
    """The notebook's variables that are set, those of the environment first: (value, origin)."""
    known = {row.variable for row in _NOTEBOOK}
    given = {variable: (environ[variable], f"environment {variable}") for variable in known if environ.get(variable)}
    for variable, value in _variables(env_file).items():
        if variable in known and value and variable not in environ:
            given[variable] = (value, f"{env_file} {variable}")
    return given


def _elsewhere(row: _Name, section: Mapping[str, Any], given: Mapping[str, tuple[str, str]]) -> bool:
    """Whether the value belongs to the notebook's service and the section names another service."""
    if row.home is None or row.home not in section:
        return False
    address = _ADDRESSES[row.part, row.kind, row.home]
    return address in given and _host(section[row.home]) != _host(given[address][0])


def _host(url: object) -> str:
    match = re.match(r"\w+://([^/?#]*)", str(url))
    return match[1].lower() if match else ""


def set_from(tree: dict[str, Any], variable: str, value: str) -> tuple[str, ...]:
    """Set the key that an environment variable names; parts match existing keys regardless of case."""
    key: list[str] = []
    node: Any = tree
    for part in variable.removeprefix(PREFIX).lower().split("__"):
        known = [name for name in node if name.lower() == part] if isinstance(node, dict) else []
        key.append(known[0] if known else part)
        node = node.get(key[-1], {}) if isinstance(node, dict) else {}
    put(tree, tuple(key), _from_text(value))
    return tuple(key)


def _from_text(text: str) -> Any:
    """An environment value: a TOML array or table if it looks like one, else text (pydantic reads numbers)."""
    if text[:1] in "[{" and text:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    return text
