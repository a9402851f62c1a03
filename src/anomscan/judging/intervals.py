"""How sure a figure is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.series import Floats

#: What an interval holds, of what may be true.
LEVEL = 0.90
_Z = 1.6448536269514722
_RESAMPLES = 400

Interval = tuple[float, float]


def wilson(hits: int, of: int) -> Interval | None:
    """The interval of a share, of so many hits; None of none. It stays wide where all or none hit.

    >>> [round(each, 2) for each in wilson(3, 3)], [round(each, 2) for each in wilson(0, 20)]
    ([0.53, 1.0], [0.0, 0.12])

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    if of == 0:
        return None
    share, weight = hits / of, _Z**2 / of
    middle = (share + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * math.sqrt(share * (1 - share) / of + weight / (4 * of))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def bootstrap(cases: Floats, statistic: Callable[[Floats], float], seed: int = 0) -> Interval | None:
    """The interval of a statistic when the cases are drawn again, with replacement; None of fewer than two.

    Parameters
    ----------
    cases
        (c, ...) float64, a line each.
    statistic
        Of such cases; NaN where it has none.

    References
    ----------
    Efron (1979), Bootstrap methods: another look at the jackknife; percentiles.
    """
    if len(cases) < 2:
        return None
    random = np.random.default_rng(seed)
    drawn = [statistic(cases[random.integers(len(cases), size=len(cases))]) for _ in range(_RESAMPLES)]
    known = [each for each in drawn if math.isfinite(each)]
    return _between(known) if known else None


def ratio(cases: Floats) -> float:
    """The sum of the first column over that of the second; NaN of nothing."""
    over = float(cases[:, 1].sum())
    return float(cases[:, 0].sum()) / over if over else math.nan


def middle(cases: Floats) -> float:
    """The median."""
    return float(np.median(cases)) if len(cases) else math.nan


def mean(cases: Floats) -> float:
    """The mean."""
    return float(cases.mean()) if len(cases) else math.nan


def _between(drawn: Sequence[float]) -> Interval:
    ends: NDArray[np.float64] = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(ends[0]), float(ends[1])
