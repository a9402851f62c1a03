"""Control charts of many series at once: jump, shift, spread and stuck, each on a scale on which 1 is the threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.control_chart import steps
from anomscan.detectors.control_chart.settings import Charted, Settings
from anomscan.detectors.kernel import native
from anomscan.telemetry.series import Floats


def chart(
    raw: Floats,
    values: Floats,
    usable: NDArray[np.bool_],
    years: Floats,
    waves: Floats,
    settings: Settings,
    told: NDArray[np.uint8] | NDArray[np.bool_] | None = None,
) -> Charted:
    """Chart r series; what is said of a sample depends on it and on earlier ones, and on its own series alone.

    Parameters
    ----------
    raw
        (r, n) float64: as measured; equal ones in a row are stuck.
    values
        (r, n) float64: what is charted: the same, or its difference to the peers.
    usable
        (r, n) bool: finite samples that may be judged.
    years, waves
        (r, n) and (r, n, w) float64: time since the first sample, and the season's waves.
    told
        (r, n) bool: the samples that are normal; or uint8, as :mod:`anomscan.telemetry.baseline` tells of some of them.
        Of the others, and with None of all, those are normal that no test flags.

    References
    ----------
    Montgomery, Introduction to Statistical Quality Control: charts with estimated parameters. Page (1954), Continuous
    inspection schemes: the cumulative sum. Hawkins (1987), Self-starting CUSUM charts. Hawkins (1981), A CUSUM for a
    scale parameter.
    """
    kernel = native()
    if kernel is None:
        return steps.chart(raw, values, usable, years, waves, settings, told)
    limits, (series, n) = settings.thresholds, values.shape
    score, level, scale = (np.empty((series, n)) for _ in range(3))
    test = np.empty((series, n), np.int8)
    numbers = np.array(
        [
            *(limits.jump, limits.shift, limits.unseasonal_shift, limits.spread, limits.equal_log),
            *(limits.samples, limits.far, limits.prior_excess, limits.prior_judged),
        ]
    )
    counts = np.array(
        [
            *(series, n, waves.shape[2], settings.memory, settings.fewest, settings.season_fewest, settings.block),
            settings.forget_after or 0,
        ],
        np.int64,
    )
    kernel.chart(counts, numbers, (raw, values, years, waves), (usable, told), (score, level, scale), test)
    return Charted(score, test, level, scale)
