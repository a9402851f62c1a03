"""What goes over the wire: points as CSV in requests of bounded size, scores as JSON or JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator

import numpy as np

from anomscan.detectors.points import Floats32
from anomscan.errors import ConfigError
from anomscan.telemetry.series import Floats

#: Points converted to text at a time, to bound memory.
_PIECE = 4_096


def rows(points: Floats32) -> Iterator[bytes]:
    """Format each of (n, d) points as a line of CSV, without a line end.

    Nine significant digits are enough to read the same float32 back; the container works in float32.

    >>> list(rows(np.array([[0.1, 2.0], [16777216.0, -0.0]], np.float32)))
    [b'0.100000001,2', b'16777216,-0']
    """
    line = ",".join(["%.9g"] * points.shape[1])
    for start in range(0, len(points), _PIECE):
        piece = points[start : start + _PIECE]
        yield from ("\n".join([line] * len(piece)) % tuple(piece.ravel().tolist())).encode().split(b"\n")


def requests(points: Iterable[Floats32], most_bytes: int) -> Iterator[list[bytes]]:
    """Pack the points of many assets, in order, into as few requests as their size limit allows.

    Parameters
    ----------
    points
        (n, d) each.
    most_bytes
        Size limit of a request, line ends included.

    Raises
    ------
    ConfigError
        If a single point is too large.
    """
    packed: list[bytes] = []
    size = 0
    for table in points:
        for row in rows(table):
            if len(row) >= most_bytes:
                raise ConfigError(
                    f"a point of {table.shape[1]} numbers takes {len(row)} bytes, more than a request may have",
                    hint="raise the detector's max_payload_mb, or take a shorter shingle",
                )
            if size + len(row) + 1 > most_bytes:
                yield packed
                packed, size = [], 0
            packed.append(row)
            size += len(row) + 1
    if packed:
        yield packed


def scores(content: bytes, content_type: str, expected: int) -> Floats:
    """Parse an answer: ``{"scores": [{"score": x}, ...]}``, or lines of ``{"score": x}``.

    Parameters
    ----------
    content
        The body.
    content_type
        Says which of the two it is: ``application/json`` or ``application/jsonlines``.
    expected
        Number of points sent.

    Returns
    -------
    (expected,) float64, finite.

    Raises
    ------
    ValueError
        If the answer is anything else; the message says what.
    """
    try:
        if "jsonlines" in content_type:
            items = [json.loads(line) for line in content.splitlines() if line.strip()]
        else:
            items = json.loads(content)["scores"]
        found = [item["score"] for item in items]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("its answer is cut off or no list of scores") from None
    if len(found) != expected:
        raise ValueError(f"it gave {len(found)} scores for {expected} points")
    if not all(isinstance(score, (int, float)) and not isinstance(score, bool) for score in found):
        raise ValueError("it gave a score that is not a number")
    try:
        table = np.array(found, np.float64)
    except OverflowError:
        raise ValueError("it gave a score that is not finite") from None
    if not all(map(math.isfinite, table)):
        raise ValueError("it gave a score that is not finite")
    return table
