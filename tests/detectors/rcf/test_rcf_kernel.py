"""The compiled kernel beside NumPy: the same trees, scores and attributions, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from anomscan.detectors import kernel as kernels
from anomscan.detectors.rcf import Forest
from anomscan.errors import ConfigError
from anomscan.telemetry.series import LARGEST

VALUES = st.one_of(st.sampled_from([-1.0, 0.0, -0.0, 0.5, 1.0]), st.floats(-LARGEST, LARGEST))


@pytest.fixture(autouse=True, scope="module")
def compiled():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ANOMSCAN_KERNEL", raising=False)
        if kernels.kernel_name() == "numpy":
            pytest.skip(kernels.describe())
        yield


def with_kernel(name, work):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANOMSCAN_KERNEL", name)
        return work()


def check_alike(points, queries, **asked):
    slow, fast = (with_kernel(name, lambda: Forest.fit(points, **asked)) for name in ("numpy", "native"))
    for name in ("roots", "left", "axis", "cut", "mass", "low", "high"):
        assert getattr(slow.nodes, name).tobytes() == getattr(fast.nodes, name).tobytes()
    for ask in ("score", "attribution"):
        expected, got = (with_kernel(name, lambda ask=ask: getattr(slow, ask)(queries)) for name in ("numpy", "native"))
        np.testing.assert_array_equal(got, expected)
        assert np.isfinite(got).all()


@pytest.mark.slow
@pytest.mark.parametrize("dimension", [1, 2, 3, 4, 5, 7, 8, 11, 14, 16, 28, 50, 101, 300])
def test_no_bit_differs_at_any_dimension(dimension):
    rng = np.random.default_rng(dimension)
    points = rng.normal(size=(300, dimension))
    points[:, dimension // 2 + 1 :: 3] = 3.0  # constant columns
    points[100:200] = np.round(points[100:200])  # duplicates at low dimension
    points[250:] = points[:50]
    queries = np.concatenate([points[:60], rng.normal(size=(60, dimension)), 1e30 * rng.normal(size=(9, dimension))])
    check_alike(points, queries, trees=10, sample_size=120, seed=dimension)


@pytest.mark.parametrize(("trees", "sample_size"), [(50, 1), (50, 2), (1000, 16), (20, 2048)])
def test_no_bit_differs_at_the_ends_of_what_the_service_allows(trees, sample_size):
    rng = np.random.default_rng(sample_size)
    points = rng.normal(size=(3000, 6))
    check_alike(points, np.concatenate([points[:99], 2 * points[:100]]), trees=trees, sample_size=sample_size, seed=1)


@pytest.mark.slow
@settings(max_examples=150)
@given(st.data())
def test_no_bit_differs_for_any_points(data):
    dimension = data.draw(st.integers(1, 20))
    tables = stnp.arrays(np.float64, st.tuples(st.integers(1, 25), st.just(dimension)), elements=VALUES)
    points, others = data.draw(tables), data.draw(tables)
    size = data.draw(st.integers(1, 30))
    check_alike(points, np.concatenate([points, others]), trees=3, sample_size=size, seed=data.draw(st.integers(0, 99)))


def test_a_model_is_the_same_file_from_both(tmp_path):
    points = np.random.default_rng(0).normal(size=(500, 7))
    for name in ("numpy", "native"):
        with_kernel(name, lambda name=name: Forest.fit(points, trees=9, sample_size=99, seed=3).save(tmp_path / name))
    assert (tmp_path / "numpy").read_bytes() == (tmp_path / "native").read_bytes()


@pytest.mark.parametrize("name", ["numpy", "native"])
def test_threads_share_the_points_and_change_no_bit(name):
    points = np.random.default_rng(0).normal(size=(5000, 3))
    forest = Forest.fit(points, trees=5, sample_size=64, seed=0)
    for ask in (forest.score, forest.attribution):
        np.testing.assert_array_equal(
            with_kernel(name, lambda ask=ask: ask(points, threads=3)), with_kernel(name, lambda ask=ask: ask(points))
        )
    with pytest.raises(ConfigError, match="threads is 0"):
        forest.score(points, threads=0)


def test_it_says_what_it_is_and_obeys_the_variable(monkeypatch):
    assert kernels.describe().startswith("native kernel, compiled by ")
    monkeypatch.setenv("ANOMSCAN_KERNEL", "numpy")
    assert (kernels.kernel_name(), kernels.describe()) == ("numpy", "NumPy: ANOMSCAN_KERNEL says so")
    monkeypatch.setenv("ANOMSCAN_KERNEL", "fast")
    with pytest.raises(ConfigError, match="ANOMSCAN_KERNEL is 'fast'"):
        kernels.kernel_name()


@pytest.fixture
def another_library(monkeypatch, tmp_path):
    """Where the library is looked for; nothing is there yet."""
    monkeypatch.setattr(kernels, "_LIBRARY", tmp_path / "_kernel.so")
    kernels._load.cache_clear()
    yield tmp_path / "_kernel.so"
    kernels._load.cache_clear()


def test_without_a_library_numpy_does_the_work_unless_told_otherwise(another_library, monkeypatch):
    assert kernels.kernel_name() == "numpy"
    assert "no kernel was compiled at installation" in kernels.describe()
    assert Forest.fit(np.ones((4, 2)), trees=3, sample_size=9, seed=5).score([[1, 1]]) == pytest.approx([0.5])
    monkeypatch.setenv("ANOMSCAN_KERNEL", "native")
    with pytest.raises(ConfigError, match="ANOMSCAN_KERNEL is native, but no kernel was compiled"):
        Forest.fit(np.ones((4, 2)), trees=3, sample_size=9, seed=5)


def test_a_library_that_is_none_is_left_alone(another_library):
    another_library.write_bytes(b"not a library")
    assert "cannot be loaded" in kernels.describe()


def test_a_library_of_other_sources_is_left_alone(another_library, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(kernels, "source_hash", lambda: "of other sources")
    kernels._load.cache_clear()
    assert "was compiled from other sources" in kernels.describe()
