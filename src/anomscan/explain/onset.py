"""Since when an asset has been as it is."""

from __future__ import annotations

import numpy as np

from anomscan.explain.expected import BAND
from anomscan.telemetry.series import Floats

#: From so many scales on a first flagged sample is a jump: it began where the band was left.
JUMP = 5.0
#: What a slow change must exceed, in scales, to count as begun.
SLACK = 1.0
#: How far back the onset is looked for where single samples are scored.
LOOKBACK = 120


def onset(deviation: Floats, first: int, shingle: int) -> int:
    """The row of the onset of what was first flagged on a row.

    A jump began with the first of the samples before it that lie outside the band without a break. A slow change began
    where the cumulative sum that reaches its height on the first flagged row left zero for
    the last time (Page 1954).

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
