"""What pydantic finds wrong, a line each that names the key."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from anomscan.config.detector_sections import DetectorSettings
from anomscan.config.lines import Path
from anomscan.config.notify_sections import NotifySettings
from anomscan.config.plain import wanted, way_out
from anomscan.config.settings import Settings, nearest
from anomscan.config.source_sections import SourceSettings
from anomscan.errors import ConfigError, together


def problems(
    error: ValidationError,
    tree: Mapping[str, Any],
    place: str,
    origins: Mapping[tuple[str, ...], str],
    lines: Mapping[Path, int],
) -> ConfigError:
    """Everything that pydantic found wrong.

    Parameters
    ----------
    place
        What the settings are from: the file, if there is one.
    origins
        Where a key is from that is not there.
    lines
        On which line of the file each key is.
    """
    found: dict[Path, tuple[int, ConfigError]] = {}
    for problem in error.errors(include_url=False, include_input=False):
        key = _key(problem["loc"], tree, is_missing=problem["type"] == "missing")
        origin = next((origin for given, origin in origins.items() if given[: len(key)] == key[: len(given)]), place)
        line = _line(key, lines) if origin == place else 0
        where = "the command line" if origin == "flag" else f"{origin} line {line}" if line else origin
        # Of the kinds that a value may have, the first that it has not is told.
        found.setdefault(key, (line, _told(problem, key, where, tree)))
    return together([each for _, each in sorted(found.values(), key=lambda entry: entry[0])])


def _key(location: tuple[int | str, ...], tree: Mapping[str, Any], *, is_missing: bool) -> Path:
    """The user's own key: a location holds names of a union's branches, too, which do not exist in the tree."""
    key: list[str | int] = []
    node: Any = tree
    for place, part in enumerate(location):
        in_list = isinstance(node, list) and isinstance(part, int) and part < len(node)
        if in_list or (isinstance(node, Mapping) and part in node):
            node = node[part]
        elif not is_missing or place < len(location) - 1:
            continue
        key.append(part)
    return tuple(key)


def _line(key: Path, lines: Mapping[Path, int]) -> int:
    """The line of a key, or of the innermost table around one that is missing; 0 where there is none."""
    return next((lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in lines), 0)


def _told(problem: ErrorDetails, key: Path, place: str, tree: Mapping[str, Any]) -> ConfigError:
    dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")
    kind = problem["type"]
    if kind == "refused":
        where = f"{place}: '{dotted}'" if dotted else place
        return ConfigError(f"{where}: {problem['ctx']['said']}", hint=problem["ctx"]["hint"])
    if kind == "extra_forbidden":
        known = _keys_beside(problem["loc"], tree)
        hint = nearest(str(key[-1]), known, "keys")
        return ConfigError(f"{place}: unknown {'section' if len(key) == 1 else 'key'} '{dotted}'", hint=hint)
    if kind == "missing":
        return ConfigError(f"{place}: '{dotted}' is missing")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tags = problem["ctx"].get("expected_tags") or _kinds(problem["loc"])
        return ConfigError(f"{place}: '{dotted}' needs a {'sink' if key[0] == 'notify' else 'kind'}: one of {tags}")
    if (must := wanted(problem)) is not None:
        return ConfigError(f"{place}: '{dotted}' {must}", hint=way_out(problem, str(key[-1]), _value(key, tree)))
    return ConfigError(f"{place}: '{dotted}': {problem['msg'][0].lower()}{problem['msg'][1:]}")


def _value(key: Path, tree: Mapping[str, Any]) -> object:
    """What was given; None where nothing was."""
    node: Any = tree
    for part in key:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return None
    return node


def _kinds(location: tuple[int | str, ...]) -> str:
    sections: dict[int | str, Any] = {"sources": SourceSettings, "notify": NotifySettings}
    annotation = sections.get(location[0], DetectorSettings)
    return ", ".join(repr(_kind(model)) for model in _models(annotation))


def _kind(model: type[BaseModel]) -> str:
    field = "kind" if "kind" in model.model_fields else "sink"
    return str(get_args(model.model_fields[field].annotation)[0])


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The settings models inside a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, types.UnionType, dict, tuple):
        for part in get_args(annotation):
            yield from _models(part)


def _keys_beside(location: tuple[int | str, ...], tree: Mapping[str, Any]) -> list[str]:
    """The known keys of the section in which an unknown one was found."""
    models: list[type[BaseModel]] = [Settings]
    node: Any = tree
    for part in location[:-1]:
        if isinstance(part, int) or (isinstance(node, Mapping) and part in node):
            node = node[part]
        if isinstance(part, int):
            continue
        kinds = [model for model in models if {"kind", "sink"} & model.model_fields.keys() and _kind(model) == part]
        if kinds:
            models = kinds
            continue
        inner = [
            m
            for model in models
            if part in model.model_fields
            for m in _models(model.model_fields[str(part)].annotation)
        ]
        models = inner or models
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})
