"""Fewer stretches of a strip, in which what matters stays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

#: A strip of as many stretches is drawn as it is; one of more is told in at most as many cells of equal length.
MOST = 1_000


def coarse(
    runs: list[list[Any]], step_ms: float, focus: tuple[int, int] | None, rank: Callable[[Any], float]
) -> list[list[Any]]:
    """A strip of few stretches: at most ``MOST`` in what a reader sees first, before it, and after it.

    Parameters
    ----------
    runs
        [what, first and last sample in milliseconds] of each stretch, in the order of time.
    step_ms
        Between samples.
    focus
        The ends of what a reader sees first, in milliseconds; None where that is all.
    rank
        Of two that share a cell, the one of the higher rank is told. A cell without any stays empty.
    """
    if len(runs) <= MOST:
        return runs
    first, last = (-math.inf, math.inf) if focus is None else focus
    return [
        run
        for low, high in ((-math.inf, first - step_ms), (first, last), (last + step_ms, math.inf))
        for run in _cells([each for each in runs if each[2] >= low and each[1] <= high], step_ms, low, high, rank)
    ]


def _cells(
    runs: list[list[Any]], step_ms: float, low: float, high: float, rank: Callable[[Any], float]
) -> list[list[Any]]:
    """Those between two instants, cut to them; in cells where there are too many."""
    runs = [[what, max(first, low), min(last, high)] for what, first, last in runs]
    if len(runs) <= MOST:
        return runs
    start = runs[0][1]
    length = max(last for _, _, last in runs) + step_ms - start
    width = math.ceil(length / MOST / step_ms) * step_ms
    names = sorted(dict.fromkeys(what for what, _, _ in runs), key=rank)
    cells = np.full(MOST + 1, -1)  # one more ends the last stretch
    order = {what: place for place, what in enumerate(names)}
    for what, first, last in runs:
        touched = cells[int((first - start) / width) : min(int((last - start) / width) + 1, MOST)]
        np.maximum(touched, order[what], out=touched)
    edges = np.append(0, np.flatnonzero(np.diff(cells)) + 1)
    return [
        [names[cells[begin]], round(start + begin * width), round(start + end * width - step_ms)]
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        if cells[begin] >= 0
    ]
