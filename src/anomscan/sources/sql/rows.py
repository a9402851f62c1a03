"""What all readers of databases have in common: how many rows a piece has, where a row stands, text from bytes."""

from __future__ import annotations

#: Rows of a piece: enough that the work on a piece outweighs the overhead, few enough to stay small.
ROWS = 16 << 10


def place_of_row(thing: str, first: int, row: int) -> str:
    """Where a row stands in what a query gives; ``first`` counts the rows before its piece."""
    return f"row {first + row + 1} of {thing}"


def as_text(value: bytes) -> str | bytes:
    """Text in UTF-8; other bytes as they are, for whoever reads the row to refuse."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
