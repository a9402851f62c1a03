"""The reference of what anomscan writes, from the JSON Schemas that the tests hold it to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schema_tables import table, type_of

from anomscan.reports.schemas import NAMES, schema

INTRODUCTION = """# Records and other JSON
All that programs may read, with its keys in the order in which they are written. Each has a JSON Schema (2020-12)
that the tests hold real output to; `anomscan.reports.schemas.schema("record-2")` gives it in Python. A reader should
pass over keys that it does not know: within one schema number keys may be added, and a change of meaning is a new
number.

Beside `FILE`, `scan -o FILE` writes `FILE.scores.parquet`: a row for each judged sample, with `asset`, `timestamp`,
`score`, `cutoff`, `verdict`, the columns of the detector, and `expected_X`, `low_X`, `high_X` of each variable X;
`median_X` of its cohort.
"""


def page() -> str:
    """The whole page."""
    lines = [INTRODUCTION]
    for name in NAMES:
        content = schema(name)
        lines += [f"## {content['title']}", content["description"], "", f"[{name}.json](schemas/{name}.json)", ""]
        if "properties" in content:
            lines += _table(content, name)
        for inner, about in content["$defs"].items():
            if "properties" in about:
                lines += [f"### {name}: {inner}", about["description"], "", *_table(about, name)]
    return "\n".join(lines)


def _table(content: Mapping[str, Any], name: str) -> list[str]:
    def link(inner: str) -> str:
        return "date or instant" if inner == "timestamp" else f"[{inner}](#{name}-{inner})"

    def rows(about: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, ...]]:
        for key, each in about["properties"].items():
            optional = "" if key in about["required"] else " (may be left out)"
            meaning = each.get("description") or "ISO 8601, as all timestamps of the record."
            inner = each if "properties" in each else each.get("items", {})
            yield f"`{before}{key}`", type_of(each, link), meaning + optional
            if "properties" in inner:
                yield from rows(inner, f"{before}{key}.")

    return table(("key", "type", "meaning"), rows(content))
