from __future__ import annotations

import numpy as np
import pytest

from anomscan.detectors.rcf import Forest
from anomscan.detectors.sampling import draw
from anomscan.errors import ConfigError, InputError


def rows(n, **settings):
    return draw(n, rng=np.random.default_rng(0), **settings)


def test_shuffled_gives_each_tree_its_own_rows_none_twice():
    drawn = rows(100, trees=30, sample_size=40, sampling="shuffled")
    assert drawn.shape == (30, 40)
    assert all(len(set(tree)) == 40 for tree in drawn.tolist())
    assert len({tuple(sorted(tree)) for tree in drawn.tolist()}) == 30
    assert set(drawn.ravel()) == set(range(100))


def test_shuffled_takes_all_rows_where_there_are_too_few():
    drawn = rows(7, trees=3, sample_size=40, sampling="shuffled")
    assert [sorted(tree) for tree in drawn.tolist()] == [list(range(7))] * 3


def test_shuffled_favours_no_row():
    counts = np.bincount(rows(50, trees=4000, sample_size=10, sampling="shuffled").ravel(), minlength=50)
    assert abs(counts - 800).max() < 5 * np.sqrt(800)


@pytest.mark.parametrize("n", [60, 1000])
def test_sagemaker_with_enough_rows_takes_disjoint_random_blocks(n):
    drawn = rows(n, trees=6, sample_size=10, sampling="sagemaker")
    assert drawn.shape == (6, 10)
    assert len(set(drawn.ravel())) == 60
    assert (np.diff(drawn.ravel()) != 1).any()


def test_the_blocks_of_sagemaker_are_those_of_a_whole_permutation():
    found, plain = np.random.default_rng(3), np.random.default_rng(3)
    drawn = draw(10_000, trees=6, sample_size=10, sampling="sagemaker", rng=found)
    np.testing.assert_array_equal(drawn.ravel(), plain.permutation(10_000)[:60])
    assert drawn.dtype == np.int64
    assert found.bit_generator.state == plain.bit_generator.state


def test_sagemaker_with_fewer_rows_deals_them_out_in_file_order():
    drawn = rows(59, trees=6, sample_size=10, sampling="sagemaker")
    np.testing.assert_array_equal(drawn, np.arange(54).reshape(6, 9))


def test_sagemaker_refuses_fewer_rows_than_trees():
    with pytest.raises(InputError, match="9 rows are too few for 10 trees"):
        Forest.fit(np.ones((9, 1)), trees=10, sample_size=5, seed=0, sampling="sagemaker")


def test_an_unknown_sampling_is_named():
    with pytest.raises(ConfigError, match=r"unknown sampling 'random' \(one of shuffled, sagemaker\)"):
        Forest.fit(np.ones((9, 1)), trees=10, sample_size=5, seed=0, sampling="random")
