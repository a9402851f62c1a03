"""Spans: anomalous days widened to their shingles and merged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spans(places: NDArray[np.int64], shingle: int) -> NDArray[np.int64]:
    """Widen each anomalous place to its shingle and merge what touches.

    Parameters
    ----------
    places
        (m,) int64, strictly increasing: anomalous samples as steps on the calendar.
    shingle
        L: each place p stands for p - L + 1 .. p.

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
    starts = places - (shingle - 1)
    fresh = np.concatenate([[True], starts[1:] > places[:-1] + 1])
    closing = np.concatenate([fresh[1:], [True]])
    return np.column_stack([starts[fresh], places[closing]])
