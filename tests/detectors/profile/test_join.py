"""The profile of several windows against all pairs of them, one by one; and the kernel against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomscan.detectors.kernel import native
from anomscan.detectors.profile.join import first_lag, joined
from anomscan.detectors.profile.period import NONE, period_of


def profile(values, windows, both_ways, blocked=None):
    found = joined(np.atleast_2d(values), windows, both_ways, blocked)
    assert (found.lag is None) == (values.ndim == 1)
    return found.least


def pair_by_pair(values, windows, both_ways, blocked=None):
    n = values.shape[-1]
    least = np.full((len(windows), n), np.inf)
    for place, window in enumerate(windows):
        for end in range(window - 1, n):
            for other in range(window - 1, n):
                looks_ahead = other > end
                if abs(end - other) < first_lag(window) or (looks_ahead and other >= both_ways):
                    continue
                if blocked is not None and max(blocked[place, end], blocked[place, other]) > 0:
                    continue
                off = values[..., end - window + 1 : end + 1] - values[..., other - window + 1 : other + 1]
                least[place, end] = min(least[place, end], float(np.nansum(off * off)))
    return least


def with_kernel(name, work):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANOMSCAN_KERNEL", name)
        return work()


@pytest.mark.parametrize("both_ways", [0, 25, 60])
@pytest.mark.parametrize("windows", [[1], [3, 8], [5, 31]])
def test_each_window_finds_the_most_similar_one(windows, both_ways):
    values = np.random.default_rng(3).normal(size=60)
    found = profile(values, windows, both_ways)
    expected = pair_by_pair(values, windows, both_ways)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.isfinite(found[0, windows[0] + 40 :]).all()


def test_several_variables_are_compared_together():
    values = np.random.default_rng(8).normal(size=(3, 60))
    least, lag = joined(values, [4, 9], 25)
    np.testing.assert_allclose(least, pair_by_pair(values, [4, 9], 25), atol=1e-12)
    for place, window in enumerate([4, 9]):
        for end in np.flatnonzero(np.isfinite(least[place])):
            other = end - lag[place, end]
            off = values[:, end - window + 1 : end + 1] - values[:, other - window + 1 : other + 1]
            assert (off * off).sum() == pytest.approx(least[place, end])


def test_what_is_missing_differs_from_nothing():
    values = np.random.default_rng(9).normal(size=(2, 50))
    values[0, [7, 30]] = values[1, 31] = np.nan
    found = joined(values, [3, 6], 50)
    np.testing.assert_allclose(found.least, pair_by_pair(values, [3, 6], 50), atol=1e-12)


def test_blocked_windows_take_no_part():
    values = np.random.default_rng(4).normal(size=50)
    blocked = np.zeros((2, 50))
    blocked[0, 20:30] = blocked[1, 24] = np.inf
    found = profile(values, [2, 6], 50, blocked)
    np.testing.assert_allclose(found, pair_by_pair(values, [2, 6], 50, blocked), atol=1e-12)
    assert np.isinf(found[0, 20:30]).all()


def test_behind_what_is_looked_at_both_ways_no_later_row_has_a_say():
    values = np.random.default_rng(5).normal(size=80)
    whole = profile(values, [4, 9], 30)
    for n in (30, 31, 47, 79):
        np.testing.assert_array_equal(profile(values[:n], [4, 9], 30), whole[:, :n])


def test_a_series_too_short_to_compare_has_no_distances():
    assert np.isinf(profile(np.arange(4.0), [4], 4)).all()
    assert profile(np.empty(0), [3], 0).shape == (1, 0)
    assert profile(np.arange(3.0), [], 3).shape == (0, 3)


SETTINGS = st.fixed_dictionaries(
    {
        "n": st.integers(0, 130),
        "variables": st.integers(1, 3),
        "windows": st.lists(st.integers(1, 70), min_size=1, max_size=4),
        "both_ways": st.floats(0, 1),
        "missing": st.sampled_from([0.0, 0.1, 1.0]),
        "shut": st.booleans(),
        "coarse": st.booleans(),
        "seed": st.integers(0, 99),
    }
)


@pytest.fixture(scope="module")
def compiled():
    if native() is None:
        pytest.skip("no compiler: there is no kernel to compare")


@given(SETTINGS)
def test_the_kernel_gives_the_bits_of_numpy(compiled, how):
    random = np.random.default_rng(how["seed"])
    values = np.cumsum(random.normal(size=(how["variables"], how["n"])), axis=1)
    if how["coarse"]:
        values = np.round(values)  # many windows are equally near
    values[random.random(values.shape) < how["missing"]] = np.nan
    blocked = None
    if how["shut"]:
        blocked = np.where(random.random((len(how["windows"]), how["n"])) < 0.2, np.inf, 0.0)
    given = values, how["windows"], int(how["both_ways"] * how["n"]), blocked
    slow, fast = (with_kernel(name, lambda: joined(*given)) for name in ("numpy", "native"))
    assert fast.least.tobytes() == slow.least.tobytes()
    assert (fast.lag is None) == (slow.lag is None) == (how["variables"] == 1)
    if fast.lag is not None:
        np.testing.assert_array_equal(fast.lag, slow.lag)


@pytest.mark.parametrize("period", [7, 24, 144])
def test_the_period_of_a_noisy_cycle(period):
    rows = np.arange(12 * period)
    values = np.sin(2 * np.pi * rows / period) + np.random.default_rng(6).normal(0, 0.1, len(rows))
    assert abs(period_of(values) - period) <= 1


def test_what_has_no_period():
    assert period_of(np.ones(100)) == NONE
    assert period_of(np.arange(5.0)) == NONE
    assert period_of(np.arange(1000.0)) == NONE
