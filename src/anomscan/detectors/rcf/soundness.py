"""Whether arrays from a file are a forest: the kernel follows their indices without checks."""

from __future__ import annotations

import numpy as np

from anomscan.detectors.points import LARGEST
from anomscan.detectors.rcf.trees import Trees


def flaw(trees: Trees) -> str | None:
    """What is wrong with the trees; None if they can be used.

    A child comes after its parent and a node's mass is that of its children, so every way down ends, after fewer steps
    than a tree has points. A box is finite and holds more than one value where it is cut, so every score is a number.
    """
    nodes, dimension = len(trees.left), trees.dimension if trees.low.ndim == 2 else 0
    shapes = {array.shape for array in (trees.axis, trees.cut, trees.mass)}
    if not nodes or not dimension or not trees.roots.size or trees.roots.ndim != 1:
        return "it has no trees"
    if shapes != {(nodes,)} or {trees.low.shape, trees.high.shape} != {(nodes, dimension)}:
        return "its arrays do not fit together"
    if trees.roots.min() < 0 or trees.roots.max() >= nodes:
        return "a root is not a node"
    inner = np.flatnonzero(trees.left)
    left = trees.left[inner]
    if (left <= inner).any() or left.max(initial=0) >= nodes - 1:
        return "a child does not come after its parent"
    if trees.axis.min() < 0 or trees.axis.max() >= dimension:
        return "a cut is in an invalid dimension"
    below = trees.mass[left].astype(np.int64) + trees.mass[left + 1]
    tree_mass = trees.mass[trees.roots]
    if trees.mass.min() < 1 or (trees.mass[inner] != below).any() or (tree_mass != tree_mass[0]).any():
        return "its masses do not add up"
    if not (trees.low.min() >= -LARGEST and trees.high.max() <= LARGEST and (trees.low <= trees.high).all()):
        return "a box is invalid"
    at = trees.axis[inner]
    lows, cuts, highs = trees.low[inner, at], trees.cut[inner], trees.high[inner, at]
    if not ((lows <= cuts) & (cuts < highs)).all():
        return "a cut misses its box"
    return None
