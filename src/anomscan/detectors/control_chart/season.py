"""How a series repeats itself: the periods that a cadence can show, fitted to what was normal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Floats, Instants

_DAY_US = 86_400_000_000
_YEAR_US = 365.25 * _DAY_US

#: So many samples that say there is no season, so that a few of them make none.
PRIOR = 20.0


@dataclass(frozen=True, slots=True)
class Season:
    """The waves of which a season is made.

    Parameters
    ----------
    periods_us
        The period of each, in microseconds.
    fewest
        Only with so many normal samples is a season fitted: fewer do not tell one from a drift.
    """

    periods_us: tuple[float, ...]
    fewest: int

    @classmethod
    def of(cls, cadence: Cadence) -> Season:
        """The year where samples are days, and half the year not, for faults last as long; else day and half day.

        >>> Season.of(Cadence.parse("1D")).fewest, Season.of(Cadence.parse("1h")).fewest
        (401, 336)
        """
        if cadence.step_us >= _DAY_US:
            return cls((_YEAR_US,), int(1.1 * _YEAR_US / cadence.step_us))
        return cls((_DAY_US, _DAY_US / 2), 14 * _DAY_US // cadence.step_us)

    def waves(self, timestamps: Instants) -> Floats:
        """(n, 2 p) float64: cosine and sine of each of the p periods at n timestamps."""
        instants = timestamps.astype("datetime64[us]").astype(np.int64)[:, None]
        angle = 2 * np.pi * (instants % np.array(self.periods_us)) / np.array(self.periods_us)
        return np.concatenate([np.cos(angle), np.sin(angle)], axis=1)


class Fit(NamedTuple):
    """Sums from which the seasons of r series follow by least squares, beside a level and a trend.

    Parameters
    ----------
    squares
        (r, m, m) float64.
    products
        (r, m) float64.
    """

    squares: Floats
    products: Floats

    @classmethod
    def none(cls, series: int, waves: int) -> Fit:
        """Nothing seen yet."""
        return cls(np.zeros((series, waves + 2, waves + 2)), np.zeros((series, waves + 2)))

    def add(self, values: Floats, normal: NDArray[np.bool_], years: Floats, waves: Floats) -> None:
        """Count in the normal ones of some samples.

        Parameters
        ----------
        values, normal
            (r, k) float64 and bool.
        years
            (k,) or (r, k) float64: since the first sample.
        waves
            (r, k, w) float64, see :meth:`Season.waves`.
        """
        terms = np.concatenate(
            [np.ones((*values.shape, 1)), np.broadcast_to(years, values.shape)[..., None], waves], axis=2
        )
        terms *= normal[..., None]
        # Sums over an inner axis go sample by sample: a series' bits do not depend on the others.
        self.squares.__iadd__((terms[..., :, None] * terms[..., None, :]).sum(axis=1))
        self.products.__iadd__((terms * np.where(normal, values, 0.0)[..., None]).sum(axis=1))

    def waves_of(self, enough: NDArray[np.bool_]) -> Floats:
        """(r, w) float64: the height of each wave; 0 where there is not ``enough`` to fit one."""
        heights = np.zeros((len(self.products), self.products.shape[1] - 2))
        if enough.any():
            heights[enough] = _solved(self.squares[enough], self.products[enough])[:, 2:]
        return heights


def _solved(squares: Floats, products: Floats) -> Floats:
    """(k, m) float64: the solutions of k systems by Gauss's elimination, as the compiled kernel does it."""
    m = products.shape[1]
    a = np.concatenate([squares + np.diag([1e-9, 1e-9] + [PRIOR] * (m - 2)), products[..., None]], axis=2)
    for i in range(m):
        for j in range(i + 1, m):
            a[:, j, i:] -= (a[:, j, i] / a[:, i, i])[:, None] * a[:, i, i:]
    for i in range(m - 1, -1, -1):
        for k in range(i + 1, m):
            a[:, i, m] -= a[:, i, k] * a[:, k, m]
        a[:, i, m] /= a[:, i, i]
    solved: Floats = a[:, :, m]
    return solved
