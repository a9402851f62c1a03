"""Numbers as text that a page holds: bytes in base64, little-endian."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.series import Floats

#: The highest level of a number that is told as a byte; 0 is a missing one.
LEVELS = 255


def packed(array: NDArray[Any]) -> str:
    """An array as base64, in its own type, little-endian.

    >>> packed(np.array([1, 258], np.uint16))
    'AQACAQ=='
    """
    return base64.b64encode(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()).decode()


def levels(values: Floats) -> tuple[NDArray[np.uint8], float, float]:
    """Numbers as levels between their lowest and their highest.

    Parameters
    ----------
    values
        (m,) float64; NaN where there is none.

    Returns
    -------
    (m,) uint8, 0 where there is none; the numbers of the levels 1 and 255, NaN where there is no number.
    """
    known = np.isfinite(values)
    told = np.zeros(len(values), np.uint8)
    if not known.any():
        return told, float("nan"), float("nan")
    low, high = float(values[known].min()), float(values[known].max())
    half = high / 2 - low / 2  # the whole range may be no float
    share = (values[known] / 2 - low / 2) / half if half > 0 else np.full(int(known.sum()), 0.5)
    told[known] = 1 + np.rint(share * (LEVELS - 1)).astype(np.uint8)
    return told, low, high


def runs(codes: NDArray[np.uint8]) -> bytes:
    """Bytes as runs of the same: each is that byte, and how often it comes, two bytes.

    >>> runs(np.array([7, 7, 7, 1], np.uint8)).hex()
    '070300010100'
    """
    if not len(codes):
        return b""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1])
    told = np.empty(len(starts), [("code", "u1"), ("length", "<u2")])
    told["code"] = codes[starts]
    told["length"] = np.diff(np.append(starts, len(codes)))
    return told.tobytes()


def script_json(content: object) -> str:
    """JSON that can neither close the script element around it nor open another."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
