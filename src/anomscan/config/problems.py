"""What pydantic finds wrong, as one line that names the key."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from anomscan.config.sections import DetectorSettings, SourceSettings
from anomscan.config.settings import Settings, nearest
from anomscan.errors import ConfigError


def first_problem(
    error: ValidationError, tree: Mapping[str, Any], place: str, origins: Mapping[tuple[str, ...], str]
) -> ConfigError:
    """One line for the first thing pydantic found wrong, and where it came from: ``origins``, else ``place``."""
    problem = min(error.errors(include_url=False, include_input=False), key=lambda p: p["type"] != "extra_forbidden")
    # The location contains names of a union's branches; the user's keys are those that exist in the tree.
    key: list[str] = []
    node: Any = tree
    for part in problem["loc"]:
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif part != problem["loc"][-1]:
            continue
        key.append(str(part))
    dotted = ".".join(key)
    place = next((origin for given, origin in origins.items() if list(given[: len(key)]) == key), place)
    if place == "flag":
        place = "the command line"
    kind = problem["type"]
    if kind == "extra_forbidden":
        known = _keys_beside(problem["loc"], tree)
        hint = nearest(key[-1], known, "keys")
        return ConfigError(f"{place}: unknown {'section' if len(key) == 1 else 'key'} '{dotted}'", hint=hint)
    if kind == "missing":
        return ConfigError(f"{place}: '{dotted}' is missing")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tags = problem["ctx"].get("expected_tags") or _kinds(problem["loc"])
        return ConfigError(f"{place}: '{dotted}' needs a kind: one of {tags}")
    if kind == "tuple_type":
        return ConfigError(f"{place}: '{dotted}' must be a list", hint=f'write it as {key[-1]} = ["..."]')
    return ConfigError(f"{place}: '{dotted}': {problem['msg'][0].lower()}{problem['msg'][1:]}")


def _kinds(location: tuple[int | str, ...]) -> str:
    annotation = SourceSettings if location[0] == "sources" else DetectorSettings
    return ", ".join(repr(_kind(model)) for model in _models(annotation))


def _kind(model: type[BaseModel]) -> str:
    return str(get_args(model.model_fields["kind"].annotation)[0])


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The settings models inside a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, types.UnionType, dict):
        for part in get_args(annotation):
            yield from _models(part)


def _keys_beside(location: tuple[int | str, ...], tree: Mapping[str, Any]) -> list[str]:
    """The known keys of the section in which an unknown one was found."""
    models: list[type[BaseModel]] = [Settings]
    node: Any = tree
    for part in location[:-1]:
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        kinds = [model for model in models if "kind" in model.model_fields and _kind(model) == part]
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
    return sorted({name for model in models for name in model.model_fields})
