"""Whether arrays from a file are a forest: the kernel follows their indices without checks."""

from __future__ import annotations

import numpy as np

from anomscan.detectors.rcf.trees import MOST_MASS, Trees
from anomscan.telemetry.series import LARGEST


def flaw(trees: Trees) -> str | None:
    """What is wrong with the trees; None if they can be used.

    Every node is a root or the child of one node before it, and a node's mass is that of its children, so every way
    down ends, after fewer steps than a tree has points, and there is one way up. A box is finite, that of a leaf is a
    point, and a cut has a child's box on either side, so every score is a number, and so is every attribution.
    """
    nodes, dimension = trees.left.size, trees.low.shape[-1] if trees.low.ndim == 2 else 0
    shapes = {array.shape for array in (trees.left, trees.axis, trees.cut, trees.mass)}
    if not nodes or not dimension or not trees.roots.size or trees.roots.ndim != 1:
        return "it has no trees"
    if shapes != {(nodes,)} or {trees.low.shape, trees.high.shape} != {(nodes, dimension)}:
        return "its arrays do not fit together"
    if trees.roots.min() < 0 or trees.roots.max() >= nodes:
        return "a root is not a node"
    inner = np.flatnonzero(trees.left)
    left = trees.left[inner]
    if (left <= inner).any() or left.max(initial=-1) >= nodes - 1:
        return "a child does not come after its parent"
    places = np.bincount(np.concatenate([trees.roots, left, left + 1]), minlength=nodes)
    if (places != 1).any():
        return "a node is not in one place of one tree"
    if trees.axis.min() < 0 or trees.axis.max() >= dimension:
        return "a cut is in an invalid dimension"
    below = trees.mass[left].astype(np.int64) + trees.mass[left + 1]
    tree_mass = trees.mass[trees.roots]
    if trees.mass.min() < 1 or (trees.mass[inner] != below).any() or (tree_mass != tree_mass[0]).any():
        return "its masses do not add up"
    if tree_mass[0] > MOST_MASS:
        return f"its trees have more than {MOST_MASS} points each"
    if not (trees.low.min() >= -LARGEST and trees.high.max() <= LARGEST and (trees.low <= trees.high).all()):
        return "a box is invalid"
    at = trees.axis[inner]
    lows, cuts, highs = trees.low[inner, at], trees.cut[inner], trees.high[inner, at]
    if not ((lows <= cuts) & (cuts < highs)).all():
        return "a cut misses its box"
    if not ((trees.high[left, at] <= cuts) & (cuts < trees.low[left + 1, at])).all():
        return "a cut misses the boxes below it"
    if (np.compress(trees.left == 0, trees.low, axis=0) != np.compress(trees.left == 0, trees.high, axis=0)).any():
        return "a leaf is not a point"
    return None
