"""Curves as they are drawn: cut to a stretch of days, thinned without losing what stands out."""

from __future__ import annotations

import numpy as np

from anomscan.reports.chartdata import Curve
from anomscan.telemetry.series import Floats

# Curves with more places are thinned to the smallest and the largest value of each of half as many stretches.
_MOST = 4_000
_DAY_US = 86_400_000_000
# What draws them squares ranges.
_LARGEST = 1e150


def days_of(curve: Curve) -> Floats:
    """(m,) the places of a curve, in days since 1970."""
    if curve.x is not None:
        return curve.x / 86_400_000
    return day(np.datetime64(curve.start, "us")) + np.arange(len(curve.y), dtype=np.float64) * (
        curve.step_ms / 86_400_000
    )


def within(curve: Curve, start: float, end: float) -> tuple[Floats, Floats]:
    """The part of a curve between two days, thinned without losing what stands out."""
    x = days_of(curve)
    y = drawable(curve.y.astype(np.float64))
    first, stop = np.searchsorted(x, start, "left"), np.searchsorted(x, end, "right")
    x, y = x[max(first - 1, 0) : stop + 1], y[max(first - 1, 0) : stop + 1]
    if len(x) <= _MOST:
        return x, y
    size = -(-len(x) // (_MOST // 2))
    places = np.arange(-(-len(x) // size) * size).clip(max=len(x) - 1).reshape(-1, size)
    some = y[places]
    least = np.where(np.isnan(some), np.inf, some).argmin(1)
    most = np.where(np.isnan(some), -np.inf, some).argmax(1)
    rows = np.arange(len(places))
    missing = np.isnan(some)
    has_gap = missing.any(1)
    gaps = places[rows, missing.argmax(1)][has_gap]
    kept = np.unique(np.concatenate([places[rows, least], places[rows, most], gaps]))
    return x[kept], y[kept]


def broken(ends: Floats, low: float, high: float) -> tuple[Floats, Floats]:
    """Lines between pairs of places, (k, 2), as one line that is broken between them."""
    x = np.column_stack([ends, np.full(len(ends), np.nan)]).ravel()
    return x, np.tile([low, high, np.nan], len(ends))


def drawable(y: Floats) -> Floats:
    """The values, none of them too large to draw."""
    return np.clip(y, -_LARGEST, _LARGEST)


def day(at: np.datetime64) -> float:
    """Days since 1970, as matplotlib counts them."""
    return float(at.astype("datetime64[us]").astype(np.int64)) / _DAY_US
