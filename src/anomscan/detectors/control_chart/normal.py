"""What is normal for a series: the level and the scale of its last normal samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.robust import MAD_TO_STD
from anomscan.telemetry.series import Floats

_DAY_US = 86_400_000_000


def memory(cadence: Cadence) -> int:
    """How many normal samples decide what is normal: 240, or those of two weeks if they are more, at most 2,016.

    >>> memory(Cadence.parse("1D")), memory(Cadence.parse("10min"))
    (240, 2016)
    """
    return min(max(14 * _DAY_US // cadence.step_us, 240), 2_016)


class LastNormal:
    """The last normal samples of r series.

    Parameters
    ----------
    series
        r.
    size
        How many samples are kept of each.
    """

    def __init__(self, series: int, size: int) -> None:
        self.values = np.full((series, size), np.nan)
        self.rows = np.zeros((series, size), np.int64)
        self.seen = np.zeros(series, np.int64)
        self._lines = np.arange(series)[:, None]

    def add(self, values: Floats, normal: NDArray[np.bool_], first_row: int) -> None:
        """Take in the normal ones of (r, k) samples, whose rows begin at ``first_row``."""
        size = self.values.shape[1]
        place = (self.seen[:, None] + normal.cumsum(axis=1) - 1) % size
        line, column = np.nonzero(normal)
        self.values[line, place[line, column]] = values[line, column]
        self.rows[line, place[line, column]] = first_row + column
        self.seen += normal.sum(axis=1)

    def restart(self, line: int, values: Floats, rows: NDArray[np.int64]) -> None:
        """Forget all of one series but some samples."""
        values, rows = values[-self.values.shape[1] :], rows[-self.values.shape[1] :]
        self.values[line] = np.nan
        self.values[line, : len(values)], self.rows[line, : len(values)] = values, rows
        self.seen[line] = len(values)

    @property
    def count(self) -> NDArray[np.int64]:
        """(r,) how many there are."""
        return np.minimum(self.seen, self.values.shape[1])


def median(values: Floats, count: NDArray[np.int64]) -> Floats:
    """(r,) the medians of (r, k) values, of which ``count`` in each row are not NaN; NaN for none."""
    ordered, line = np.sort(values, axis=1), np.arange(len(values))
    low: Floats = ordered[line, np.maximum(count - 1, 0) // 2]
    high: Floats = ordered[line, np.minimum(count // 2, values.shape[1] - 1)]
    return (low + high) / 2


class Overall:
    """How far all samples of r series so far scatter, the normal ones and the others."""

    def __init__(self, series: int) -> None:
        self._first = np.full(series, np.nan)
        self._count, self._sum, self._squares = (np.zeros(series) for _ in range(3))

    def add(self, values: Floats, used: NDArray[np.bool_]) -> None:
        """Count in the used ones of (r, k) samples."""
        for column in range(values.shape[1]):
            on, value = used[:, column], values[:, column]
            self._first = np.where(on & np.isnan(self._first), value, self._first)
            # From the first sample, so that nothing is lost where the values are large.
            from_first = np.where(on, value - self._first, 0.0)
            self._count += on
            self._sum += from_first
            self._squares += np.square(from_first)

    def spread(self) -> Floats:
        """(r,) float64: the standard deviation of them."""
        count = np.maximum(self._count, 1.0)
        return np.sqrt(np.maximum(self._squares - self._sum * self._sum / count, 0.0) / count)


def level_and_scale(values: Floats, count: NDArray[np.int64], overall: Overall) -> tuple[Floats, Floats]:
    """Median, and the standard deviation as the median of absolute deviations tells it.

    Where more than half the values are equal, which tells nothing, the standard deviation of all samples so far; where
    all are, a hundredth of them.

    Parameters
    ----------
    values
        (r, k) float64, NaN beyond ``count`` in each row.

    References
    ----------
    Rousseeuw and Croux (1993), Alternatives to the median absolute deviation.
    """
    level = median(values, count)
    scale = MAD_TO_STD * median(np.abs(values - level[:, None]), count)
    with np.errstate(invalid="ignore"):
        flat = scale <= 1e-9 * np.abs(level)
    return level, np.where(flat, np.maximum(np.maximum(overall.spread(), 0.01 * np.abs(level)), 1e-9), scale)
