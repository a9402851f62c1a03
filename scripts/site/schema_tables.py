"""Tables of the keys of a JSON Schema, in Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_NAMES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "object",
}


def row(*cells: str) -> str:
    """A row of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def table(headers: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> list[str]:
    """A table; the first column holds code."""
    return [row(*headers), row(*["---"] * len(headers)), *(row(*cells) for cells in rows), ""]


def type_of(about: Mapping[str, Any], link: Callable[[str], str]) -> str:
    """What a value may be, in words.

    >>> type_of({"type": "integer", "minimum": 2, "maximum": 60}, str)
    'whole number, 2 to 60'
    >>> type_of({"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}, str)
    '`"a"`, `"b"` or null'
    """
    if "anyOf" in about:
        return " or ".join(type_of(each, link) for each in about["anyOf"])
    if "$ref" in about:
        return link(about["$ref"].rpartition("/")[2])
    if "const" in about:
        return _code(about["const"])
    if "enum" in about:
        return ", ".join(_code(each) for each in about["enum"])
    kinds = about.get("type", "string")
    if isinstance(kinds, list):
        return " or ".join(type_of({**about, "type": kind}, link) for kind in kinds)
    if kinds == "array":
        if "prefixItems" in about:
            return "[" + ", ".join(type_of(each, link) for each in about["prefixItems"]) + "]"
        return f"list of {type_of(about.get('items', {}), link)}"
    inner = about.get("additionalProperties")
    if kinds == "object" and isinstance(inner, dict):
        return f"object of {type_of(inner, link)}"
    return _NAMES[kinds] + _range(about)


def _range(about: Mapping[str, Any]) -> str:
    least, most = about.get("minimum"), about.get("maximum")
    if "exclusiveMinimum" in about:
        return f", above {about['exclusiveMinimum']:g}" + (f", at most {_number(most)}" if most is not None else "")
    if least is not None and most is not None:
        return f", {_number(least)} to {_number(most)}"
    return f", at least {_number(least)}" if least else ""


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else str(value)


def _code(value: object) -> str:
    return f"`{json.dumps(value)}`"
