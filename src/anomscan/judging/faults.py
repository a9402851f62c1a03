"""Faults of known kinds and sizes, put into measured values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anomscan.telemetry.robust import MAD_TO_STD
from anomscan.telemetry.series import Floats

#: So much of the time an intermittent fault is there.
_THERE = 0.4
#: So many samples before a fault tell how much the values scatter.
_BEFORE = 90


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a fault is put.

    Parameters
    ----------
    values
        (n, d) float64 of an asset, to be changed; NaN where one is missing.
    rows
        Those of the fault.
    variable
        Of those that it strikes, the place.
    scale, side
        What the variable scatters by, and 1 or -1 for upwards or downwards.
    random
        Its own source of chance.
    """

    values: Floats
    rows: slice
    variable: int
    scale: float
    side: float
    random: np.random.Generator

    @property
    def struck(self) -> Floats:
        """(k,) float64: the values of the fault, to be changed in place."""
        part: Floats = self.values[self.rows, self.variable]
        return part


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault.

    Parameters
    ----------
    put
        Puts one of a size into a place.
    by_length
        Whether its size is how many samples it lasts; else how many scales it is off.
    variables
        How many variables an asset has at least that can have it.
    lasts
        So many times as long as other faults; 0 for one sample.
    """

    put: Callable[[Place, float], None]
    by_length: bool = False
    variables: int = 1
    lasts: float = 1.0


def _jump(at: Place, size: float) -> None:
    at.struck[:] += at.side * size * at.scale


def _drift(at: Place, size: float) -> None:
    n = len(at.struck)
    at.struck[:] += at.side * size * at.scale * np.minimum(np.arange(1, n + 1) / (n * 2 / 3), 1.0)


def _stuck(at: Place, size: float) -> None:
    before = at.values[: at.rows.start, at.variable]
    known = before[np.isfinite(before)]
    at.struck[:] = known[-1] if len(known) else 0.0


def _zero(at: Place, size: float) -> None:
    at.struck[:] = 0.0


def _spread(at: Place, size: float) -> None:
    at.struck[:] += size * at.scale * at.random.normal(size=len(at.struck))


def _spike(at: Place, size: float) -> None:
    at.struck[:1] += at.side * size * at.scale


def _intermittent(at: Place, size: float) -> None:
    there = at.random.random(len(at.struck)) < _THERE
    there[:1] = True
    at.struck[there] += at.side * size * at.scale


def _gap(at: Place, size: float) -> None:
    at.values[at.rows] = np.nan


def _decoupled(at: Place, size: float) -> None:
    n, here = len(at.struck), at.rows.start
    other = int(at.random.integers(0, max(here - n, 1)))
    at.struck[:] = at.values[other : other + n, at.variable]


#: By name. All but ``gap`` strike one variable.
FAULTS = {
    "jump": FaultKind(_jump),
    "drift": FaultKind(_drift, lasts=2.0),
    "stuck": FaultKind(_stuck, by_length=True),
    "zero": FaultKind(_zero, by_length=True),
    "spread": FaultKind(_spread),
    "spike": FaultKind(_spike, lasts=0.0),
    "intermittent": FaultKind(_intermittent),
    "gap": FaultKind(_gap, by_length=True),
    "decoupled": FaultKind(_decoupled, by_length=True, variables=2),
}


def scatter(values: Floats, start: int) -> tuple[float, float]:
    """How much values scatter before a row, by the median of absolute deviations, and their median; NaN of nothing.

    >>> scatter(np.array([1.0, 2.0, 3.0, 100.0]), 3)
    (1.482602218505602, 2.0)
    """
    before = values[max(start - _BEFORE, 0) : start]
    known = before[np.isfinite(before)]
    if not len(known):
        return np.nan, np.nan
    middle = float(np.median(known))
    scale = MAD_TO_STD * float(np.median(np.abs(known - middle))) or float(known.std())
    return scale, middle
