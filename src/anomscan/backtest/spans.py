"""Spans: anomalous days widened to their shingles and merged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spans(places: NDArray[np.int64], shingle: int, step: int = 1) -> NDArray[np.int64]:
    """Widen each anomalous place to its shingle and merge those that touch.

    Parameters
    ----------
    places
        (m,) int64, strictly increasing: anomalous samples on the calendar.
    shingle
        L: each place p stands for p - (L - 1) step .. p.
    step
        From one place on the calendar to the next; all places are whole steps apart.

    Returns
    -------
    (s, 2) int64: first and last place of each span, both inclusive; spans neither overlap nor touch.

    Examples
    --------
    >>> spans(np.array([0, 1, 2, 3, 33, 34, 36]), 1).tolist()
    [[0, 3], [33, 34], [36, 36]]
    >>> spans(np.array([10, 18]), 7).tolist()
    [[4, 10], [12, 18]]
    >>> spans(np.array([10, 17]), 7).tolist()
    [[4, 17]]
    """
    if len(places) == 0:
        return np.empty((0, 2), np.int64)
    closing = (places[1:] - places[:-1] > shingle * step).nonzero()[0]
    merged = np.empty((len(closing) + 1, 2), np.int64)
    merged[0, 0], merged[-1, 1] = places[0], places[-1]
    merged[1:, 0], merged[:-1, 1] = places[closing + 1], places[closing]
    merged[:, 0] -= (shingle - 1) * step
    return merged
