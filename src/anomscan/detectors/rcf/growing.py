"""Training: all trees grow together, one level at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.kernel import native
from anomscan.detectors.points import Floats32
from anomscan.detectors.rcf.trees import Ints32, Places, Trees

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


class _Sampled(Protocol):
    """The points of each node of the current level."""

    @property
    def mass(self) -> Places:
        """(k,) the number of points of each node."""

    def bounds(self) -> tuple[Floats32, Floats32]:
        """(d, k) each: their lowest and highest values."""

    def divide(self, splits: Flags, axis: Ints32, cut: Floats32) -> None:
        """Go on to the children of the nodes that split."""


def grow(points: Floats32, samples: NDArray[np.int64], rng: np.random.Generator) -> Trees:
    """Grow one tree from each sample.

    A node whose points are all equal is a leaf. Any other chooses a dimension with a probability proportional to its
    range, and a uniform cut in [low, high) of it. Cost: O(T * m * d) a level, with up to m - 1 levels. The compiled
    kernel looks for the bounds and deals the points out where there is one; the trees are the same.

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
    # -0.0 and 0.0 are equal: which of them a box gets must not depend on the order of comparisons.
    points = points + np.float32(0)
    kernel = native()
    sampled: _Sampled = _Columns(points, samples) if kernel is None else kernel.rows(points, samples)
    tree = np.arange(len(samples), dtype=np.int32)
    levels: list[_Level] = []
    while len(tree):
        level = _level(sampled, tree, rng)
        levels.append(level)
        sampled.divide(level.splits, level.axis, level.cut)
        tree = np.repeat(level.tree[level.splits], 2)
    return _tree_after_tree(levels, len(samples))


def _level(sampled: _Sampled, tree: Ints32, rng: np.random.Generator) -> _Level:
    low, high = sampled.bounds()
    # float64: the sum of the ranges of finite float32 cannot overflow.
    reach = np.cumsum(high - low.astype(np.float64), axis=0)
    splits = reach[-1] > 0
    where = np.flatnonzero(splits)
    chance_axis, chance_cut = rng.random((2, len(where)))
    chosen = (reach[:, where] <= chance_axis * reach[-1, where]).sum(axis=0)
    lowest, highest = low[chosen, where], high[chosen, where]
    place = (lowest + chance_cut * (highest.astype(np.float64) - lowest)).astype(np.float32)
    # Rounding may give the upper end, which would leave the right side empty.
    place = np.where(place >= highest, np.nextafter(highest, lowest), place)
    axis = np.zeros(len(tree), np.int32)
    axis[where] = chosen
    cut = np.full(len(tree), np.inf, np.float32)
    cut[where] = place
    return _Level(tree, axis, cut, sampled.mass.astype(np.int32), low, high, splits)


class _Columns:
    """In NumPy: one column per sampled point; the columns of a node are consecutive, from its start."""

    def __init__(self, points: Floats32, samples: NDArray[np.int64]) -> None:
        trees, size = samples.shape
        self._columns = points.T.take(samples.ravel(), axis=1)
        self._starts: Places = np.arange(trees) * size

    @property
    def mass(self) -> Places:
        return np.diff(self._starts, append=self._columns.shape[1])

    def bounds(self) -> tuple[Floats32, Floats32]:
        low: Floats32 = np.minimum.reduceat(self._columns, self._starts, axis=1)
        high: Floats32 = np.maximum.reduceat(self._columns, self._starts, axis=1)
        return low, high

    def divide(self, splits: Flags, axis: Ints32, cut: Floats32) -> None:
        """The columns of leaves are dropped."""
        mass = self.mass
        columns = self._columns[:, np.repeat(splits, mass)]
        axis, cut, mass = axis[splits], cut[splits], mass[splits]
        if len(mass) == 0:
            self._columns, self._starts = columns, np.empty(0, np.intp)
            return
        starts = np.cumsum(mass) - mass
        number = columns.shape[1]
        at = np.arange(number)
        right = columns.ravel().take(np.repeat(axis, mass) * np.intp(number) + at) > np.repeat(cut, mass)
        # A stable partition of all nodes at once: the points that go left come first, the others follow.
        before: Places = np.cumsum(right) - right
        before -= np.repeat(before[starts], mass)
        right_mass = np.add.reduceat(right, starts, dtype=np.intp)
        middles = starts + mass - right_mass
        target = np.where(right, np.repeat(middles, mass) + before, at - before)
        order = np.empty(number, np.intp)
        order[target] = at
        self._columns = columns.take(order, axis=1)
        self._starts = np.stack([starts, middles], axis=1).ravel()


def _tree_after_tree(levels: list[_Level], trees: int) -> Trees:
    """Bring the nodes, collected level by level, into the order of :class:`Trees`."""
    tree = np.concatenate([level.tree for level in levels])
    splits = np.concatenate([level.splits for level in levels])
    order = np.argsort(tree, kind="stable")
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    left = np.zeros(len(order), np.int32)
    # Collected level by level, the children follow the roots in the order of their parents, two by two.
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
