"""The score in NumPy: many (tree, point) pairs go down together, one level at a time.

In a tree of mass M a point starts at the root with weight 1. At an internal node at depth d with box extent R, and the
point outside the box by e in all, it is cut off with probability p = e / (R + e), which adds weight * p / (d + 1);
the rest of the weight goes on to the point's side. A leaf of mass k adds weight / (d + 1), or, where the point equals
the leaf's, weight * (1 - k / 2M) / (d + log2(k + 1)). The sum times log2(M + 1) is the tree's score; the forest's is
the mean over its trees.

Every step works on single pairs and the trees are added one after another, so a point's score does not depend, to the
last bit, on what else is in the batch.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from anomscan.detectors.points import Floats32
from anomscan.detectors.rcf.trees import Floats64, Ints32, Places, Trees, column_sum

#: The most points, and (tree, point) pairs, that go down together: few enough to stay in the processor's cache,
#: many enough that NumPy's cost per call does not matter.
_POINTS = 4096
_PAIRS = 16384
_CELLS = 1 << 17


def score(trees: Trees, points: Floats32) -> Floats64:
    """(n,) float64: the scores of (n, d) float32 points, finite and of the forest's dimension."""
    total = np.zeros(len(points))
    for rows, roots in tiles(trees, len(points)):
        for tree_scores in _descend(trees, roots, points[rows]):
            total[rows] += tree_scores
    return total * trees.scale


def tiles(trees: Trees, points: int) -> Iterator[tuple[slice, Ints32]]:
    """Divide trees x points into tiles of bounded size; each point meets the trees in order."""
    pairs = min(_PAIRS, max(_CELLS // trees.dimension, 1))
    step = min(_POINTS, pairs, max(points, 1))
    block = pairs // step
    for start in range(0, points, step):
        for first in range(0, len(trees.roots), block):
            yield slice(start, start + step), trees.roots[first : first + block]


def leaf_score(trees: Trees, leaves: Places, depth: int) -> Floats64:
    """(k,) float64: what a leaf adds for a point equal to its own."""
    mass = trees.mass.take(leaves)
    value: Floats64 = (1 - mass / (2 * trees.tree_mass)) / (depth + trees.logs.take(mass))
    return value


def _descend(trees: Trees, roots: Ints32, points: Floats32) -> Floats64:
    """(t, n) float64: the unscaled score of each point in each of t trees."""
    number, dimension = points.shape
    values = points.ravel()
    result = np.empty(len(roots) * number)
    pair = np.arange(len(result))
    row = np.tile(np.arange(number), len(roots))
    node = np.repeat(roots.astype(np.intp), number)
    weight = np.ones(len(result))
    sum_so_far = np.zeros(len(result))
    depth = 0
    while len(pair):
        share = 1 / (depth + 1)
        outside = column_sum(trees.gaps(node, points.take(row, axis=0)))
        left = trees.left.take(node)
        if not left.all():
            leaf = np.flatnonzero(left == 0)
            seen = leaf_score(trees, node[leaf], depth)
            last = np.where(outside[leaf] == 0, seen, share)
            result[pair[leaf]] = sum_so_far[leaf] + weight[leaf] * last
            on = np.flatnonzero(left)
            pair, row, node, left = pair.take(on), row.take(on), node.take(on), left.take(on)
            weight, sum_so_far, outside = weight.take(on), sum_so_far.take(on), outside.take(on)
        cut_off = weight * (outside / (trees.extent.take(node) + outside))
        sum_so_far += cut_off * share
        weight -= cut_off
        right = values.take(row * dimension + trees.axis.take(node)) > trees.cut.take(node)
        node = np.add(left, right, dtype=np.intp)
        depth += 1
    return result.reshape(len(roots), number)
