"""The cut-off of each day: mean + k std over the scores of its window."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from anomscan.backtest.cutoff import Cutoffs
from anomscan.telemetry.series import Floats


def cutoffs(
    scores: Floats, *, width: int, k: float, fewest: int, include_newest: bool = True, lead: int = 0
) -> Cutoffs:
    """Cut-offs of many assets at once.

    Parameters
    ----------
    scores
        (a, n) float64, one row an asset. NaN where there is no score.
    width
        Places of the scores that enter the mean: the newest and those before it, or those before it alone.
    k
        Standard deviations (ddof = 1) above the mean.
    fewest
        With fewer finite scores there is no cut-off; 2 or more.
    include_newest
        Whether a sample's own score enters its mean.
    lead
        So many scores at the beginning enter no mean.

    Returns
    -------
    Arrays of shape (a, n). The entries of a row at t depend on its scores at t and before alone, bit for bit. They do
    not change, bit for bit, if the row begins a multiple of ``width`` later, wherever the window is full then too.
    """
    assets, n = scores.shape
    first = min(lead + (width - 1 if include_newest else width), n)
    cutoff, sigma = np.empty((assets, n)), np.empty((assets, n))
    cutoff[:, :first] = sigma[:, :first] = np.nan
    if width < fewest:
        cutoff[:], sigma[:] = np.nan, np.nan
    elif first < n:
        mean, std = cutoff[:, first:], sigma[:, first:]
        with np.errstate(all="ignore"):
            _windows(scores[:, lead : n if include_newest else n - 1], width, fewest, mean, std)
            above = scores[:, first:] - mean
            mean += k * std
            std[std == 0] = np.nan
            np.divide(above, std, out=std)
    return Cutoffs(cutoff, sigma)


def cutoff_of_all(scores: Floats, k: float) -> Cutoffs:
    """One cut-off for a whole history.

    Parameters
    ----------
    scores
        (n,) float64; NaN where there is no score.
    k
        Standard deviations (ddof = 1) above the mean of all of them.
    """
    finite = scores[np.isfinite(scores)]
    cutoff = mean = std = np.nan
    if len(finite) >= fewest_scores(k):
        equal = finite.min() == finite.max()
        mean, std = (finite[0], np.nan) if equal else (finite.mean(), finite.std(ddof=1))
        cutoff = mean if equal else mean + k * std
    return Cutoffs(np.full(len(scores), cutoff), (scores - mean) / std)


def fewest_scores(sigma: float) -> int:
    """The smallest m for which the newest of m scores can lie more than ``sigma`` std above their mean.

    It never lies more than (m - 1) / sqrt(m) above, with std by m - 1 (Samuelson's inequality).

    >>> fewest_scores(4.0)
    18
    >>> fewest_scores(3.0)
    11
    """
    # (m - 1) / sqrt(m) > k  <=>  sqrt(m) > (k + sqrt(k^2 + 4)) / 2; the loops correct the rounding of that root.
    m = max(math.floor(((sigma + math.sqrt(sigma * sigma + 4)) / 2) ** 2), 2)
    while (m - 1) / math.sqrt(m) > sigma and m > 2:
        m -= 1
    while (m - 1) / math.sqrt(m) <= sigma:
        m += 1
    return m


def _windows(scores: Floats, width: int, fewest: int, mean: Floats, std: Floats) -> None:
    """Fill in mean and std of every run of ``width`` scores, (a, n - width + 1), in a fixed number of passes.

    Time is cut into blocks of that width. A window is the end of one block and the beginning of the next; its sums are
    running sums back from the edge between the two and on from it.

    References
    ----------
    van Herk (1992), A fast algorithm for local minimum and maximum filters on rectangular and octagonal kernels: the
    same cut, there for the largest and the smallest.
    """
    assets, count = mean.shape
    whole = count // width * width
    for start, blocks, m in ((0, whole // width, width), (whole, 1, count - whole)):
        if blocks * m == 0:
            continue
        stop, edge = start + blocks * m, start + width - 1
        ends = scores[:, start : start + blocks * width].reshape(assets, blocks, width)
        begins = scores[:, edge : edge + blocks * m].reshape(assets, blocks, m)
        out = (moments[:, start:stop].reshape(assets, blocks, m) for moments in (mean, std))
        if np.isfinite(ends).all() and np.isfinite(begins).all():
            _across(ends, begins, *out)
        else:
            _across_gaps(ends, begins, fewest, *out)


def _across(ends: Floats, begins: Floats, mean: Floats, std: Floats) -> None:
    """Fill in mean and std of the windows across the end of each block, if all scores are finite.

    Parameters
    ----------
    ends
        (a, b, w): the blocks.
    begins
        (a, b, m), m <= w: the last score of each block and those that follow it.
    mean, std
        (a, b, m): of the windows from a block's place i to place i of ``begins``.

    Notes
    -----
    Sums are of differences from the block's last score, which every window holds. One of the w differences is 0, so
    w sum(d^2) - sum(d)^2 is sum(d^2) or more: rounding is magnified w times at the worst, whatever constant the scores
    share and whatever lies before the window. It is 0 just where all scores of the window are equal.
    """
    centre = ends[..., -1:]
    before, after = ends - centre, begins - centre
    total = _sums(before, after)
    squares = _sums(np.square(before, out=before), np.square(after, out=after))
    _moments(ends.shape[-1], centre, total, squares, mean, std)


def _across_gaps(ends: Floats, begins: Floats, fewest: int, mean: Floats, std: Floats) -> None:
    """As :func:`_across`, to the same bits, skipping NaN; NaN for a window with fewer than ``fewest`` scores.

    Where a block's last place is empty, the two sides of the edge have centres of their own, the score nearest to the
    edge, and a window that holds both moves the sums of the second to the centre of the first.
    """
    known, later = np.isfinite(ends), np.isfinite(begins)
    centre, other = _first(ends[..., ::-1], known[..., ::-1]), _first(begins, later)
    before, after = np.where(known, ends - centre, 0.0), np.where(later, begins - other, 0.0)
    later[..., 0] = False  # the block's last, counted there
    ours, theirs = _back(known.astype(np.float64), begins), later.cumsum(axis=-1, dtype=np.float64)
    move = np.where(ours > 0, other - centre, 0.0)
    moved = theirs * move
    total = after.cumsum(axis=-1)
    squares = np.square(after, out=after).cumsum(axis=-1)
    squares += (2 * total + moved) * move
    total += moved
    total += _back(before, begins)
    squares += _back(np.square(before, out=before), begins)
    count = ours + theirs
    _moments(count, np.where(ours > 0, centre, other), total, squares, mean, std)
    few = count < fewest
    mean[few] = std[few] = np.nan


def _moments(count: Floats | int, centre: Floats, total: Floats, squares: Floats, mean: Floats, std: Floats) -> None:
    """Fill in mean and std (ddof = 1) from sums of differences from a centre and of their squares; overwrites both."""
    np.divide(total, count, out=mean)
    mean += centre
    squares *= count
    squares -= np.square(total, out=total)
    np.maximum(squares, 0.0, out=squares)  # below the smallest normal float rounding errors are unbounded
    squares /= count * (count - 1)
    np.sqrt(squares, out=std)


def _sums(before: Floats, after: Floats) -> Floats:
    """Sums over the windows: backward and forward from the edge."""
    sums = after.cumsum(axis=-1)
    sums += _back(before, after)
    return sums


def _back(values: Floats, begins: Floats) -> Floats:
    """Running sums backward from the end of each block, one for each window."""
    return values[..., ::-1].cumsum(axis=-1)[..., ::-1][..., : begins.shape[-1]]


def _first(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """(a, b, 1): the first finite value of each row, 0 if there is none."""
    found = np.take_along_axis(values, known.argmax(axis=-1, keepdims=True), axis=-1)
    return np.where(np.isfinite(found), found, 0.0)
