"""Shingles: L consecutive samples as one vector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.series import Floats


def shingles(values: Floats, length: int) -> Floats:
    """Every run of ``length`` consecutive samples, in time-major order.

    Parameters
    ----------
    values
        (n, d) float64.
    length
        L >= 1 samples.

    Returns
    -------
    (max(n - L + 1, 0), L * d) float64. Row i is ``values[i], values[i + 1], ..., values[i + L - 1]``; its score
    belongs to the sample i + L - 1, its last. The last row holds the newest sample.

    Examples
    --------
    >>> shingles(np.arange(4.0).reshape(-1, 1), 3)
    array([[0., 1., 2.],
           [1., 2., 3.]])
    >>> shingles(np.array([[0.0, 10.0], [1.0, 11.0], [2.0, 12.0]]), 2)
    array([[ 0., 10.,  1., 11.],
           [ 1., 11.,  2., 12.]])
    """
    n, d = values.shape
    if n < length:
        return np.empty((0, length * d))
    windows = np.lib.stride_tricks.sliding_window_view(values, length, axis=0)
    return np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(n - length + 1, length * d)


def shingles_at(values: Floats, rows: NDArray[np.intp], length: int) -> Floats:
    """Those of :func:`shingles` that end at some rows.

    Parameters
    ----------
    values, length
        As there.
    rows
        (k,) places >= length - 1.

    Returns
    -------
    (k, L * d) float64.
    """
    places = rows[:, None] + np.arange(1 - length, 1)
    return np.asarray(values[places].reshape(len(rows), length * values.shape[1]), np.float64)


def shingles_of(values: Sequence[Floats], rows: Sequence[NDArray[np.intp]], length: int) -> Floats:
    """Those of several series at once, each as :func:`shingles_at` gives them, one after another.

    Parameters
    ----------
    values
        (n, d) float64 of each series; there is at least one.
    rows
        (k,) places >= length - 1 of each, in rising order.
    length
        As there.

    Returns
    -------
    (sum of k, L * d) float64.
    """
    parts, places, before = [values[0][:0]], [rows[0][:0]], 0
    for each, ends in zip(values, rows, strict=True):
        if len(ends):
            first = int(ends[0]) - length + 1
            parts.append(each[first : int(ends[-1]) + 1])
            places.append(ends + (before - first))
            before += len(parts[-1])
    return shingles_at(np.concatenate(parts), np.concatenate(places), length)


def complete(values: Floats, length: int) -> NDArray[np.bool_]:
    """(n,) bool: the samples whose shingle exists and has no NaN.

    >>> complete(np.array([[0.0], [1.0], [np.nan], [3.0], [4.0]]), 2)
    array([False,  True, False, False,  True])
    """
    whole = np.zeros(len(values), bool)
    if len(values) < length:
        return whole
    finite = np.isfinite(values)
    if finite.all():
        whole[length - 1 :] = True
    else:
        whole = runs(np.asarray(finite.all(axis=1)), length)
    return whole


def runs(good: NDArray[np.bool_], length: int) -> NDArray[np.bool_]:
    """(n,) bool: the rows at which ``length`` consecutive good rows end.

    >>> runs(np.array([True, True, False, True, True]), 2)
    array([False,  True, False, False,  True])
    """
    ends = np.zeros(len(good), bool)
    if len(good) >= length:
        filled = np.concatenate([[0], np.cumsum(good)])
        ends[length - 1 :] = filled[length:] - filled[:-length] == length
    return ends
