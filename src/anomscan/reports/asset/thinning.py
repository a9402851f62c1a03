"""Fewer points of a line, in which its extremes and what matters stay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.series import Floats

#: A line of as many points is drawn as it is; of a longer one about as many are kept.
MOST = 2_000
# So many stretches have their extremes, both of the whole line and of what a reader sees first.
_STRETCHES = MOST // 6


def thinned(line: Floats, focus: slice, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Which points of a line to keep.

    Parameters
    ----------
    line
        (n,) float64; NaN where it is broken.
    focus
        What a reader sees first.
    wanted
        (n,) bool: what is kept in any case, the last ``MOST / 2`` of it.

    Returns
    -------
    Places in order: all of them, or of each of ``MOST / 6`` stretches of the line, and of as many of the focus, the
    lowest point, the highest, and the first one that is missing; the ends; and what is wanted.
    """
    n = len(line)
    if n <= MOST:
        return np.arange(n)
    kept = [np.array([0, n - 1]), np.flatnonzero(wanted)[-MOST // 2 :]]
    for start, stop, _ in (slice(None).indices(n), focus.indices(n)):
        kept.extend(start + places for places in _extremes(line[start:stop]))
    return np.unique(np.concatenate(kept))


def _extremes(line: Floats) -> list[NDArray[np.int64]]:
    """The lowest and the highest point of each stretch, and the first one that is missing."""
    if len(line) <= 3 * _STRETCHES:
        return [np.arange(len(line))]
    edges = np.linspace(0, len(line), _STRETCHES + 1).astype(np.int64)
    starts = edges[:-1]
    owner = np.repeat(np.arange(_STRETCHES), np.diff(edges))
    known = np.isfinite(line)
    missing = np.flatnonzero(~known)
    return [
        *(_first(np.where(known, sign * line, np.inf), starts, owner) for sign in (1.0, -1.0)),
        missing[np.unique(owner[missing], return_index=True)[1]],
    ]


def _first(line: Floats, starts: NDArray[np.int64], owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each stretch has its lowest point."""
    lowest = np.minimum.reduceat(line, starts)
    places = np.flatnonzero(np.isfinite(line) & (line == lowest[owner]))
    return places[np.unique(owner[places], return_index=True)[1]]
