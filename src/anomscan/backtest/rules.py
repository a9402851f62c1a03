"""The settings of a scan, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass

from anomscan.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes a day anomalous.

    Parameters
    ----------
    window
        W, in samples: a day is judged by the scores of the last W samples' shingles.
    shingle
        L, in samples.
    sigma
        k: the cut-off lies k standard deviations above the mean.
    include_newest
        Whether the day's own score enters its mean and standard deviation.
    calendar
        Whether the series is laid on its calendar (missing samples leave gaps), or rows are taken as they stand.
    skip_health
        Days of such health are not judged.

    Raises
    ------
    ConfigError
        If no series could ever be anomalous under these rules.
    """

    window: int = 366
    shingle: int = 7
    sigma: float = 4.0
    include_newest: bool = True
    calendar: bool = True
    skip_health: tuple[str, ...] = ("Unknown",)

    def __post_init__(self) -> None:
        if self.window < self.shingle:
            raise ConfigError(
                f"a window of {self.window} samples holds no shingle of {self.shingle}", hint="widen [scan] window"
            )
        if self.baseline_width < self.fewest_scores:
            raise ConfigError(
                f"a window of {self.window} samples gives a mean of {self.baseline_width} scores, "
                f"and no day can be {self.sigma:g} sigma from fewer than {self.fewest_scores}",
                hint="widen [scan] window or lower sigma",
            )

    @property
    def baseline_width(self) -> int:
        """The scores of a gap-free window that enter the mean."""
        scores = self.window - self.shingle + 1
        return scores if self.include_newest else scores - 1

    @property
    def fewest_scores(self) -> int:
        """The fewest finite scores that a mean is taken of."""
        return fewest_scores(self.sigma)


def fewest_scores(sigma: float) -> int:
    """The smallest m for which the newest of m scores can lie more than ``sigma`` std above their mean.

    It never lies more than (m - 1) / sqrt(m) above, with std by m - 1 (Samuelson's inequality).

    >>> fewest_scores(4.0)
    18
    >>> fewest_scores(3.0)
    11
    """
    # (m - 1) / sqrt(m) > k  <=>  sqrt(m) > (k + sqrt(k^2 + 4)) / 2; the loops mend the rounding of that root.
    m = max(math.floor(((sigma + math.sqrt(sigma * sigma + 4)) / 2) ** 2), 2)
    while (m - 1) / math.sqrt(m) > sigma and m > 2:
        m -= 1
    while (m - 1) / math.sqrt(m) <= sigma:
        m += 1
    return m
