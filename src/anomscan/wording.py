"""Counts and lists in what people read."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: What commands a terminal, ends a line or turns text round: C0, C1, separators, bidi; and half surrogates.
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def seen(text: str) -> str:
    r"""The text as one line that commands no terminal: whatever came with the data is shown as an escape.

    >>> print(seen("red\x1b[31m\nerror: forged"))
    red\x1b[31m\nerror: forged
    """
    if text.isascii() and text.isprintable():
        return text
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


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
