"""Counts and lists in what people read."""

from __future__ import annotations

from collections.abc import Iterable


def counted(count: int, thing: str, things: str | None = None) -> str:
    """A number of things, in words that fit it; ``things`` where the plural does not end in s alone.

    >>> counted(1, "asset"), counted(4_000, "asset"), counted(0, "more such day")
    ('1 asset', '4,000 assets', '0 more such days')
    """
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def listed(parts: Iterable[str]) -> tuple[str, ...]:
    """Parts with commas behind all but the last: a cell of a table, which may be broken between them.

    >>> listed(["a 1", "b 2"])
    ('a 1,', 'b 2')
    """
    *others, last = [*parts] or [""]
    return *(f"{each}," for each in others), last
