"""Nearest past on NumPy: what the kernel does, row by row, to be read; ``kernel/nearest.c`` gives the same bits."""

from __future__ import annotations

import numpy as np

from anomscan.detectors.nearest.past import Matches, Past
from anomscan.detectors.points import Floats32


def matches(values: Floats32, past: Past) -> Matches:
    """Find the nearest past of each row of one series; see :func:`anomscan.detectors.nearest.past.matches`."""
    n, halves = len(values), len(past.half_lives)
    back = values[::-1]  # the places of growing lags lie one behind the other
    distances = np.zeros((halves, n), np.float32)
    strange = np.zeros((halves, n), np.float32)  # backwards, as is what follows
    least = np.full((halves, n), np.inf, np.float32)
    lag = np.zeros((halves, n), np.int32)
    for t in range(n):
        here, known = n - 1 - t, not np.isnan(values[t])
        best, place = np.full(halves, np.inf, np.float32), np.zeros(halves, np.int32)
        for begin, end in past.lags(t) if known else ():
            off = values[t] - back[here + begin : here + end]
            square = off * off
            square[np.isnan(square)] = past.missing
            for i, (keep, first, fewest) in enumerate(zip(past.keep, past.first, past.fewest, strict=True)):
                distances[i, begin:end] *= keep
                distances[i, begin:end] += square
                start, stop = max(begin, first), min(end, t - fewest + 1)
                if start >= stop:
                    continue
                far, others = distances[i, start:stop], slice(here + start, here + stop)
                if t < past.trusted:
                    np.minimum(least[i, others], far, out=least[i, others])
                else:
                    far = np.maximum(far, strange[i, others])
                nearest = int(far.argmin())
                if far[nearest] < best[i]:
                    best[i], place[i] = far[nearest], start + nearest
        if t < past.trusted:
            np.minimum(least[:, here], best, out=least[:, here])
            strange[:, here] = 0.0 if known else np.inf
        else:
            least[:, here], lag[:, t] = best, place
            strange[:, here] = np.where(np.isfinite(best), best, 0) * past.inherit
            strange[np.isinf(best), here] = np.inf
    return Matches(np.ascontiguousarray(least[:, ::-1]), lag)
