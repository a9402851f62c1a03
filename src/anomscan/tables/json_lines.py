"""Read JSON lines in bounded pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.storage.untrusted import unique
from anomscan.tables.columns import Piece, check_columns, from_objects, needed
from anomscan.tables.dialects import USUAL, Dialect
from anomscan.tables.opening import opened

_BATCH_ROWS = 16 << 10


def columns_in(path: Path, dialect: Dialect = USUAL) -> list[str]:
    """The keys of all objects, in the order in which they are met.

    Raises
    ------
    InputError
        Naming the file and the line.
    """
    keys: dict[str, None] = {}
    with opened(path) as raw:
        for number, line in enumerate(raw, 1):
            if line.strip():
                keys.update(dict.fromkeys(_json_object(line, path, number)))
    return list(keys)


def read_jsonl(path: Path, columns: Columns, notices: list[str], dialect: Dialect = USUAL) -> Iterator[Piece]:
    """One JSON object a line, UTF-8; a value or health whose key is absent is empty; ``.gz`` is unpacked.

    Raises
    ------
    InputError
        Naming the file and the line.
    """
    wanted = needed(columns)
    always = [name for name in (columns.asset, columns.timestamp) if name is not None]
    unseen = set(wanted)
    keys: dict[str, None] = {}
    objects: list[dict[str, Any]] = []
    numbers: list[int] = []
    number = 0

    def piece(objects: list[dict[str, Any]], numbers: list[int]) -> Piece:
        values = {name: [row.get(name) for row in objects] for name in wanted}
        return from_objects(values, columns, partial(_line_place, path, numbers))

    with opened(path) as raw:
        for number, line in enumerate(raw, 1):
            if not line.strip():
                continue
            row = _json_object(line, path, number)
            if unseen:
                keys.update(dict.fromkeys(row))
                unseen.difference_update(row)
                if not objects:
                    check_columns(always, list(keys), f"{path} line {number}")
            objects.append(row)
            numbers.append(number)
            if len(objects) == _BATCH_ROWS:
                yield piece(objects, numbers)
                objects, numbers = [], []
    if number == 0:
        raise InputError(f"{path} is empty")
    if objects:
        yield piece(objects, numbers)
    if keys:
        check_columns(wanted, list(keys), str(path))


def _line_place(path: Path, numbers: list[int], row: int) -> str:
    return f"{path} line {numbers[row]}"


def _json_object(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        row = json.loads(text, object_pairs_hook=unique)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(row, ensure_ascii=False).encode()  # half a surrogate pair is an escape, but no text
    except UnicodeError:
        raise InputError(f"{path} line {number} is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} line {number} is not JSON: {error}", hint="the file is cut off there, or broken"
        ) from None
    if not isinstance(row, dict):
        raise InputError(f"{path} line {number} is not a JSON object")
    return row
