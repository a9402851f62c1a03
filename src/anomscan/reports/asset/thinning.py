"""Fewer points of a line, in which its extremes and what matters stay."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.series import Floats

#: A line of as many points is drawn as it is; of one with more about as many are kept, and as many where it matters.
MOST = 2_000


def thinned(lines: Iterable[Floats], wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Which points of some lines to keep.

    Parameters
    ----------
    lines
        (n,) float64 each; NaN where a line is broken. The extremes of each stay.
    wanted
        (n,) bool: what is kept in any case, the last ``MOST`` of it.

    Returns
    -------
    Places in order: all of them, or of each of ``MOST / 4`` stretches the lowest and the highest point of each line and
    the first one that is missing; the ends; and what is wanted.
    """
    n = len(wanted)
    if n <= MOST:
        return np.arange(n)
    edges = np.linspace(0, n, MOST // 4 + 1).astype(np.int64)
    starts, sizes = edges[:-1], np.diff(edges)
    kept = [np.array([0, n - 1]), np.flatnonzero(wanted)[-MOST:]]
    owner = np.repeat(np.arange(len(starts)), sizes)
    for line in lines:
        known = np.isfinite(line)
        kept.extend(_first(np.where(known, sign * line, np.inf), starts, owner) for sign in (1.0, -1.0))
        missing = np.flatnonzero(~known)
        kept.append(missing[np.unique(owner[missing], return_index=True)[1]])
    return np.unique(np.concatenate(kept))


def _first(line: Floats, starts: NDArray[np.int64], owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each stretch has its lowest point."""
    lowest = np.minimum.reduceat(line, starts)
    places = np.flatnonzero(np.isfinite(line) & (line == lowest[owner]))
    return places[np.unique(owner[places], return_index=True)[1]]
