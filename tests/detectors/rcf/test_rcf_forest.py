"""What holds for every forest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from anomscan.detectors.rcf import Forest
from anomscan.errors import ConfigError, InputError, ModelError
from anomscan.telemetry.series import LARGEST

pytestmark = pytest.mark.usefixtures("kernel")

# Few distinct values make duplicates, constant columns and points on a cut; the others are any the forest takes.
VALUES = st.one_of(st.sampled_from([-1.0, 0.0, -0.0, 0.5, 1.0]), st.floats(-LARGEST, LARGEST))


@st.composite
def fitted(draw, most_dimensions=30):
    dimension = draw(st.integers(1, most_dimensions))
    tables = stnp.arrays(np.float64, st.tuples(st.integers(1, 25), st.just(dimension)), elements=VALUES)
    points = draw(tables)
    forest = Forest.fit(
        points, trees=draw(st.integers(1, 8)), sample_size=draw(st.integers(1, 30)), seed=draw(st.integers(0, 2**40))
    )
    return forest, points, np.concatenate([draw(tables), points])


def check_trees(forest):
    """Every node is what the nodes below it say, and every tree is reached from its root, node by node."""
    nodes = forest.nodes
    inner = np.flatnonzero(nodes.left)
    left = nodes.left[inner]
    assert sorted([*nodes.roots, *left, *(left + 1)]) == list(range(len(nodes.left)))
    assert (left > inner).all()
    np.testing.assert_array_equal(nodes.mass[inner], nodes.mass[left] + nodes.mass[left + 1])
    np.testing.assert_array_equal(nodes.low[inner], np.minimum(nodes.low[left], nodes.low[left + 1]))
    np.testing.assert_array_equal(nodes.high[inner], np.maximum(nodes.high[left], nodes.high[left + 1]))
    axis, cut = nodes.axis[inner], nodes.cut[inner]
    assert (nodes.high[left, axis] <= cut).all()
    assert (cut < nodes.low[left + 1, axis]).all()
    leaves = nodes.left == 0
    np.testing.assert_array_equal(nodes.low[leaves], nodes.high[leaves])


@pytest.mark.slow
@settings(max_examples=200)
@given(fitted())
def test_any_forest_is_sound_and_its_attribution_sums_to_its_score(case):
    forest, _, queries = case
    check_trees(forest)
    scores, shares = forest.score(queries), forest.attribution(queries)
    assert scores.dtype == shares.dtype == np.float64
    assert shares.shape == queries.shape
    assert np.isfinite(scores).all()
    assert (scores > 0).all()
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), scores, rtol=1e-12)


@pytest.mark.slow
@given(fitted(), st.randoms())
def test_a_point_scores_the_same_whatever_the_batch(case, random):
    forest, _, queries = case
    order = list(range(len(queries)))
    random.shuffle(order)
    scores, shares = forest.score(queries), forest.attribution(queries)
    np.testing.assert_array_equal(forest.score(queries[order]), scores[order])
    np.testing.assert_array_equal(forest.attribution(queries[order]), shares[order])
    for i in range(len(queries)):
        assert forest.score(queries[i : i + 1])[0] == scores[i]
        np.testing.assert_array_equal(forest.attribution(queries[i : i + 1])[0], shares[i])


@pytest.mark.slow
@pytest.mark.parametrize("dimension", [1, 7, 30])
def test_large_batches_and_threads_change_no_bit(dimension):
    rng = np.random.default_rng(dimension)
    forest = Forest.fit(rng.normal(size=(300, dimension)), trees=7, sample_size=50, seed=1)
    queries = 2 * rng.normal(size=(9001, dimension))
    scores, shares = forest.score(queries), forest.attribution(queries)
    for size in (1000, 4096, 8192):
        cuts = range(0, len(queries), size)
        np.testing.assert_array_equal(np.concatenate([forest.score(queries[a : a + size]) for a in cuts]), scores)
        np.testing.assert_array_equal(np.concatenate([forest.attribution(queries[a : a + size]) for a in cuts]), shares)
    for i in (0, 4095, 4096, 8192, 9000):
        assert forest.score(queries[i : i + 1])[0] == scores[i]
    np.testing.assert_array_equal(forest.score(np.asfortranarray(queries)), scores)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(forest.score, [queries] * 8):
            np.testing.assert_array_equal(result, scores)


@settings(max_examples=30)
@given(fitted(most_dimensions=4))
def test_the_seed_alone_decides(case):
    forest, points, queries = case
    asked = {"trees": forest.trees, "sample_size": forest.sample_size}
    again = Forest.fit(points, seed=forest.seed, **asked)
    np.testing.assert_array_equal(again.score(queries), forest.score(queries))


def test_another_seed_gives_another_forest():
    points = np.random.default_rng(0).normal(size=(100, 3))
    one, other = (Forest.fit(points, trees=5, sample_size=50, seed=seed).score(points) for seed in (1, 2))
    assert (one != other).any()


def test_constant_data_is_usual_and_anything_else_strange():
    forest = Forest.fit(np.full((500, 3), 0.7), trees=20, sample_size=256, seed=0)
    # One leaf of mass M: (1 - M / 2M) / log2(M + 1) where equal, 1 elsewhere; times log2(M + 1).
    seen, unseen = forest.score([[0.7, 0.7, 0.7], [0.7, 0.7, 0.7001]])
    assert seen == pytest.approx(0.5)
    assert unseen == pytest.approx(np.log2(257))
    np.testing.assert_allclose(forest.attribution([[0.7, 0.7, 0.7001]]), [[0, 0, np.log2(257)]])
    np.testing.assert_allclose(forest.attribution([[0.7, 0.7, 0.7]]), [[0.5 / 3] * 3])


def test_a_constant_column_counts_only_where_a_point_leaves_it():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(400, 2))
    points[:, 1] = 3.0
    forest = Forest.fit(points, trees=50, sample_size=100, seed=0)
    stays, leaves = forest.attribution([[0.0, 3.0], [0.0, 9.0]])
    assert stays[1] == 0
    assert leaves[1] > 0.9 * leaves.sum()


def test_depth_may_reach_the_number_of_points():
    # Each point is far beyond the one before it: a cut splits off little but the last.
    points = 2.0 ** np.arange(-120, 120)[:, np.newaxis]
    forest = Forest.fit(points, trees=4, sample_size=240, seed=0)
    check_trees(forest)
    scores = forest.score(points)
    np.testing.assert_allclose(forest.attribution(points)[:, 0], scores, rtol=1e-12)
    assert scores[-1] > scores[0]


def test_the_largest_values_it_takes():
    points = LARGEST * np.array([[-1.0, 1.0], [1.0, -1.0], [0.0, 0.0]])
    forest = Forest.fit(points, trees=10, sample_size=3, seed=0)
    queries = np.concatenate([points, -points, points[:, ::-1]])
    assert np.isfinite(forest.score(queries)).all()
    assert np.isfinite(forest.attribution(queries)).all()


def test_neighbouring_floats_can_be_cut():
    one = np.float32(1.0)
    points = np.array([[one], [np.nextafter(one, np.float32(2))]])
    forest = Forest.fit(points, trees=20, sample_size=2, seed=0)
    assert (forest.nodes.cut[forest.nodes.roots] == one).all()
    check_trees(forest)


def test_it_tells_what_it_is():
    forest = Forest.fit(np.ones((4, 2)), trees=3, sample_size=9, seed=5, sampling="sagemaker")
    assert (forest.trees, forest.sample_size, forest.seed, forest.sampling, forest.dimension) == (
        3,
        9,
        5,
        "sagemaker",
        2,
    )
    assert dict(forest.facts) == {}


def test_facts_are_added_and_cannot_be_changed():
    bare = Forest.fit(np.ones((4, 2)), trees=3, sample_size=9, seed=5)
    told = bare.with_facts(variables=("a", "b")).with_facts(shingle=7)
    assert dict(told.facts) == {"variables": ["a", "b"], "shingle": 7}
    assert dict(bare.facts) == {}
    with pytest.raises(TypeError):
        told.facts["shingle"] = 8


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e39, -1e300, 2e38])
def test_values_it_cannot_take_are_named(wrong):
    forest = Forest.fit(np.ones((4, 2)), trees=2, sample_size=4, seed=0)
    points = np.ones((4, 2))
    points[2, 1] = wrong
    for ask in (forest.score, forest.attribution, lambda p: Forest.fit(p, trees=2, sample_size=4, seed=0)):
        with pytest.raises(InputError, match="row 2, column 1 of the points is") as caught:
            ask(points)
        assert "\n" not in str(caught.value)


def test_points_of_another_dimension_are_refused():
    forest = Forest.fit(np.ones((4, 7)), trees=2, sample_size=4, seed=0)
    for ask in (forest.score, forest.attribution):
        with pytest.raises(ModelError, match="trained on points of dimension 7, these have 3"):
            ask(np.ones((2, 3)))


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2), (4, 0), ()])
def test_what_is_no_table_is_refused(shape):
    with pytest.raises(InputError, match="rows and columns"):
        Forest.fit(np.ones(shape), trees=2, sample_size=4, seed=0)


def test_nothing_to_train_on_is_refused_and_nothing_to_score_is_nothing():
    with pytest.raises(InputError, match="no points"):
        Forest.fit(np.empty((0, 7)), trees=2, sample_size=4, seed=0)
    forest = Forest.fit(np.ones((4, 7)), trees=2, sample_size=4, seed=0)
    assert forest.score(np.empty((0, 7))).shape == (0,)
    assert forest.attribution(np.empty((0, 7))).shape == (0, 7)


@pytest.mark.parametrize(("name", "value"), [("trees", 0), ("sample_size", 0), ("seed", -1)])
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        Forest.fit(np.ones((4, 7)), **{"trees": 2, "sample_size": 4, "seed": 0, name: value})
