"""What kind of thing went wrong, by how the values lie to what was expected."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from anomscan.explain.expected import BAND
from anomscan.telemetry.series import Floats

#: So many equal values in a row, other than zero, are stuck; and more where that is likelier than this by chance.
EQUAL, CHANCE = 5, 1e-4
#: So many samples that do not repeat themselves are taken for granted.
_PRIOR = 10.0
#: A drift takes so many samples, and its last third lies so many times further off than its first.
DRIFT, GROWTH = 14, 1.8
#: So much of an incident lies on one side of the expected values, unless it is noise.
ONE_SIDED = 0.75


def fewest_equal(past: Floats) -> int:
    """So many equal values in a row are stuck, after such a past: whole numbers repeat themselves by chance.

    Parameters
    ----------
    past
        (n,) float64: what was measured before; NaN where nothing was.

    >>> fewest_equal(np.array([0.81, 0.83, 0.8])), fewest_equal(np.array([31.0, 31.0, 30.0, 31.0] * 9))
    (5, 11)
    """
    known = past[np.isfinite(past)]
    share = ((known[1:] == known[:-1]).sum() + 0.5) / (len(known) + _PRIOR)
    return max(EQUAL, 1 + math.ceil(math.log(CHANCE) / math.log(min(share, 0.99))))


def kind_of(values: Floats, deviation: Floats, flagged: NDArray[np.bool_], equal: int = EQUAL) -> str:
    """The kind, the first that holds: stuck, zero, noisy, drifting, dropped or raised, else pattern.

    Parameters
    ----------
    values, deviation
        (n,) float64 of the samples from onset to last: of the variable that deviates most, and how far it is from the
        expected value in scales; NaN where there is none.
    flagged
        (n,) bool: the anomalous ones.
    equal
        So many equal values in a row are stuck.
    """
    known = np.isfinite(values)
    if known.any() and _longest_run(values[known]) >= equal and not (values[known] == 0).all():
        run = values[known]
        if _longest_run(run[run != 0]) >= equal:
            return "stuck"
    if (known & flagged).any() and (values[known & flagged] == 0).mean() >= 0.5:
        return "zero"
    off = np.isfinite(deviation)
    if not off.any():
        return "pattern"
    outside = deviation[off & (np.abs(deviation) > BAND)]
    if len(outside) == 0:
        return "pattern"
    down = (outside < 0).mean()
    if max(down, 1 - down) < ONE_SIDED and len(outside) > 1:
        return "noisy"
    far = deviation[off] * (-1 if down >= 0.5 else 1)
    third = len(far) // 3
    if len(far) >= DRIFT and far[-third:].mean() > GROWTH * max(far[:third].mean(), 0.5):
        return "drifting-down" if down >= 0.5 else "drifting-up"
    if far[flagged[off]].mean() > BAND / 2 if flagged[off].any() else False:
        return "dropped" if down >= 0.5 else "raised"
    return "pattern"


def _longest_run(values: Floats) -> int:
    """How many equal values in a row there are at most."""
    if len(values) == 0:
        return 0
    edges = np.flatnonzero(np.append(True, np.append(values[1:] != values[:-1], True)))
    return int(np.diff(edges).max())
