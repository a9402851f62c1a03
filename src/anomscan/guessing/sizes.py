"""Whether assets are alike but for their size, so that one is compared with another by their ratio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomscan.guessing.columns import Roles
from anomscan.guessing.sample import Sample
from anomscan.telemetry.series import Floats

#: So many assets and timestamps tell enough.
_ASSETS, _TIMES = 100, 5_000
#: An asset is told by its median times a factor if the median plus a constant leaves so many times as much.
_CLEARLY = 1.5
#: So large a share of the medians, and of the values, is above zero; else there is no ratio to speak of.
_ABOVE_ZERO = 0.99
_FEWEST_TIMES = 20


def differ_in_size(sample: Sample, roles: Roles) -> bool:
    """Whether the ratio to the others tells more of most assets than the difference to them."""
    votes = [vote for table in _tables(sample, roles) for vote in _votes(table)]
    return bool(votes) and sum(votes) > len(votes) / 2


def _votes(table: Floats) -> list[bool]:
    """Of each of (a, n) assets whether the ratio tells more; nothing where a ratio may not be had."""
    some = np.isfinite(table).sum(axis=0) >= 4
    table = table[:, some]
    if table.shape[1] < _FEWEST_TIMES:
        return []
    middle = np.nanmedian(table, axis=0)
    if (middle > 0).mean() < _ABOVE_ZERO or (table < 0).mean() > 1 - _ABOVE_ZERO:
        return []
    table, middle = table[:, middle > 0], middle[middle > 0]
    votes = []
    for own in table:
        there = np.isfinite(own)
        if there.sum() >= _FEWEST_TIMES:
            near, due = own[there], middle[there]
            by_ratio = _scatter(near - np.median(near / due) * due)
            votes.append(bool(_CLEARLY * by_ratio < _scatter(near - due)))
    return votes


def _scatter(values: Floats) -> float:
    """The width of the middle nine tenths: a working day may be less than half of the hours, and faults are fewer."""
    low, high = np.quantile(values, [0.05, 0.95])
    return float(high - low)


def _tables(sample: Sample, roles: Roles) -> list[Floats]:
    """For each variable, (a, n) values of assets at common timestamps; NaN where there is none."""
    moments = roles.stamps.moments
    if roles.layout == "wide":
        columns = [sample.columns[name].numbers for name in roles.values[:_ASSETS]]
        numbers = [each[:_TIMES] for each in columns if each is not None]
        return [np.stack(numbers)] if numbers else []
    if roles.layout != "long":
        return []
    dated = (roles.codes >= 0) & ~np.isnat(moments)
    _, place = np.unique(moments[dated], return_inverse=True)
    codes = roles.codes[dated]
    chosen = (codes < _ASSETS) & (place < _TIMES)
    found = []
    for name in roles.values:
        values = sample.columns[name].numbers
        if values is not None:
            found.append(_laid(codes[chosen], place[chosen], values[dated][chosen]))
    return found


def _laid(codes: NDArray[np.int32], place: NDArray[np.intp], values: Floats) -> Floats:
    table = np.full((int(codes.max(initial=-1)) + 1, int(place.max(initial=-1)) + 1), np.nan)
    table[codes, place] = values
    return table
