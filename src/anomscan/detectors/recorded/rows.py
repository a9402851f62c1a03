"""Rows of a file of scores, as its readers give them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.cadence import parse_instant
from anomscan.telemetry.series import Floats

COLUMNS = ("asset", "timestamp", "score")

#: Spellings of a missing score, in upper or lower case.
EMPTY = ("", "nan", "null", "none", "na", "n/a")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows, in the order of the file.

    Parameters
    ----------
    names
        Asset ids, each once.
    assets
        (n,) int32 into ``names``.
    timestamps
        (n,) int64, microseconds since 1970, UTC.
    scores
        (n,) float64, finite; NaN where there is none.
    """

    names: list[str]
    assets: NDArray[np.int32]
    timestamps: NDArray[np.int64]
    scores: Floats


@lru_cache(1 << 14)
def micros(text: str) -> int:
    """A date or an ISO 8601 instant (UTC without an offset) in microseconds since 1970.

    Raises
    ------
    ValueError
        If the text is neither, or outside the years 1 to 9999.
    """
    try:
        return int(parse_instant(text).astype(np.int64))
    except OverflowError:
        raise ValueError(f"'{text}' is outside the years 1 to 9999") from None


def number(text: str) -> float:
    """A score; NaN if it is spelt as missing.

    Raises
    ------
    ValueError
        If the text is no number, or an infinite one.
    """
    if text.strip().lower() in EMPTY:
        return float("nan")
    score = float(text)
    if np.isinf(score):
        raise ValueError(f"score '{text}' is infinite")
    return score
