"""The keys of a JSON object, each checked as it is read."""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from anomscan.errors import InputError
from anomscan.storage.untrusted import is_text

_TIMESTAMP = r"(?a)\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?Z)?"
_SURROGATE = r"(?i)\\ud[89a-f]"
_KINDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object that knows its place, so that each error names it.

    Parameters
    ----------
    content
        As it was read.
    place
        The file and the line.
    """

    content: dict[str, Any]
    place: str

    @classmethod
    def of_line(cls, line: str, place: str) -> Fields:
        """A line that must be an object.

        Raises
        ------
        InputError
            It is not.
        """
        try:
            content = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            detail = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            cut = "" if line.endswith("\n") else "; the file may have been cut off"
            raise InputError(f"{place}: not a JSON record: {detail}{cut}") from None
        if not isinstance(content, dict):
            raise InputError(f"{place}: not a JSON object")
        if re.search(_SURROGATE, line) and not is_text(content):
            raise InputError(f"{place}: contains half a character (a lone surrogate)")
        return cls(content, place)

    def get(self, key: str, kind: type, *also: None) -> Any:
        """The value of a key, which must exist and be of that kind (or None, if ``also`` is given)."""
        if key not in self.content:
            raise self.error(f"the key '{key}' is missing")
        value = self.content[key]
        if value is None and also:
            return None
        accepted: tuple[type, ...] = (int, float) if kind is float else (kind,)
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise self.error(f"'{key}' is not {_KINDS[kind]}")
        return value

    def number(self, key: str) -> float:
        """A finite number; NaN for null."""
        value = self.get(key, float, None)
        if value is None:
            return math.nan
        if not abs(value) <= sys.float_info.max:
            raise self.error(f"'{key}' is too large")
        return float(value)

    def numbers(self) -> dict[str, float]:
        """All of its values, which are numbers or null."""
        return {key: self.number(key) for key in self.content}

    def timestamp(self, value: Any) -> str:
        """A date, or a UTC instant with Z."""
        if not (isinstance(value, str) and re.fullmatch(_TIMESTAMP, value)):
            raise self.error(f"{value!r} is not a date or a UTC instant")
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise self.error(f"{value!r} is not on the calendar") from None
        return value

    def inner(self, key: str) -> Fields:
        """An object in it."""
        return Fields(self.get(key, dict), self.place)

    def inners(self, key: str) -> list[Fields]:
        """A list of objects in it."""
        items = self.get(key, list)
        if not all(isinstance(item, dict) for item in items):
            raise self.error(f"'{key}' contains something other than objects")
        return [Fields(item, self.place) for item in items]

    def error(self, what: str) -> InputError:
        """An error that names its place."""
        return InputError(f"{self.place}: {what}")


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")
