"""What decides a control chart beside the values, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.control_chart.thresholds import Thresholds
from anomscan.telemetry.series import Floats

#: A deviation counts for no more than so many scales in the sums: one wild day is a jump, not a shift.
MOST, MOST_SQUARE = 6.0, 9.0
#: What a shift must exceed, in scales, and the variance that a spread must exceed; see :mod:`thresholds`.
SLACK, VARIANCE = 1.0, 2.47
#: A sum grows no further than so many thresholds, and starts again from zero after so many calm samples.
CAP, CALM = 1.5, 5
#: A sample from which a sum is on its way to the threshold is not taken for normal.
SUSPECT = 0.5
#: Samples whose means tell how much of a deviation lasts from one sample to the next.
LASTING = 7
#: One sample says no more than this about how heavy the tails are: so many times as far as ``far``.
MOST_EXCESS = 4.0


class Test(IntEnum):
    """Which test has the largest score."""

    NONE = 0
    JUMP = 1
    SHIFT = 2
    SPREAD = 3
    STUCK = 4


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides a chart beside the values.

    Parameters
    ----------
    thresholds
        Of the tests.
    memory
        How many normal samples decide what is normal.
    fewest
        With fewer normal samples there is no score.
    forget_after
        After so many samples in a row that are flagged, they are the new normal; None for never.
    season_fewest
        With fewer normal samples no season is fitted.
    """

    thresholds: Thresholds
    memory: int
    fewest: int
    forget_after: int | None
    season_fewest: int

    @property
    def block(self) -> int:
        """What is normal is renewed once in so many samples."""
        return max(self.memory // 34, 1)


class Charted(NamedTuple):
    """What a chart says.

    Parameters
    ----------
    score
        (r, n) float64: the largest of the tests; NaN while there is too little history, or no usable sample.
    test
        (r, n) int8: which one, see :class:`Test`.
    level, scale
        (r, n) float64: what was normal by the samples before, with the season, and its standard deviation; NaN while
        there is too little history.
    """

    score: Floats
    test: NDArray[np.int8]
    level: Floats
    scale: Floats
