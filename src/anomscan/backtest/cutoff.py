"""The cut-off of each day, and which scores lie above it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.series import Floats

#: A score this close to the cut-off, relative to the larger of the two, is not above it.
TOLERANCE = 1e-12
#: A cut-off so many times the smallest one is inflated.
INFLATED = 2.0


class Cutoffs(NamedTuple):
    """The cut-off of each sample.

    Parameters
    ----------
    cutoff
        (a, n) or (n,) float64; NaN where too few scores are known, or the window is not full.
    sigma
        Of the same shape, float64: (score - mean) / std, or what a rule has in their place; NaN where there is no
        cut-off or all scores of the window are equal.
    """

    cutoff: Floats
    sigma: Floats


def inflated(cutoff: Floats) -> NDArray[np.bool_]:
    """(n,) bool: days whose cut-off is more than twice the smallest that there had been by then.

    What is in their windows, as a rule an outage, has lifted it: the asset was hardly watched.

    >>> inflated(np.array([np.nan, 1.0, 1.9, 2.1, 1.0]))
    array([False, False, False,  True, False])
    """
    least = np.fmin.accumulate(cutoff)
    with np.errstate(invalid="ignore"):
        lifted: NDArray[np.bool_] = (least > 0) & (cutoff > INFLATED * least)
    return lifted


def exceeds(scores: Floats, cutoff: Floats) -> NDArray[np.bool_]:
    """Elementwise: which scores lie above their cut-off, strictly and by more than rounding.

    >>> exceeds(np.array([1.0, 1.0 + 1e-13, 1.1, np.nan]), np.array([1.0, 1.0, 1.0, 1.0]))
    array([False, False,  True, False])
    """
    above = scores > cutoff
    score, bound = scores[above], cutoff[above]
    above[above] = score - bound > TOLERANCE * np.maximum(np.abs(score), np.abs(bound))
    return above
