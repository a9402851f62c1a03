"""What of a variable is compared: its values and their changes, each on the scale of the trusted part."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from anomscan.detectors.points import Floats32
from anomscan.telemetry.series import Floats

#: So many standard deviations from the mean count, of one variable and of each of several: beside others, one that
#: leaves its range altogether must not drown them.
FARTHEST, FARTHEST_OF_MANY = 1e4, 8.0
#: A smaller share of the mean is no scatter.
ALMOST_NONE = 1e-9


def channels_of(values: Floats, trusted: int, *, difference: bool, farthest: float) -> Iterator[Floats32]:
    """The channels of one variable.

    Parameters
    ----------
    values
        (n,) float64; NaN where one is missing.
    trusted
        The first so many decide the scale.
    difference
        Whether there is a second channel: the change from the row before; none where one of the two is missing.
    farthest
        As ``FARTHEST``.

    Yields
    ------
    (n,) float32, NaN where a value is missing.
    """
    yield scaled(values, trusted, farthest)
    if difference:
        change = np.diff(values, prepend=values[:1])
        yield scaled(np.where(np.isfinite(values) & np.isnan(change), 0.0, change), trusted, farthest)


def scaled(values: Floats, trusted: int, farthest: float) -> Floats32:
    """On a scale on which the trusted part has mean 0 and standard deviation 1."""
    first = values[:trusted]
    first = first[np.isfinite(first)]
    mean, scale = (float(first.mean()), float(first.std())) if len(first) else (0.0, 1.0)
    if scale <= ALMOST_NONE * abs(mean):
        scale = 0.01 * abs(mean) or 1.0
    return np.clip((values - mean) / scale, -farthest, farthest).astype(np.float32)
