"""The lines of keys, in every way in which TOML writes them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anomscan.config.lines import key_lines

TEXT = '''# a comment with [brackets] and = signs
top = "a # in text"
a.b.c = 1
"quoted.key" = 'lit#eral'
"caf\\u00e9" = 2

[table]  # [not.this]
key = """
[no.table]
x = 1 \\""" " ""
"""
other = \'\'\'
y = 2\'\'\'
dotted.inner."deep er" = 2017-01-31T06:00:00Z
array = [
  "]", # ]
  [1, 2],
  { in = 1, line = { too = "}" } },
]
empty = []
none = {}
inline = { a = 1, b.c = [ { d = 2 } ] }
last = true

[[things]]
name = "first"
[things.sub]
k = 1
[[things.list]]
k = 1
[[things.list]]
k = 2

[[ things ]]
name = "second"
[ table . "more" ]
k = 1'''


def paths(node: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in pairs:
        yield (*above, name)
        yield from paths(child, (*above, name))


def test_every_key_has_its_line():
    lines, texts = key_lines(TEXT), TEXT.split("\n")
    assert set(lines) == set(paths(tomllib.loads(TEXT)))
    for path, line in lines.items():
        name = (
            path[-1]
            if isinstance(path[-1], str)
            else next(str(part) for part in reversed(path) if isinstance(part, str))
        )
        if path[:2] != ("table", "array"):
            assert name.replace("é", "\\u00e9") in texts[line - 1], path


@pytest.mark.parametrize(
    ("path", "start"),
    [
        (("table", "other"), "other ="),
        (("table", "array", 1), "  [1, 2]"),
        (("table", "array", 2, "line", "too"), "  { in"),
        (("things", 0, "list", 1, "k"), "k = 2"),
        (("things", 1, "name"), 'name = "second"'),
        (("things", 1), "[[ things ]]"),
        (("table", "more", "k"), "k = 1"),
    ],
)
def test_some_keys_are_told_exactly(path, start):
    line = TEXT.split("\n")[key_lines(TEXT)[path] - 1]
    assert line.startswith(start)


def test_whatever_is_no_toml_ends():
    for end in range(len(TEXT)):
        key_lines(TEXT[:end])


def test_the_example_is_read():
    text = (Path(__file__).parents[2] / "config.example.toml").read_text("utf-8")
    assert set(key_lines(text)) == set(paths(tomllib.loads(text)))
