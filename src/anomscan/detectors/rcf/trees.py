"""The nodes of all trees of a forest, as flat arrays that NumPy and the native kernel both read."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.points import Floats32

Floats64 = NDArray[np.float64]
Ints32 = NDArray[np.int32]
Places = NDArray[np.intp]

#: The most points a tree may have.
MOST_MASS = 1 << 24


@dataclass(frozen=True, eq=False)
class Trees:
    """T trees of N nodes together, tree after tree, each breadth first. Two children lie side by side.

    Every array is aligned and C-contiguous, and is not to be written to.

    Parameters
    ----------
    roots
        (T,) int32: where each tree begins.
    left
        (N,) int32: the left child; the right one is ``left + 1``. 0 marks a leaf: node 0 is nobody's child.
    axis
        (N,) int32: the dimension an internal node cuts; 0 at a leaf.
    cut
        (N,) float32: ``x[axis] <= cut`` goes left; +inf at a leaf.
    mass
        (N,) int32: the number of training points below, duplicates counted.
    low, high
        (N, d) float32: the bounding box of those points; at a leaf both are the leaf's point.
    """

    roots: Ints32
    left: Ints32
    axis: Ints32
    cut: Floats32
    mass: Ints32
    low: Floats32
    high: Floats32

    def __post_init__(self) -> None:
        for column in fields(self):
            dtype = np.float32 if column.name in ("cut", "low", "high") else np.int32
            object.__setattr__(self, column.name, np.require(getattr(self, column.name), dtype, ["C", "A"]))

    @functools.cached_property
    def extent(self) -> Floats64:
        """(N,) float64: the sum of the box's ranges over the dimensions."""
        return column_sum(self.high - self.low.astype(np.float64))

    @functools.cached_property
    def logs(self) -> Floats64:
        """(M + 1,) float64: log2(k + 1) for each mass k a node may have."""
        return np.array([math.log2(k + 1) for k in range(self.tree_mass + 1)])

    @property
    def scale(self) -> float:
        """The factor from the sum over trees to the forest's score."""
        return float(self.logs[-1]) / len(self.roots)

    @property
    def tree_mass(self) -> int:
        """The number of training points per tree."""
        return int(self.mass[self.roots[0]])

    @property
    def dimension(self) -> int:
        """The dimension d of the points."""
        return int(self.low.shape[1])

    def gaps(self, nodes: Places, points: Floats32) -> Floats32:
        """(k, d) float32: how far each point lies outside its node's box, dimension by dimension; 0 inside.

        Parameters
        ----------
        nodes
            (k,) places of nodes.
        points
            (k, d) float32.
        """
        nearest = self.low.take(nodes, axis=0)
        np.maximum(nearest, points, out=nearest)
        np.minimum(nearest, self.high.take(nodes, axis=0), out=nearest)
        nearest -= points
        return np.abs(nearest, out=nearest)


def column_sum(values: NDArray[np.floating]) -> Floats64:
    """(k,) float64: the sum of each row of (k, d) values, added in four lanes: column j belongs to lane j mod 4.

    ``sum(axis=1)`` picks its order of adding by shape and memory layout; here a row's sum depends on the row alone, and
    is taken in the order that suits a processor's vectors, so that the compiled kernel has the same bits.
    """
    lanes = [values[:, j].astype(np.float64) for j in range(min(4, values.shape[1]))]
    for j in range(4, values.shape[1]):
        lanes[j % 4] += values[:, j]
    for j in (0, 1):
        if len(lanes) > j + 2:
            lanes[j] += lanes[j + 2]
    return lanes[0] + lanes[1] if len(lanes) > 1 else lanes[0]
