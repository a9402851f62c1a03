"""The files that settings name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, SecretStr

from anomscan.config.loading import Loaded

_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///([^?]+)")


def files_named(loaded: Loaded) -> list[tuple[str, Path]]:
    """What each file is, and its path: the configuration itself, the environment's file, and every path in them.

    A path may be a folder or a pattern, and need not exist. Where the store is, is not among them.
    """
    base = loaded.file.parent if loaded.file else Path.cwd()
    own = [] if loaded.file is None else [("the configuration", loaded.file)]
    return [*own, ("the environment's file", base / ".env"), *_paths(loaded.settings, "")]


def _paths(model: BaseModel, section: str) -> Iterator[tuple[str, Path]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(value, (dict, tuple)):
            for key, child in value.items() if isinstance(value, dict) else enumerate(value):
                if isinstance(child, BaseModel):
                    yield from _paths(child, f"{name}.{getattr(child, 'name', key)}")
        elif isinstance(value, BaseModel):
            yield from _paths(value, f"{section}.{name}" if section else name)
        elif section == "store":
            continue
        elif isinstance(value, Path):
            yield f"what [{section}] {name} names", value
        elif isinstance(text, str) and text.startswith("file:"):
            yield f"what [{section}] {name} names", Path(text.removeprefix("file:").partition("#")[0])
        elif isinstance(text, str) and (url := _SQLITE.match(text)):
            yield f"what [{section}] {name} names", Path(url[1])
