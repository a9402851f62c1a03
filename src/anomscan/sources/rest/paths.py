"""What is where in a JSON response."""

from __future__ import annotations

import re
from typing import Any

from anomscan.errors import AssetError
from anomscan.sources.rest.words import advice, message_of


def look_up(node: Any, path: str) -> tuple[bool, Any]:
    """Whether there is something at a path, and what; keys may contain dots, arrays take numbers.

    >>> look_up({"a": {"b.c": [7]}}, "a.b.c.0")
    (True, 7)
    """
    if isinstance(node, list):
        head, _, rest = path.partition(".")
        if not re.fullmatch(r"\d{1,9}", head, re.ASCII) or int(head) >= len(node):
            return False, None
        return look_up(node[int(head)], rest) if rest else (True, node[int(head)])
    if not isinstance(node, dict):
        return False, None
    if path in node:
        return True, node[path]
    for dot in re.finditer(r"\.", path):
        if path[: dot.start()] in node:
            found, value = look_up(node[path[: dot.start()]], path[dot.end() :])
            if found:
                return True, value
    return False, None


def value_at(body: Any, place: str, secret: str, *, path: str | None) -> Any:
    """What a response has in the place of its records; None where it says that there are none.

    It does so by null, or by a path that ends.

    Parameters
    ----------
    place
        What answered, for errors.
    secret
        Masked, where the service repeats it.
    path
        Keys with dots between them; None where the answer is it.

    Raises
    ------
    AssetError
        If there is nothing, or a message.
    """
    found, value = look_up(body, path) if path else (True, body)
    if value is not None:
        return value
    if said := message_of(body, secret):
        raise AssetError(f"{place} answered without records: {said}", hint=advice(said))
    if found or (path is not None and _ends(body, path)):
        return None
    has = f"it has: {', '.join(list(body)[:20])}" if isinstance(body, dict) else f"it is {kind_of(body)}"
    raise AssetError(f"the answer of {place} has nothing{_at(path)}", hint=has)


def array_at(body: Any, place: str, secret: str, *, path: str | None) -> list[Any] | None:
    """The array at a path, as for :func:`value_at`.

    Raises
    ------
    AssetError
        If there is something else.
    """
    value = value_at(body, place, secret, path=path)
    if value is None or isinstance(value, list):
        return value
    raise no_records(value, place, secret, path=path)


def no_records(value: Any, place: str, secret: str, *, path: str | None) -> AssetError:
    """The error for something that stands in the place of records."""
    if said := message_of(value, secret):
        return AssetError(f"{place} answered without records: {said}", hint=advice(said))
    keys = f", its keys are: {', '.join(list(value)[:20])}" if isinstance(value, dict) and value else ""
    return AssetError(f"the answer of {place} has {kind_of(value)}{_at(path)}, not an array of records{keys}")


def parent_of(body: Any, path: str) -> tuple[dict[str, Any], str] | None:
    """The object that holds what is at a path, and its key there; None where that is an array, or nothing is there.

    >>> parent_of({"a": {"b.c": 7, "d": 8}}, "a.b.c")
    ({'b.c': 7, 'd': 8}, 'b.c')
    """
    if isinstance(body, dict) and path in body:
        return body, path
    for dot in re.finditer(r"\.", path):
        found, inner = look_up(body, path[: dot.start()])
        key = path[dot.end() :]
        if found and isinstance(inner, dict) and key in inner:
            return inner, key
    return None


def paths_in(node: Any, depth: int = 4) -> list[str]:
    """The paths of what is in an object: those of its keys, and of the keys of objects in it."""
    if not isinstance(node, dict) or not depth:
        return []
    paths: list[str] = []
    for key, value in node.items():
        paths += [f"{key}.{path}" for path in paths_in(value, depth - 1)] or [key]
    return paths


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {dict: "an object", list: "an array", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _at(path: str | None) -> str:
    return f" at '{path}'" if path else ""


def _ends(node: Any, path: str, *, inside: bool = False) -> bool:
    """Whether a path leads to null or to an empty array or object, or on its way to a key that an object lacks.

    Parameters
    ----------
    inside
        Whether some of the way is behind us. A path of several keys of which there is not even the first is wrong.
    """
    if node is None or node in ([], {}):
        return True
    head, _, rest = path.partition(".")
    if isinstance(node, list):
        return head.isdecimal() and int(head) < len(node) and bool(rest) and _ends(node[int(head)], rest, inside=True)
    if not isinstance(node, dict):
        return False
    dots = [dot.start() for dot in re.finditer(r"\.", path)]
    if met := [dot for dot in dots if path[:dot] in node]:
        return any(_ends(node[path[:dot]], path[dot + 1 :], inside=True) for dot in met)
    return (inside or not rest) and not any(isinstance(each, list) for each in node.values())
