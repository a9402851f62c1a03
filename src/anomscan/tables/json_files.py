"""Read a ``.json`` file: an array of objects, objects one after another, or an object that holds one array of them.

Exports call JSON lines so, too; what stands at the beginning tells one from the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.storage.untrusted import DoubledKeyError, is_text, unique
from anomscan.tables import json_lines
from anomscan.tables.columns import Piece
from anomscan.tables.dialects import USUAL, Dialect
from anomscan.tables.json_lines import MOST_TEXT, keys_of, pieces_in
from anomscan.tables.opening import opened
from anomscan.tables.salvage import Reject

#: A document is held in memory whole; no more bytes than this.
_MOST_BYTES = 128 << 20
_BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder(object_pairs_hook=unique)
#: Finds where an object ends in which a key stands twice.
_LENIENT = json.JSONDecoder()
_LINES = 'write an object a line (jq -c ".[]"), and end the name in .jsonl'


def columns_in(path: Path, dialect: Dialect = USUAL) -> list[str]:
    """The keys of all objects, in the order in which they are met.

    Raises
    ------
    InputError
        Where the file is cut off, or cannot be read.
    """
    return keys_of(objects_in(path))


def read_json(path: Path, columns: Columns, notices: list[str], dialect: Dialect = USUAL) -> Iterator[Piece | Reject]:
    """Its objects as :func:`anomscan.tables.json_lines.read_jsonl` gives those of lines.

    Raises
    ------
    InputError
        Naming the file, and the record where it is cut off; it holds no objects, or too much.
    """
    if _is_lines(path):
        yield from json_lines.read_jsonl(path, columns, notices)
    else:
        yield from pieces_in(_objects(path), path, columns, "record")


def objects_in(path: Path) -> Iterator[tuple[int, dict[str, Any] | Reject]]:
    """Its objects with their numbers, from 1: of lines, or of a document; what is not an object is a reject.

    Raises
    ------
    InputError
        Where the file is cut off, or cannot be read.
    """
    return json_lines.objects_in(path) if _is_lines(path) else _objects(path)


def _is_lines(path: Path) -> bool:
    """Whether each line is an object: the first of several is."""
    with opened(path, longest_line=_MOST_BYTES) as raw:
        lines = list(islice((line for line in raw if line.strip()), 2))
    if len(lines) < 2:
        return False
    try:
        return isinstance(json.loads(lines[0].decode("utf-8-sig")), dict)
    except (ValueError, RecursionError):
        return False


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any] | Reject]]:
    """The objects of a document with their numbers, from 1."""
    text = _text(path)
    begin = len(text) - len(text.lstrip())
    is_array = text[begin : begin + 1] == "["
    found = _values(path, text, begin + is_array)
    if not is_array:
        first = list(islice(found, 2))
        found = iter(_within(path, first)) if len(first) == 1 else _values(path, text, begin)
    for number, value in enumerate(found, 1):
        if isinstance(value, Reject) or (isinstance(value, dict) and is_text(value)):
            yield number, value
        else:
            lack = "holds half of a character (a lone surrogate)" if isinstance(value, dict) else "is not a JSON object"
            yield number, Reject(f"{path} record {number} {lack}", {"record": json.dumps(value)[:MOST_TEXT]})


def _text(path: Path) -> str:
    with opened(path, longest_line=_MOST_BYTES) as raw:
        content = raw.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise InputError(f"{path} is a JSON document of more than {_MOST_BYTES >> 20} MB", hint=_LINES)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text", hint="save it as UTF-8") from None


def _values(path: Path, text: str, begin: int) -> Iterator[Any]:
    """The values from a place to the end of the array, or of the file; a ``Reject`` where a key stands twice."""
    number, place = 0, _BETWEEN.match(text, begin).end()  # type: ignore[union-attr]
    is_array = text[begin - 1 : begin] == "["
    while place < len(text) and not (is_array and text[place] == "]"):
        number += 1
        try:
            try:
                value, end = _DECODER.raw_decode(text, place)
            except DoubledKeyError as error:
                _, end = _LENIENT.raw_decode(text, place)
                value = Reject(f"{path} record {number}: {error}", {"record": text[place:end][:MOST_TEXT]})
        except (ValueError, RecursionError) as error:
            said = "is nested too deeply" if isinstance(error, RecursionError) else f"is not JSON: {error}"
            raise InputError(f"{path} record {number} {said}", hint="the file is cut off there, or broken") from None
        yield value
        place = _BETWEEN.match(text, end).end()  # type: ignore[union-attr]
    if is_array and text[place:].strip() != "]":
        lack = "there is more after the end of its array" if place < len(text) else "its array has no end"
        raise InputError(f"{path} is not JSON: {lack}", hint="the file is cut off there, or broken")


def _within(path: Path, values: list[Any]) -> list[Any]:
    """The objects of the only value of a file."""
    value = values[0]
    if isinstance(value, Reject):
        return values
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON objects", hint=_LINES)
    arrays = [each for each in value.values() if isinstance(each, list) and each and isinstance(each[0], dict)]
    if len(arrays) > 1:
        raise InputError(f"{path} is one JSON object with several arrays of records", hint=_LINES)
    return arrays[0] if arrays else values
