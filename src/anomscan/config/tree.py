"""Settings as nested tables, before they are checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anomscan.errors import ConfigError


def put(tree: dict[str, Any], key: tuple[str, ...], value: Any) -> None:
    """Set one value, by its path.

    Raises
    ------
    ConfigError
        If a value stands where a table is due.
    """
    node = tree
    for part in key[:-1]:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise ConfigError(f"'{part}' is a value, not a section: {'.'.join(key)} cannot be set")
        node = child
    node[key[-1]] = value


def leaves(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each value that is not a table, with its path."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value
