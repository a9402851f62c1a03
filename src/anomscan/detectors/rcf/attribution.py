"""The score divided among the dimensions.

At each node the part of the score that its cut adds is shared in proportion to how far the point lies outside the box
in each dimension, high and low sides together. Where a point equals its leaf no box on its way leaves it outside; then
the boxes it would meet without that leaf are used: on the way up, the siblings' boxes, merged one after another. Their
shares are scaled to the score, so that the sum over the dimensions is the score everywhere.
"""

from __future__ import annotations

import numpy as np

from anomscan.detectors.points import Floats32
from anomscan.detectors.rcf.scoring import leaf_score, tiles
from anomscan.detectors.rcf.trees import Floats64, Ints32, Places, Trees, column_sum


def attribution(trees: Trees, points: Floats32) -> Floats64:
    """(n, d) float64: the attributions of (n, d) float32 points, finite and of the forest's dimension."""
    parents = _parents(trees)
    total = np.zeros(points.shape)
    for rows, roots in tiles(trees, len(points)):
        for tree_shares in _descend(trees, parents, roots, points[rows]):
            total[rows] += tree_shares
    return total * trees.scale


def _parents(trees: Trees) -> Places:
    """(N,) intp: the parent of each node; a root has 0."""
    internal = np.flatnonzero(trees.left)
    parents = np.zeros(len(trees.left), np.intp)
    parents[trees.left[internal]] = internal
    parents[trees.left[internal] + 1] = internal
    return parents


def _descend(trees: Trees, parents: Places, roots: Ints32, points: Floats32) -> Floats64:
    """(t, n, d) float64: the unscaled attribution of each point in each of t trees."""
    number, dimension = points.shape
    shares = np.zeros((len(roots) * number, dimension))
    pair = np.arange(len(shares))
    row = np.tile(np.arange(number), len(roots))
    node = np.repeat(roots.astype(np.intp), number)
    weight = np.ones(len(shares))
    depth = 0
    while len(pair):
        gaps = trees.gaps(node, points.take(row, axis=0))
        outside = column_sum(gaps)
        left = trees.left.take(node)
        equal = (left == 0) & (outside == 0)
        if equal.any():
            # Such a point is inside every box above, so all its weight is left.
            shares[pair[equal]] = _climb(trees, parents, node[equal], points[row[equal]], depth)
            go = ~equal
            pair, row, node, weight, left = pair[go], row[go], node[go], weight[go], left[go]
            gaps, outside = gaps[go], outside[go]
        # A leaf's box has no extent, so all of the weight is cut off there.
        whole = trees.extent.take(node) + outside
        shares[pair] += (weight / whole * (1 / (depth + 1)))[:, np.newaxis] * gaps
        weight = weight - weight * (outside / whole)
        on = np.flatnonzero(left)
        pair, row, node, weight, left = pair[on], row[on], node[on], weight[on], left[on]
        right = points[row, trees.axis.take(node)] > trees.cut.take(node)
        node = np.add(left, right, dtype=np.intp)
        depth += 1
    return shares.reshape(len(roots), number, dimension)


def _climb(trees: Trees, parents: Places, node: Places, points: Floats32, depth: int) -> Floats64:
    """(k, d) float64: the shares of points that equal the leaf they reached, from their leaves up to the roots."""
    target = leaf_score(trees, node, depth)
    if depth == 0:
        # All training points are this one, so no dimension stands out.
        return np.repeat(target[:, np.newaxis] / points.shape[1], points.shape[1], axis=1)
    shares = np.zeros(points.shape)
    low = np.full_like(points, np.inf)
    high = np.full_like(points, -np.inf)
    for above in range(depth, 0, -1):
        parent = parents[node]
        sibling = 2 * trees.left.take(parent) + 1 - node
        np.minimum(low, trees.low.take(sibling, axis=0), out=low)
        np.maximum(high, trees.high.take(sibling, axis=0), out=high)
        gaps = np.abs(np.clip(points, low, high) - points)
        outside = column_sum(gaps)
        whole = outside + column_sum(high - low.astype(np.float64))
        kept = 1 - outside / whole
        shares = kept[:, np.newaxis] * shares + gaps / (whole * above)[:, np.newaxis]
        node = parent
    return shares * (target / column_sum(shares))[:, np.newaxis]
