"""Running cut-offs against exact arithmetic, window by window."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from anomscan.backtest.mean_std import cutoffs

EPS = np.finfo(float).eps
NAN = math.nan


def exactly(scores, *, width, k, fewest, include_newest):
    """(cut-off, std) of each place: None where too few scores enter, or the window is not full."""
    found = []
    for t in range(len(scores)):
        stop = t + 1 if include_newest else t
        entering = [Fraction(score) for score in scores[max(stop - width, 0) : stop] if math.isfinite(score)]
        if stop < width or len(entering) < fewest:
            found.append(None)
            continue
        mean = sum(entering) / len(entering)
        variance = sum((score - mean) ** 2 for score in entering) / (len(entering) - 1)
        found.append((float(mean) + k * math.sqrt(variance), math.sqrt(variance)))
    return found


calm = st.floats(0.5, 1.5).map(lambda score: round(score, 6))
few = st.sampled_from([0.0, 0.1, 0.1, 0.1, 0.3])
wild = st.one_of(calm, st.sampled_from([1e6, -1e6, 1e12, 1e6 + 0.1]))


@st.composite
def histories(draw):
    """Scores with level shifts, spikes and gaps, and a window."""
    n = draw(st.integers(1, 60))
    width = draw(st.integers(1, n))
    kind = draw(st.sampled_from([calm, few, wild, st.just(0.1)]))
    scores = np.array(draw(st.lists(kind, min_size=n, max_size=n)))
    shift = draw(st.sampled_from([0.0, 1e3, -1e6]))
    scores[draw(st.integers(0, n)) :] += shift
    for _ in range(draw(st.sampled_from([0, 0, 1, 5]))):
        start = draw(st.integers(0, n - 1))
        scores[start : start + draw(st.integers(1, width))] = NAN
    return scores, {"width": width, "include_newest": draw(st.booleans()), "fewest": draw(st.integers(2, 5)), "k": 4.0}


@pytest.mark.slow
@given(histories())
@settings(max_examples=400)
@example((np.array([1e12, 1.0, 2.0, 1.0, NAN, 2.0]), {"width": 3, "include_newest": True, "fewest": 2, "k": 4.0}))
@example((np.array([0.1, NAN, NAN, 0.1, 0.1, 0.1]), {"width": 3, "include_newest": False, "fewest": 2, "k": 4.0}))
@example((np.array([5.0, NAN, 1e6, 5.0, 5.0, 5.0]), {"width": 3, "include_newest": True, "fewest": 2, "k": 4.0}))
def test_cut_offs_are_those_of_exact_arithmetic(history):
    scores, rules = history
    found = cutoffs(scores[None], **rules)
    for t, expected in enumerate(exactly(scores, **rules)):
        cutoff, sigma = found.cutoff[0, t], found.sigma[0, t]
        if expected is None:
            assert math.isnan(cutoff)
            assert math.isnan(sigma)
            continue
        exact, std = expected
        window = scores[max(t - rules["width"], 0) : t + 1]
        largest = np.abs(window[np.isfinite(window)]).max(initial=0.0)
        assert abs(cutoff - exact) <= 4 * EPS * largest + 1e-12 * std
        if std == 0:
            assert cutoff == exact
            assert math.isnan(sigma)
        elif math.isfinite(scores[t]):
            assert sigma == pytest.approx((scores[t] - (exact - 4 * std)) / std, rel=1e-9, abs=16 * EPS * largest / std)


@pytest.mark.slow
@given(histories(), st.data())
@settings(max_examples=200)
def test_what_comes_later_and_who_else_is_there_change_no_bit(history, data):
    scores, rules = history
    cut = data.draw(st.integers(1, len(scores)))
    later = data.draw(arrays.arrays(float, len(scores) - cut, elements=st.sampled_from([NAN, 1e9, 0.0, 0.1])))
    company = np.stack([scores, np.concatenate([scores[:cut], later]), np.full(len(scores), NAN)])
    for one, other in ((scores[None], company), (scores[None, :cut], company[:, :cut])):
        alone, together = cutoffs(one, **rules), cutoffs(other, **rules)
        np.testing.assert_array_equal(alone.cutoff[0, :cut], together.cutoff[0, :cut])
        np.testing.assert_array_equal(alone.sigma[0, :cut], together.sigma[0, :cut])
        np.testing.assert_array_equal(together.cutoff[0, :cut], together.cutoff[1, :cut])
        np.testing.assert_array_equal(together.sigma[0, :cut], together.sigma[1, :cut])


@pytest.mark.slow
@given(histories(), st.integers(0, 5))
@settings(max_examples=200)
def test_a_history_cut_off_by_whole_windows_changes_no_bit(history, windows):
    scores, rules = history
    start = windows * rules["width"]
    whole, part = cutoffs(scores[None], **rules), cutoffs(scores[None, start:], **rules)
    full = start + rules["width"] - (1 if rules["include_newest"] else 0)
    np.testing.assert_array_equal(whole.cutoff[0, full:], part.cutoff[0, full - start :])
    np.testing.assert_array_equal(whole.sigma[0, full:], part.sigma[0, full - start :])


def test_scores_before_the_lead_enter_no_mean():
    scores = np.random.default_rng(0).gamma(4.0, 0.2, (2, 50))
    rules = {"width": 12, "k": 4.0, "fewest": 2}
    led, plain = cutoffs(scores, lead=6, **rules), cutoffs(scores[:, 6:], **rules)
    np.testing.assert_array_equal(led.cutoff[:, 6:], plain.cutoff)
    np.testing.assert_array_equal(led.sigma[:, 6:], plain.sigma)
    assert np.isnan(led.cutoff[:, :17]).all()


@pytest.mark.parametrize("level", [0.0, 1e6, -1e9])
def test_a_level_shared_by_all_scores_costs_no_precision(level):
    rng = np.random.default_rng(1)
    # steps that a float holds beside the level, so that the two fleets differ by the level alone
    scores = rng.integers(0, 1000, (5, 1096)) * 2.0**-10
    rules = {"width": 360, "k": 4.0, "fewest": 18}
    plain, lifted = cutoffs(scores, **rules), cutoffs(scores + level, **rules)
    np.testing.assert_allclose(
        lifted.cutoff[:, 359:] - level, plain.cutoff[:, 359:], rtol=0, atol=2 * EPS * abs(level) + 1e-12
    )


@pytest.mark.slow
def test_a_spike_of_a_million_std_is_forgotten_with_its_window():
    rng = np.random.default_rng(2)
    scores = 1.0 + 1e-3 * rng.normal(size=(1, 1096))
    spiked = scores.copy()
    spiked[0, 400] += 1e3
    rules = {"width": 360, "k": 4.0, "fewest": 18}
    plain, after = cutoffs(scores, **rules), cutoffs(spiked, **rules)
    np.testing.assert_array_equal(plain.cutoff[0, 760:], after.cutoff[0, 760:])
    exact = exactly(spiked[0], include_newest=True, **rules)
    for t in (400, 401, 718, 719, 720, 759, 760, 1095):
        assert after.cutoff[0, t] == pytest.approx(exact[t][0], rel=1e-12)
