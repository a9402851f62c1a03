"""The expected value and the band of each variable on each sample, from peers or from the own normal past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.control_chart.lines import Lines
from anomscan.detectors.control_chart.normal import memory
from anomscan.detectors.control_chart.season import Season
from anomscan.detectors.control_chart.settings import Settings
from anomscan.detectors.control_chart.thresholds import Thresholds
from anomscan.telemetry.baseline import stitched
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.cohorts import Cohorts, How
from anomscan.telemetry.series import Floats, Series

#: The middle 90 % of normally distributed values lie within so many standard deviations.
BAND = 1.6448536269514722
#: With fewer normal samples nothing is expected.
FEWEST = 20
#: What is normal is told by the verdicts, whatever the thresholds.
_ANY = Thresholds.of("1/20y", Cadence.parse("1D"), 1)
_NAMES = ("expected", "low", "high", "scale")


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What is expected of one series.

    Parameters
    ----------
    expected, low, high
        (n, d) float64; NaN while there is too little history.
    scale
        (n, d) float64: one standard deviation of what was normal, by what was normal before.
    median
        (n, d) float64: the median of the other members of its cohort, NaN where there are too few; None without peers.
    """

    expected: Floats
    low: Floats
    high: Floats
    scale: Floats
    median: Floats | None = None

    @classmethod
    def joined(cls, parts: Sequence[tuple[int, Expected]]) -> Expected:
        """Several of one series as one: each holds from its first row on, until the next begins."""
        whole = parts[0][1]
        if len(parts) == 1:
            return whole
        joined = {name: stitched([(first, getattr(part, name)) for first, part in parts]) for name in _NAMES}
        return cls(**joined, median=whole.median)


def expected(batch: Sequence[Series], normal: Sequence[NDArray[np.bool_]], cohorts: Cohorts | None) -> list[Expected]:
    """What is expected of each series of a batch on its samples, by what was normal before.

    Where the peers of a sample are known, and for long enough, the expected value is theirs and the usual difference to
    them, or theirs times the usual ratio; else it is that of the own past. What is expected of a sample follows from it
    and earlier ones alone.

    Parameters
    ----------
    batch
        Series of the same variables, laid on their calendars.
    normal
        For each series (n,) bool: samples that may enter what is normal.
    cohorts
        The peers; None where each series is explained by its own past.
    """
    if not batch:
        return []
    none = [np.zeros(series.values.shape) for series in batch]
    own = _against(batch, normal, none, "difference")
    if cohorts is None:
        return own
    medians = [cohorts.others(series) for series in batch]
    against = _against(batch, normal, medians, cohorts.how)
    return [
        Expected(
            **{
                name: np.where(np.isfinite(peer.expected), getattr(peer, name), getattr(alone, name)) for name in _NAMES
            },
            median=median,
        )
        for alone, peer, median in zip(own, against, medians, strict=True)
    ]


def _against(
    batch: Sequence[Series], normal: Sequence[NDArray[np.bool_]], references: Sequence[Floats], how: How
) -> list[Expected]:
    """What is expected by how values usually lie to a reference, (n, d) for each series; NaN where that is unknown."""
    cadence = batch[0].cadence
    compared = []
    for series, reference in zip(batch, references, strict=True):
        values = series.measured().values
        if how == "ratio":
            compared.append(np.divide(values, reference, out=np.full(values.shape, np.nan), where=reference != 0))
        else:
            compared.append(values - reference)
    lines = Lines.of(batch, compared, compared, normal)
    settings = Settings(_ANY, memory(cadence), FEWEST, None, Season.of(cadence).fewest)
    charted = lines.charted(settings, lines.usable)
    found = []
    for place, (series, reference) in enumerate(zip(batch, references, strict=True)):
        own = lines.at(place, len(series))
        middle, one = charted.level[own].T, charted.scale[own].T
        if how == "ratio":
            unit = np.where(reference != 0, reference, np.nan)
            middle, one = middle * unit, one * np.abs(unit)
        else:
            middle = middle + reference
        found.append(Expected(middle, middle - BAND * one, middle + BAND * one, one))
    return found
