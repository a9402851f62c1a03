"""Training: all trees grow together, one level at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.rcf.trees import Floats32, Ints32, Places, Trees

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """The nodes of one depth, tree by tree: k nodes, the children of one parent side by side."""

    tree: Ints32
    axis: Ints32
    cut: Floats32
    mass: Ints32
    low: Floats32  # (d, k)
    high: Floats32  # (d, k)
    splits: Flags


def grow(points: Floats32, samples: NDArray[np.int64], rng: np.random.Generator) -> Trees:
    """Grow one tree from each sample.

    A node whose points are all equal is a leaf. Any other chooses a dimension with a probability proportional to its
    range, and a uniform cut in [low, high) of it. Cost: O(T * m * d) a level, with up to m - 1 levels.

    Parameters
    ----------
    points
        (n, d) float32, finite.
    samples
        (T, m) the rows of ``points`` each tree sees.
    rng
        Where chance comes from.

    Returns
    -------
    The trees.
    """
    trees, size = samples.shape
    # One column a sampled point; the columns of a node are consecutive, from its start.
    columns = points.T.take(samples.ravel(), axis=1)
    starts: Places = np.arange(trees) * size
    tree = np.arange(trees, dtype=np.int32)
    levels: list[_Level] = []
    while len(starts):
        level = _level(columns, starts, tree, rng)
        levels.append(level)
        columns, starts = _divide(columns, starts, level)
        tree = np.repeat(level.tree[level.splits], 2)
    return _tree_after_tree(levels, trees)


def _level(columns: Floats32, starts: Places, tree: Ints32, rng: np.random.Generator) -> _Level:
    mass = np.diff(starts, append=columns.shape[1]).astype(np.int32)
    low = np.minimum.reduceat(columns, starts, axis=1)
    high = np.maximum.reduceat(columns, starts, axis=1)
    # float64: the sum of the ranges of finite float32 cannot overflow.
    reach = np.cumsum(high - low.astype(np.float64), axis=0)
    splits = reach[-1] > 0
    where = np.flatnonzero(splits)
    chance_axis, chance_cut = rng.random((2, len(where)))
    chosen = (reach[:, where] <= chance_axis * reach[-1, where]).sum(axis=0)
    lowest, highest = low[chosen, where], high[chosen, where]
    place = (lowest + chance_cut * (highest.astype(np.float64) - lowest)).astype(np.float32)
    # Rounding may land on the upper end, which would leave the right side empty.
    place = np.where(place >= highest, np.nextafter(highest, lowest), place)
    axis = np.zeros(len(starts), np.int32)
    axis[where] = chosen
    cut = np.full(len(starts), np.inf, np.float32)
    cut[where] = place
    return _Level(tree, axis, cut, mass, low, high, splits)


def _divide(columns: Floats32, starts: Places, level: _Level) -> tuple[Floats32, Places]:
    """The columns of the next level's nodes and where each node starts; the columns of leaves are left behind."""
    columns = columns[:, np.repeat(level.splits, level.mass)]
    axis, cut, mass = level.axis[level.splits], level.cut[level.splits], level.mass[level.splits]
    if len(mass) == 0:
        return columns, np.empty(0, np.intp)
    starts = np.cumsum(mass) - mass
    number = columns.shape[1]
    at = np.arange(number)
    right = columns.ravel().take(np.repeat(axis, mass) * np.intp(number) + at) > np.repeat(cut, mass)
    # A stable partition of every node at once: points that go left close up, the others follow them.
    before: Places = np.cumsum(right) - right
    before -= np.repeat(before[starts], mass)
    right_mass = np.add.reduceat(right, starts, dtype=np.intp)
    middles = starts + mass - right_mass
    target = np.where(right, np.repeat(middles, mass) + before, at - before)
    order = np.empty(number, np.intp)
    order[target] = at
    return columns.take(order, axis=1), np.stack([starts, middles], axis=1).ravel()


def _tree_after_tree(levels: list[_Level], trees: int) -> Trees:
    """Bring the nodes, gathered level by level, into the order of :class:`Trees`."""
    tree = np.concatenate([level.tree for level in levels])
    splits = np.concatenate([level.splits for level in levels])
    order = np.argsort(tree, kind="stable")
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    left = np.zeros(len(order), np.int32)
    # Gathered level by level, the children stand in the order of their parents, two by two, after the roots.
    left[splits] = place[trees::2]
    return Trees(
        roots=place[:trees],
        left=left[order],
        axis=np.concatenate([level.axis for level in levels])[order],
        cut=np.concatenate([level.cut for level in levels])[order],
        mass=np.concatenate([level.mass for level in levels])[order],
        low=_boxes([level.low for level in levels], order),
        high=_boxes([level.high for level in levels], order),
    )


def _boxes(sides: list[Floats32], order: Places) -> Floats32:
    return np.concatenate([side.T for side in sides]).take(order, axis=0)
