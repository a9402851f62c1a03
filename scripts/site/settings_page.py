"""The reference of the settings: types, bounds and defaults from the code, meanings from config.example.toml."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from schema_tables import table, type_of

from anomscan.config.settings import Settings

INTRODUCTION = """# Settings
Options of a command win over environment variables (`ANOMSCAN_SCAN__SIGMA=3`, also in a file `.env` beside the
settings), those over `anomscan.toml`, and that over the defaults. Relative paths are relative to the settings. Keys
that are not known are errors. [config.example.toml](../config.example.toml) has all of them in one file; `anomscan
config show` tells what is in force and where it came from.
"""
#: Keys that are sections of their own.
_BELOW = ("columns", "training")
#: What the sections are about, above their tables.
_KIND = {"sources": "kind", "detectors": "kind", "notify": "sink"}


def page(example: Path) -> str:
    """The whole page."""
    schema = Settings.model_json_schema()
    notes = Notes.of(example.read_text("utf-8"))
    lines = [INTRODUCTION]
    for name, about in schema["properties"].items():
        for heading, section, place in _sections(name, about, schema, notes):
            lines += [f"## {heading}", *_described(section), "", *_table(section, place, notes)]
    return "\n".join(lines)


def _sections(
    name: str, about: Mapping[str, Any], schema: Mapping[str, Any], notes: Notes
) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The heading, the schema and the place in the example of a section and of those below it."""
    found = about.get("additionalProperties") or about.get("items") or about
    kinds = [each["$ref"] for each in found.get("oneOf", [found])]
    for reference in kinds:
        section = schema["$defs"][reference.rpartition("/")[2]]
        place, title = name, f"`[{name}]`"
        if name in _KIND:
            key = _KIND[name]
            kind = section["properties"][key]["const"]
            place = notes.place_of(name, key, kind)
            title = f"`[[{name}]]`, {key} `{kind}`" if name == "notify" else f"`[{name}.NAME]`, kind `{kind}`"
        elif about.get("type") == "array":
            title = f"`[[{name}]]`"
        yield title, section, place
        for key, inner in section["properties"].items():
            for below in [inner, *inner.get("anyOf", [])]:
                if "$ref" in below and key != "columns":
                    yield title.replace("]`", f".{key}]`", 1), _inner(below, schema), f"{place}.{key}"
        if name == "assets":
            yield "`[assets.columns]`", schema["$defs"]["AssetColumns"], "assets.columns"
    if name == "sources":
        yield "`[sources.NAME.columns]`", schema["$defs"]["Columns"], "sources.fleet.columns"


def _inner(reference: Mapping[str, str], schema: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"][reference["$ref"].rpartition("/")[2]]
    return found


def _described(section: Mapping[str, Any]) -> Iterator[str]:
    # The first sentence names the section, as the heading does.
    for paragraph in section.get("description", "").split("\n\n")[1:]:
        yield re.sub(r"``([^`]*)``", r"`\1`", " ".join(paragraph.split()))


def _table(section: Mapping[str, Any], place: str, notes: Notes) -> list[str]:
    required = section.get("required", ())

    def rows() -> Iterator[tuple[str, ...]]:
        for key, about in section["properties"].items():
            if "const" in about:
                continue
            default = about.get("default")
            known = "" if key in required or default in (None, [], {}) or "$ref" in about else f"`{_toml(default)}`"
            kind = type_of(about, lambda _: "table").removesuffix(" or null").replace("object", "table")
            below = "a section of its own" if kind == "table" and key in _BELOW else ""
            meaning = about.get("description") or notes.of_key(place, key) or below
            yield f"`{key}`", kind, "required" if key in required else known, meaning

    return table(("key", "type", "default", "meaning"), rows())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


class Notes:
    """The comments of a file of settings, by section and key."""

    def __init__(self, comments: Mapping[tuple[str, str], str], content: Mapping[str, Any]) -> None:
        self._comments, self._content = comments, content

    @classmethod
    def of(cls, text: str) -> Notes:
        """Read the comments behind keys, and those on the lines that go on with them or stand before."""
        comments: dict[tuple[str, str], str] = {}
        section, key, before = "", "", ""
        counts: dict[str, int] = {}
        for line in text.splitlines():
            if heading := re.match(r"(\[\[?)([\w.]+)\]", line):
                section, key, before = heading[2], "", ""
                if heading[1] == "[[":
                    counts[section] = counts.get(section, -1) + 1
                    section = f"{section}.{counts[section]}"
            elif found := re.match(r"(?:# )?(\w+) = (.*)$", line):
                key = found[1]
                comments[section, key] = " ".join(filter(None, [before, _comment(found[2])]))
                before = ""
            elif key and (more := re.match(r" +# (.*)$", line)):
                comments[section, key] += f" {more[1]}"
            elif alone := re.match(r"# (?!---)(.*)$", line):
                before = f"{before} {alone[1]}".strip()
            elif not line:
                key, before = "", ""
        return cls(comments, tomllib.loads(text))

    def place_of(self, section: str, key: str, kind: str) -> str:
        """Where the example has a section of some kind."""
        found = self._content[section]
        named = found.items() if isinstance(found, dict) else enumerate(found)
        return next((f"{section}.{name}" for name, each in named if each.get(key) == kind), section)

    def of_key(self, place: str, key: str) -> str:
        """What a key means; by its namesake in the same place, else in one of the same section."""
        start = place.split(".")[0]
        namesakes = (
            text for (where, name), text in self._comments.items() if name == key and where.startswith(start) and text
        )
        said = self._comments.get((place, key)) or next(namesakes, "")
        return re.sub(r"\bdocs/([\w/-]+)/([\w-]+)\.md", r"[\2](../\1/\2.md)", said)


def _comment(rest: str) -> str:
    """What is behind the value: a mark within a text is none."""
    quiet = re.sub(r'"(?:[^"\\]|\\.)*"', lambda text: "x" * len(text[0]), rest)
    place = quiet.find("#")
    return "" if place < 0 else rest[place + 1 :].strip()
