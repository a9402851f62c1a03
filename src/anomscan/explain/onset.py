"""Since when an asset has been as it is."""

from __future__ import annotations

import numpy as np

from anomscan.explain.expected import BAND
from anomscan.telemetry.series import Floats

#: From so many scales on a first flagged sample is a jump: it began where the band was left.
JUMP = 5.0
#: What a slow change must exceed, in scales, to count as begun.
SLACK = 1.0
#: So likely, in units of twice its logarithm, a mean that changed must be against none for its beginning to be told.
CLEAR = 12.0
#: How far back the onset is looked for where single samples are scored.
LOOKBACK = 120


def onset(deviation: Floats, first: int, shingle: int) -> int:
    """The row of the onset of what was first flagged on a row.

    A jump began with the first of the samples before it that lie outside the band without a break. A slow change began
    where it is most likely that the mean changed from zero (Hinkley 1970, Inference about the change-point in a
    sequence of random variables); where no change is clear, and with shingles, where the cumulative sum that reaches
    its height on the first flagged row left zero for the last time (Page 1954).

    Parameters
    ----------
    deviation
        (n,) float64: of the values from the expected ones, in scales, upwards the way of the incident; NaN where there
        is none.
    first
        The first flagged row.
    shingle
        L, in samples.

    Examples
    --------
    >>> onset(np.array([0.0, 2.0, 0.0, 9.0, 9.0]), 3, 1)
    3
    >>> onset(np.array([0.0, 0.1, 2.5, 3.0, 2.9, 3.5]), 5, 1)
    2
    """
    here = deviation[first]
    jump = bool(np.isfinite(here) and here >= JUMP)
    if not jump and shingle == 1:
        changed = _change(deviation[max(first - LOOKBACK, 0) : first + 1])
        if changed is not None:
            return max(first - LOOKBACK, 0) + changed
    # The score of a shingle stands at its end, so that its fault may have begun with any of its samples.
    back = shingle - 1 if shingle > 1 else LOOKBACK
    slack = BAND if jump or shingle > 1 else SLACK
    start, total, highest = first, 0.0, 0.0
    for row in range(first - 1, max(first - 1 - back, -1), -1):
        step = deviation[row]
        if np.isnan(step):
            continue
        if jump and step < slack:
            break
        total += step - slack
        if total > highest:
            start, highest = row, total
    return start


def _change(deviation: Floats) -> int | None:
    """The place from which on to the end the mean is most likely another than zero; None if that is not clear."""
    known = np.isfinite(deviation)
    total = np.where(known, deviation, 0.0)[::-1].cumsum()[::-1]
    count = known[::-1].cumsum()[::-1]
    likely = np.where(known & (total > 0), total**2 / np.maximum(count, 1), 0.0)
    best = int(likely.argmax())
    return best if likely[best] >= CLEAR else None


def equal_since(values: Floats, row: int) -> int:
    """The row from which on a value has repeated without a break up to a row; rows without one are passed over.

    Parameters
    ----------
    values
        (n,) float64.
    """
    start = row
    for before in range(row - 1, -1, -1):
        if np.isnan(values[before]):
            continue
        if values[before] != values[row]:
            break
        start = before
    return start
