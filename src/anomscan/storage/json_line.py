"""JSON as it is written here: one object a line, whatever its texts hold."""

from __future__ import annotations

import json

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
# str.splitlines and some readers of JSON lines break lines at these; in JSON text an escape means the same.
_LINE_BREAKS = str.maketrans({char: f"\\u{ord(char):04x}" for char in "\x85\u2028\u2029"})


def json_line(content: object) -> str:
    """Content as one line of JSON, without the line break at its end.

    Raises
    ------
    ValueError
        If a number is infinite or NaN: JSON has no such number.
    """
    return _ENCODER.encode(content).translate(_LINE_BREAKS)
