"""The course of an asset's values about an incident, as a line of blocks."""

from __future__ import annotations

import numpy as np

from anomscan.incidents.incident import Incident
from anomscan.telemetry.series import Floats, Series

#: From the smallest value to the largest.
BLOCKS = "▁▂▃▄▅▆▇█"
#: Characters of a line, and the fewest samples before the onset that it begins with.
CELLS, BEFORE = 16, 7


def sparkline(series: Series, incident: Incident) -> str:
    """The values of the variable that an open incident is about, from a while before its onset until now.

    Returns
    -------
    At most ``CELLS`` characters, each the mean of as many samples; a blank where there is none, and nothing at all if
    no sample has a value.
    """
    variable = incident.variables[0][0] if incident.variables else series.variables[0]
    values = series.values[:, series.variables.index(variable)]
    onset = int(np.searchsorted(series.timestamps, np.datetime64(incident.since.removesuffix("Z"), "us")))
    if incident.kind == "silent":
        values = np.append(values, np.full(incident.days, np.nan))
    return blocks(values[max(onset - max(BEFORE, (len(values) - onset) // 2), 0) :])


def blocks(values: Floats) -> str:
    """Values as blocks, the smallest lowest; NaN is a blank.

    >>> blocks(np.array([0.9, 0.9, np.nan, 0.2, 0.5])), blocks(np.ones(2)), blocks(np.array([np.nan]))
    ('██ ▁▄', '▄▄', '')
    """
    known = np.isfinite(values)
    if not known.any():
        return ""
    edges = np.arange(min(len(values), CELLS)) * len(values) // min(len(values), CELLS)
    count = np.add.reduceat(known.astype(np.int64), edges)
    with np.errstate(invalid="ignore"):
        means = np.add.reduceat(np.where(known, values, 0.0), edges) / count
    there = count > 0
    low, high = means[there].min(), means[there].max()
    share = (means - low) / (high - low) if high > low else np.full(len(means), 0.5)
    levels = np.rint(np.where(there, share, 0.0) * (len(BLOCKS) - 1) - 1e-9).astype(int)
    return "".join(BLOCKS[level] if has else " " for level, has in zip(levels, there, strict=True))
