"""Read JSON lines in bounded pieces."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.memory import rows_at_a_time
from anomscan.storage.untrusted import unique
from anomscan.tables.columns import Piece, check_columns, needed
from anomscan.tables.dialects import USUAL, Dialect
from anomscan.tables.opening import opened
from anomscan.tables.salvage import Reject, pieces_of

_BATCH_ROWS = 16 << 10
#: So many characters are kept of what is not an object.
MOST_TEXT = 2_000


def columns_in(path: Path, dialect: Dialect = USUAL) -> list[str]:
    """The keys of all objects, in the order in which they are met.

    Raises
    ------
    InputError
        Where the file is cut off, or cannot be read.
    """
    return keys_of(objects_in(path))


def read_jsonl(path: Path, columns: Columns, notices: list[str], dialect: Dialect = USUAL) -> Iterator[Piece | Reject]:
    """One JSON object a line, UTF-8; a value or health whose key is absent is empty; ``.gz`` is unpacked.

    A line that is not an object is a reject.

    Raises
    ------
    InputError
        Naming the file, and the line where it is cut off.
    """
    yield from pieces_in(objects_in(path), path, columns, "line")


def keys_of(rows: Iterable[tuple[int, dict[str, Any] | Reject]]) -> list[str]:
    """The keys of all objects, in the order in which they are met."""
    keys: dict[str, None] = {}
    for _, row in rows:
        if isinstance(row, dict):
            keys.update(dict.fromkeys(row))
    return list(keys)


def pieces_in(
    rows: Iterable[tuple[int, dict[str, Any] | Reject]], path: Path, columns: Columns, called: str
) -> Iterator[Piece | Reject]:
    """The objects of a file in bounded pieces.

    Parameters
    ----------
    rows
        With their numbers in the file, from 1.
    called
        What a row is called beside its number.

    Raises
    ------
    InputError
        If the file is empty, or lacks a column.
    """
    wanted = needed(columns)
    unseen = set(wanted)
    most = rows_at_a_time(_BATCH_ROWS, len(wanted))
    keys: dict[str, None] = {}
    objects: list[dict[str, Any]] = []
    numbers = array("q")
    seen = False

    def pieces() -> Iterator[Piece | Reject]:
        values = {name: [row.get(name) for row in objects] for name in wanted}
        return pieces_of(values, columns, partial(_place, f"{path} {called}", numbers))

    for number, row in rows:
        seen = True
        if isinstance(row, Reject):
            yield row
            continue
        if unseen:
            keys.update(dict.fromkeys(row))
            unseen.difference_update(row)
        objects.append(row)
        numbers.append(number)
        if len(objects) == most:
            check_columns(
                [columns.timestamp] if columns.asset is None else [columns.asset, columns.timestamp],
                list(keys),
                str(path),
            )
            yield from pieces()
            objects, numbers = [], array("q")
    if not seen and path.stat().st_size == 0:
        raise InputError(f"{path} is empty")
    if keys:
        check_columns(wanted, list(keys), str(path))
    if objects:
        yield from pieces()


def objects_in(path: Path) -> Iterator[tuple[int, dict[str, Any] | Reject]]:
    """The lines that are not blank, with their numbers, from 1; one that is not an object is a reject.

    Raises
    ------
    InputError
        Where the file is cut off, or cannot be read.
    """
    with opened(path) as raw:
        for number, line in enumerate(raw, 1):
            if not line.strip():
                continue
            try:
                yield number, _json_object(line, path, number)
            except InputError as error:
                if not line.endswith((b"\n", b"\r")):
                    raise InputError(error.message, hint="the file is cut off there, or broken") from None
                text = line.decode("utf-8", "backslashreplace").strip()
                yield number, Reject(error.message, {"line": text[:MOST_TEXT]})


def _place(within: str, numbers: Sequence[int], row: int) -> str:
    return f"{within} {numbers[row]}"


def _json_object(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        row = json.loads(text, object_pairs_hook=unique)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(row, ensure_ascii=False).encode()  # half a surrogate pair is an escape, but no text
    except UnicodeError:
        raise InputError(f"{path} line {number} is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} line {number} is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise InputError(f"{path} line {number} is not a JSON object")
    return row
