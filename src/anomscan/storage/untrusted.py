"""Files that anyone may have written: opened only if they are regular files, and parsed strictly."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from pathlib import Path
from typing import IO, Any

#: How deeply lists and objects may be nested.
DEEPEST = 64


class DoubledKeyError(ValueError):
    """A key stands twice in an object of JSON."""


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a file for reading; a pipe, a device or a socket is refused at once, instead of waited for.

    Raises
    ------
    OSError
        If it cannot be opened, or is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check(os.fstat(descriptor).st_mode, path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """All of a file; errors are those of :func:`open_regular`."""
    with open_regular(path) as file:
        return file.read()


def check_regular(path: Path) -> None:
    """Refuse what is not a file, for readers that open it themselves.

    Raises
    ------
    OSError
        As :func:`open_regular`.
    """
    _check(path.stat().st_mode, path)


def _check(mode: int, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file", os.fspath(path))


def parse_json(text: bytes | str) -> Any:
    """JSON as it is meant: UTF-8, numbers finite, no key twice in an object, every text of whole characters.

    >>> parse_json(b'{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}

    Raises
    ------
    ValueError
        If it is anything else, or nested too deeply.
    """
    if not isinstance(text, str):
        # json.loads would guess other encodings, and let halves of characters pass.
        text = text.decode("utf-8-sig")
    try:
        content = json.loads(text, object_pairs_hook=unique, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if _depth(content) > DEEPEST:
        raise ValueError("it is nested too deeply")
    if "\\" in text and not is_text(content):
        raise ValueError("it contains half a character (a lone surrogate)")
    return content


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, in which no key stands twice: which of its values is meant nobody can say.

    Raises
    ------
    DoubledKeyError
        If one does.
    """
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise DoubledKeyError(f"the key {twice[:40]!r} stands twice in an object")
    return content


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _depth(content: Any) -> int:
    depth, level = 0, [content]
    while level := [each for each in level if isinstance(each, (dict, list))]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


def is_text(content: Any) -> bool:
    """Whether all texts in a JSON value consist of whole characters, so that they can be written."""
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
