"""Where the keys of a TOML file stand, which Python's own reader does not tell."""

from __future__ import annotations

import re
from bisect import bisect_right

#: Names of tables and keys, and places in arrays.
Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*""")
_TEXT = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL)
_BARE = re.compile(r"[^,\]}#\n]*")


def key_lines(text: str) -> dict[Path, int]:
    r"""The line of each table and each key, counted from 1.

    Parameters
    ----------
    text
        Valid TOML with plain line ends.

    Examples
    --------
    >>> key_lines('a.b = 1\n[[c]]\nd = [\n  { e = 2 },\n]\n')[("c", 0, "d", 0, "e")]
    4
    """
    reader = _Reader(text)
    reader.document()
    return reader.lines


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._ends = [place for place, character in enumerate(text) if character == "\n"]
        self._arrays: dict[Path, int] = {}
        self.lines: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while self._skip(_BLANK) and self._at < len(self._text):
            if self._text[self._at] != "[":
                self._pair(table)
                continue
            line, is_array = self._line(), self._text.startswith("[[", self._at)
            self._at += 1 + is_array
            names = self._key()
            self._at += 1 + is_array
            table = ()
            for place, name in enumerate(names):
                table = (*table, name)
                if is_array and place == len(names) - 1:
                    self._arrays[table] = self._arrays.get(table, -1) + 1
                self.lines.setdefault(table, line)
                if table in self._arrays:
                    table = (*table, self._arrays[table])
                    self.lines.setdefault(table, line)

    def _pair(self, table: Path) -> None:
        line = self._line()
        for name in self._key():
            table = (*table, name)
            self.lines.setdefault(table, line)
        self._at += 1  # =
        self._value(table)

    def _value(self, path: Path) -> None:
        self._skip(_BLANK)
        start = self._text[self._at : self._at + 1]
        if start == "[":
            self._items(path, "]")
        elif start == "{":
            self._items(path, "}")
        elif not self._skip(_TEXT):
            self._skip(_BARE)

    def _items(self, path: Path, end: str) -> None:
        """The values of an array, or the keys of an inline table."""
        self._at += 1
        count = 0
        while self._skip(_BLANK) and self._at < len(self._text) and self._text[self._at] != end:
            if end == "}":
                self._pair(path)
            else:
                self.lines[(*path, count)] = self._line()
                self._value((*path, count))
                count += 1
            self._skip(_BLANK)
            self._at += self._text.startswith(",", self._at)
        self._at += 1

    def _key(self) -> list[str]:
        names = []
        while found := _KEY.match(self._text, self._at):
            name = found[1].strip("'") if found[1][0] == "'" else found[1]
            if found[1][0] == '"':
                name = re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", _unescaped, name[1:-1])
            names.append(name)
            self._at = found.end()
            if not self._text.startswith(".", self._at):
                break
            self._at += 1
        return names

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found is not None

    def _line(self) -> int:
        return bisect_right(self._ends, self._at - 1) + 1


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] in "xuU":
        return chr(int(code[1:], 16))
    return {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}.get(code, code)
