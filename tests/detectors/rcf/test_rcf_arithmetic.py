"""Score and attribution of tiny forests, worked out by hand."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from anomscan.detectors.rcf import Forest
from anomscan.detectors.rcf.trees import Trees

pytestmark = pytest.mark.usefixtures("kernel")


def forest(roots, left, axis, cut, mass, low, high):
    return Forest(
        Trees(
            roots=np.array(roots, np.int32),
            left=np.array(left, np.int32),
            axis=np.array(axis, np.int32),
            cut=np.array(cut, np.float32),
            mass=np.array(mass, np.int32),
            low=np.array(low, np.float32),
            high=np.array(high, np.float32),
        ),
        sample_size=max(mass),
        seed=0,
        sampling="shuffled",
        facts={},
    )


@pytest.fixture
def line():
    """Points 0, 1, 3 on a line: cut at 1.5, then at 0.5. M = 3, so a tree's score is the sum times log2(4) = 2."""
    return forest(
        roots=[0],
        left=[1, 3, 0, 0, 0],
        axis=[0, 0, 0, 0, 0],
        cut=[1.5, 0.5, np.inf, np.inf, np.inf],
        mass=[3, 2, 1, 1, 1],
        low=[[0], [0], [3], [0], [1]],
        high=[[3], [1], [3], [0], [1]],
    )


@pytest.mark.parametrize(
    ("x", "score"),
    [
        # Outside the root's box [0, 3] by 2: p = 2/5 adds 2/5; then the leaf 3 at depth 1 adds 3/5 / 2. 7/10 * 2.
        (5.0, 1.4),
        # Inside the root's box, right of 1.5; the leaf 3 at depth 1 is another point: 1/2. 1/2 * 2.
        (2.0, 1.0),
        # Outside [0, 1] by 1/4 at depth 1: p = 1/5 adds 1/5 / 2; the leaf 1 at depth 2 adds 4/5 / 3. 11/30 * 2.
        (1.25, 11 / 15),
        # Equal to a leaf of mass 1 at depth 2: (1 - 1/6) / (2 + log2(2)) = 5/18. Times 2.
        (0.0, 5 / 9),
        # The same at depth 1: 5/6 / 2 * 2.
        (3.0, 5 / 6),
        # Exactly on the cut goes left: as 1.25, but out of [0, 1] by 1/2: p = 1/3; 1/3 / 2 + 2/3 / 3 = 7/18.
        (1.5, 7 / 9),
    ],
)
def test_one_tree_on_a_line(line, x, score):
    assert line.score([[x]]) == pytest.approx([score], rel=1e-15)
    assert line.attribution([[x]]) == pytest.approx(np.array([[score]]), rel=1e-15)


def test_duplicates_count_in_a_leafs_mass():
    """Points 0, 0, 3, cut at 1: the leaf 0 has mass 2."""
    twice = forest(
        [0],
        left=[1, 0, 0],
        axis=[0] * 3,
        cut=[1, np.inf, np.inf],
        mass=[3, 2, 1],
        low=[[0], [0], [3]],
        high=[[3], [0], [3]],
    )
    # Equal to it at depth 1: (1 - 2/6) / (1 + log2(3)), times log2(4).
    # At 1, another point than that leaf: 1/2, times 2.
    assert twice.score([[0], [1]]) == pytest.approx([2 / 3 / (1 + log2(3)) * 2, 1.0], rel=1e-15)


def test_the_forest_is_the_mean_of_its_trees():
    """Points 0 and 4, cut at 1 in one tree and at 3 in the other; M = 2, the scale is log2(3)."""
    two = forest(
        roots=[0, 3],
        left=[1, 0, 0, 4, 0, 0],
        axis=[0] * 6,
        cut=[1, np.inf, np.inf, 3, np.inf, np.inf],
        mass=[2, 1, 1, 2, 1, 1],
        low=[[0], [0], [4], [0], [0], [4]],
        high=[[4], [0], [4], [4], [0], [4]],
    )
    # 2 ends in another leaf of each tree, never its own: 1/2 in both.
    # -4: p = 4/8 adds 1/2, the leaf 0 adds 1/2 / 2: 3/4 in both.
    # 4: its own leaf, mass 1, depth 1: (1 - 1/4) / 2 in both.
    assert two.score([[2], [-4], [4]]) == pytest.approx(np.array([1 / 2, 3 / 4, 3 / 8]) * log2(3), rel=1e-15)


def test_attribution_of_an_unseen_point():
    """Points (0, 0) and (1, 2), cut on the second dimension at 1."""
    pair = forest(
        roots=[0],
        left=[1, 0, 0],
        axis=[1, 0, 0],
        cut=[1, np.inf, np.inf],
        mass=[2, 1, 1],
        low=[[0, 0], [0, 0], [1, 2]],
        high=[[1, 2], [0, 0], [1, 2]],
    )
    # (2, 5) lies outside the root's box by (1, 3); R + e = 3 + 4: shares (1/7, 3/7), 3/7 of the weight goes on.
    # The leaf (1, 2) at depth 1 adds 3/7 * 1/2 in the proportion (1, 3): (3/56, 9/56). Together (11/56, 33/56).
    assert pair.attribution([[2, 5]]) == pytest.approx(np.array([[11, 33]]) / 56 * log2(3), rel=1e-15)
    assert pair.score([[2, 5]]) == pytest.approx([44 / 56 * log2(3)], rel=1e-15)


@pytest.fixture
def corner():
    """Points (0, 0), (1, 0), (1, 4): cut on the second dimension at 2, then on the first at 0.5. The scale is 2."""
    return forest(
        roots=[0],
        left=[1, 3, 0, 0, 0],
        axis=[1, 0, 0, 0, 0],
        cut=[2, 0.5, np.inf, np.inf, np.inf],
        mass=[3, 2, 1, 1, 1],
        low=[[0, 0], [0, 0], [1, 4], [0, 0], [1, 0]],
        high=[[1, 4], [1, 0], [1, 4], [0, 0], [1, 0]],
    )


@pytest.mark.parametrize(
    ("x", "shares"),
    [
        # Up from its leaf: the sibling (1, 0) is 1 away in the first dimension alone, so is the merged box.
        # Everything is the first dimension's; scaled to the leaf's score 5/18 * 2.
        ([0, 0], [5 / 9, 0]),
        # Depth 1: the sibling (0, 0), 1 away in the first dimension. Depth 0: merged with (1, 4) its box holds x.
        ([1, 0], [5 / 9, 0]),
        # The sibling's box is [0, 1] x [0, 0]: outside by (0, 4). Again one dimension; the leaf's score is 5/12 * 2.
        ([1, 4], [0, 5 / 6]),
    ],
)
def test_attribution_of_a_seen_point(corner, x, shares):
    assert corner.attribution([x]) == pytest.approx(np.array([shares]), rel=1e-15)


def test_attribution_of_a_seen_point_merges_the_siblings_boxes():
    """Points (0, 0), (1, 3), (2, 4): cut on the second dimension at 3.5, then on the first at 0.5."""
    steps = forest(
        roots=[0],
        left=[1, 3, 0, 0, 0],
        axis=[1, 0, 0, 0, 0],
        cut=[3.5, 0.5, np.inf, np.inf, np.inf],
        mass=[3, 2, 1, 1, 1],
        low=[[0, 0], [0, 0], [2, 4], [0, 0], [1, 3]],
        high=[[2, 4], [1, 3], [2, 4], [0, 0], [1, 3]],
    )
    # x = (0, 0). Depth 1: the sibling (1, 3) is a point, gaps (1, 3), p = 1: A = (1/4, 3/4) / 2 = (1/8, 3/8).
    # Depth 0: merged with (2, 4) the box is [1, 2] x [3, 4]: R = 2, gaps (1, 3), p = 4/6; the same proportion.
    # x = (1, 3). Depth 1: (0, 0), gaps (1, 3): A = (1/8, 3/8). Depth 0: [0, 2] x [0, 4] holds x: p = 0.
    # x = (2, 4). Depth 0: the sibling's box [0, 1] x [0, 3], gaps (1, 1): even.
    # The scores: 5/18 at depth 2 and 5/12 at depth 1, times 2.
    assert steps.attribution([[0, 0], [1, 3], [2, 4]]) == pytest.approx(
        np.array([[5 / 36, 15 / 36], [5 / 36, 15 / 36], [5 / 12, 5 / 12]]), rel=1e-15
    )


def test_attribution_of_a_seen_point_mixes_what_the_depths_say():
    """Points (0, 0), (1, 0), (2, 4), (0, 9): the second dimension cut at 6, then at 2, then the first at 0.5."""
    tall = forest(
        roots=[0],
        left=[1, 3, 0, 5, 0, 0, 0],
        axis=[1, 1, 0, 0, 0, 0, 0],
        cut=[6, 2, np.inf, 0.5, np.inf, np.inf, np.inf],
        mass=[4, 3, 1, 2, 1, 1, 1],
        low=[[0, 0], [0, 0], [0, 9], [0, 0], [2, 4], [0, 0], [1, 0]],
        high=[[2, 9], [2, 4], [0, 9], [1, 0], [2, 4], [0, 0], [1, 0]],
    )
    # x = (2, 4), leaf at depth 2, M = 4. Depth 1: the sibling's box [0, 1] x [0, 0]: R = 1, gaps (1, 4), whole 6:
    # A = (1/6, 4/6) / 2 = (1/12, 4/12).
    # Depth 0: merged with (0, 9) the box is [0, 1] x [0, 9]: R = 10, gaps (1, 0), whole 11, p = 1/11:
    # A = 10/11 * (1/12, 4/12) + (1/11, 0) = (22, 40) / 132. The leaf's score is (1 - 1/8) / 3 * log2(5).
    score = 7 / 24 * log2(5)
    assert tall.score([[2, 4]]) == pytest.approx([score], rel=1e-15)
    assert tall.attribution([[2, 4]]) == pytest.approx(np.array([[22 / 62, 40 / 62]]) * score, rel=1e-15)
