"""Merging flags, environment, file and defaults, and remembering the origin of each value."""

from __future__ import annotations

import codecs
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from anomscan.config.environment import PREFIX, export, notebook_names, set_from, settings_in
from anomscan.config.lines import key_lines
from anomscan.config.problems import problems
from anomscan.config.settings import Settings
from anomscan.config.tree import leaves, put
from anomscan.errors import ConfigError

DEFAULT_FILE = "anomscan.toml"

_Model = TypeVar("_Model", bound=BaseModel)
_SQLITE_FILE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:)([^?]+)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and where each value came from.

    Parameters
    ----------
    settings
        The merged settings.
    origins
        For each key that was given (a path such as ``("scan", "sigma")``), who gave it. A key not here has its default.
    file
        The configuration file, None where there is none.
    """

    settings: Settings
    origins: Mapping[tuple[str, ...], str]
    file: Path | None


def load(
    file: Path | None = None,
    *,
    flags: Mapping[tuple[str, ...], Any] | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Loaded:
    """Merge flags, environment, file and defaults.

    Parameters
    ----------
    file
        The file of ``--config``; else ``$ANOMSCAN_CONFIG``, else ``./anomscan.toml`` if it exists, else none.
    flags
        Values given on the command line by key path; those that are None are taken as not given.
    environ, cwd
        For tests; the process's own by default.

    Raises
    ------
    ConfigError
        A file that cannot be read, an unknown key (the nearest is named), a value of the wrong kind.
    """
    own = environ is None
    environ = os.environ if environ is None else environ
    cwd = _working_folder() if cwd is None else cwd
    path = _find(file, environ, cwd)
    base = path.parent if path else cwd
    if own:
        export(base / ".env")
    merged: dict[str, Any] = {}
    text = ""
    origins: dict[tuple[str, ...], str] = {}
    if path is not None:
        text = _read_text(path)
        merged = _parsed(path, text)
        origins = {key: str(path) for key, _ in leaves(merged)}
    for variable, value, place in settings_in(environ, base / ".env"):
        key = set_from(merged, variable, value)
        origins = {old: origin for old, origin in origins.items() if old[: len(key)] != key}
        origins[key] = place
    for key, value in (flags or {}).items():
        if value is not None:
            put(merged, key, value)
            origins[key] = "flag"
    for key, value, place in notebook_names(merged, environ, base / ".env"):
        put(merged, key, value)
        origins[key] = place
    if not isinstance(merged.get("detectors", {}), dict) or "rcf" not in merged.get("detectors", {}):
        merged.setdefault("detectors", {})
        if isinstance(merged["detectors"], dict):
            merged["detectors"]["rcf"] = {"kind": "rcf"}
    return Loaded(_validate(merged, base, str(path) if path else "the settings", origins, text), origins, path)


def _find(file: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    if file is None and environ.get(PREFIX + "CONFIG"):
        file = Path(environ[PREFIX + "CONFIG"])
    if file is None:
        default = cwd / DEFAULT_FILE
        return default if default.is_file() else None
    file = cwd / file
    if not file.is_file():
        raise ConfigError(
            f"there is no configuration file {file}", hint="name one with --config; config.example.toml shows every key"
        )
    return file


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigError(
            f"the working directory cannot be used: {error.strerror}", hint="change to one that exists"
        ) from None


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        # As Windows' editors save it: with a byte order mark, or in UTF-16.
        text = content.decode("utf-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text", hint="save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    return text.replace("\r\n", "\n")


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        has_backslash = line and "\\" in text.splitlines()[int(line[1]) - 1]
        hint = "write a Windows path with / or in single quotes" if has_backslash else None
        raise ConfigError(f"{path} is not valid TOML: {error}", hint=hint) from None
    except RecursionError:
        raise ConfigError(f"{path} is not valid TOML: it is nested too deeply") from None


def _validate(
    tree: dict[str, Any], base: Path, place: str, origins: Mapping[tuple[str, ...], str], text: str
) -> Settings:
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise problems(error, tree, place, origins, key_lines(text)) from None
    return _absolute(settings, base)


def _absolute(settings: Settings, base: Path) -> Settings:
    """Relative paths are relative to the configuration file."""

    def merge(model: _Model) -> _Model:
        changed: dict[str, Any] = {}
        for name in type(model).model_fields:
            value = getattr(model, name)
            if isinstance(value, Path):
                if "\0" in str(value):
                    raise ConfigError(f"the setting '{name}' holds a NUL character, which no path does")
                changed[name] = Path(os.path.normpath(base / value.expanduser()))
            elif isinstance(value, SecretStr) and (url := _SQLITE_FILE.match(value.get_secret_value())):
                changed[name] = SecretStr(f"{url[1]}{os.path.normpath(base / url[2])}{url[3]}")
            elif isinstance(value, SecretStr) and value.get_secret_value().startswith("file:"):
                changed[name] = SecretStr(_settled_reference(value.get_secret_value(), base))
            elif name == "secret" and isinstance(value, str) and value.startswith("file:"):
                changed[name] = _settled_reference(value, base)
            elif isinstance(value, BaseModel):
                changed[name] = merge(value)
            elif isinstance(value, dict):
                changed[name] = {
                    k: merge(child) if isinstance(child, BaseModel) else child for k, child in value.items()
                }
            elif isinstance(value, tuple):
                changed[name] = tuple(merge(child) if isinstance(child, BaseModel) else child for child in value)
        return model.model_copy(update=changed)

    return merge(settings)


def _settled_reference(reference: str, base: Path) -> str:
    return f"file:{os.path.normpath(base / Path(reference.removeprefix('file:')).expanduser())}"
