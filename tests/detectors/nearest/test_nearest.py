"""The nearest past: the kernel against NumPy and an oracle, what it finds, and what it must not know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomscan.config import NearestSettings
from anomscan.detectors.kernel import native
from anomscan.detectors.nearest import steps
from anomscan.detectors.nearest.detector import NearestPast
from anomscan.detectors.nearest.past import MISSING, Past, matches
from anomscan.telemetry.series import LongGaps
from fleets import daily


def detector(**wanted):
    return NearestPast("nearest", NearestSettings(kind="nearest", **wanted))


def scored(values, **wanted):
    names = "xyz"[: values.shape[1]] if values.ndim == 2 else "x"
    (found,) = detector(**wanted).score([daily("a", values, names)], 1)
    return found


def wave(n=700, seed=0, noise=0.02):
    return 0.8 + 0.1 * np.sin(2 * np.pi * np.arange(n) / 40) + np.random.default_rng(seed).normal(0, noise, n)


PASTS = st.builds(
    Past,
    st.lists(st.sampled_from([1.0, 1.5, 4.0, 16.0]), min_size=1, max_size=4, unique=True).map(tuple),
    st.integers(0, 150),
    st.sampled_from([3, 40, 1000]),
    st.sampled_from([0.0, 0.8, 1.0]).map(np.float32),
)


@pytest.mark.skipif(native() is None, reason="no compiler: there is no kernel to compare")
@settings(max_examples=60, deadline=None)
@given(PASTS, st.integers(0, 700), st.integers(0, 1 << 30), st.sampled_from([0.0, 0.05, 0.6]), st.booleans())
def test_the_kernel_gives_the_bits_of_numpy(past, n, seed, missing, coarse):
    random = np.random.default_rng(seed)
    values = random.normal(0, 1, n) * random.choice([1, 1e4])
    if coarse:
        values = np.round(values)
    values[random.random(n) < missing] = np.nan
    slow, fast = steps.matches(values.astype(np.float32), past), matches(values.astype(np.float32), past)
    np.testing.assert_array_equal(slow.least, fast.least)
    np.testing.assert_array_equal(slow.lag, fast.lag)


def test_a_distance_is_the_weighted_sum_of_squares_to_the_best_stretch():
    values = np.random.default_rng(3).normal(0, 1, 60).astype(np.float32)
    values[[5, 30]] = np.nan
    past = Past((2.0,), 25, 1000, np.float32(0.8))
    found = matches(values, past)
    known = np.flatnonzero(~np.isnan(values))
    strange = np.zeros(60)
    for t in range(25, 60):
        off = []
        for k in range(4, t - 6 + 1):
            # The weight halves every two rows that have a value.
            rows = known[(known >= k) & (known <= t)]
            squares = (values[rows].astype(float) - values[rows - k]) ** 2
            weights = 0.5 ** (np.arange(len(rows))[::-1] / 2)
            off.append(max((np.where(np.isnan(squares), MISSING, squares) * weights).sum(), strange[t - k]))
            if np.isnan(values[t - k]) and t - k >= 25:
                off[-1] = np.inf
        if np.isnan(values[t]):
            assert np.isinf(found.least[0, t])
            continue
        off = [np.inf if np.isnan(values[t - k]) else far for k, far in enumerate(off, 4)]
        np.testing.assert_allclose(found.least[0, t], min(off), rtol=1e-5)
        assert found.lag[0, t] == 4 + int(np.argmin(off))
        strange[t] = 0.8 * min(off)


def test_what_follows_has_no_say():
    values = wave()
    values[450:460] += 0.5
    values[[380, 400, 401, 460]] = np.nan
    whole = scored(values)
    for end in (1, 100, 365, 366, 381, 400, 402, 455, 461, 699):
        part = scored(values[:end])
        np.testing.assert_array_equal(part.score, whole.score[:end])
        np.testing.assert_array_equal(part.contribution, whole.contribution[:end])
        for name, column in whole.columns.items():
            np.testing.assert_array_equal(part.columns[name], column[:end])
        if end > 365:
            np.testing.assert_array_equal(part.warm_up, whole.warm_up[:end])


def test_the_rest_of_the_batch_has_no_say():
    batch = [daily("a", wave(500)), daily("b", wave(90, 1)), daily("c", []), daily("d", wave(600, 2))]
    for series, found in zip(batch, detector().score(batch, 1), strict=True):
        (alone,) = detector().score([series], 1)
        np.testing.assert_array_equal(alone.score, found.score)


def test_the_trusted_part_has_no_score_yet_counts_for_cutoffs():
    found = scored(wave(), min_history=300)
    assert np.isnan(found.score[:300]).all()
    assert np.isfinite(found.score[300:]).all()
    assert np.isfinite(found.warm_up[:300]).any()
    assert np.isnan(found.warm_up[300:]).all()
    np.testing.assert_array_equal(found.for_cutoffs[300:], found.score[300:])


def test_what_was_seen_before_is_no_news():
    values = wave()
    values[200:206] += 0.5  # in the trusted part: it is normal
    values[520:526] += 0.5
    values[600:606] -= 0.5
    score = scored(values).score
    calm = np.nanmax(score[365:480])
    assert score[520:526].max() < 2 * calm
    assert score[601:606].min() > 4 * calm


def test_a_long_fault_is_no_more_normal_on_its_second_day():
    values = wave(900)
    values[600:700] = 0.3 + np.random.default_rng(5).normal(0, 0.02, 100)
    score = scored(values, half_lives=[1, 4]).score
    calm = np.nanmax(score[365:600])
    assert score[601:630].min() > 2 * calm
    forgetful = scored(values, half_lives=[1, 4], inherit=0.0).score
    assert forgetful[629] < 0.75 * score[629]


def test_the_most_similar_stretch_is_told():
    random = np.random.default_rng(7)
    values = random.normal(0, 1, 600)
    values[560:580] = values[260:280]
    found = scored(values, half_lives=[4])
    assert found.columns["steps_back"][579] == 300
    assert found.score[579] < found.score[540:560].min() / 2
    values[590] = 40.0
    times = scored(values, half_lives=[4]).columns["times"]
    assert times[590] > 5
    assert times[589] < 1.5


def test_the_most_similar_stretch_is_told_by_the_calendar():
    random = np.random.default_rng(7)
    values = random.normal(0, 1, 600)
    values[560:580] = values[260:280]
    series = daily("a", values)
    times = series.timestamps.copy()
    times[300:] += np.timedelta64(5000, "D")
    laid = replace(series, timestamps=times).on_calendar(LongGaps(366, 360))
    assert len(laid) < 1500
    (found,) = detector(half_lives=[4]).score([laid], 1)
    assert found.columns["steps_back"][-21] == 5300


def test_of_several_variables_the_strange_one_is_named():
    values = np.random.default_rng(2).normal(0, 1, (700, 3))
    values[600, 1] = 8.0
    found = scored(values)
    np.testing.assert_allclose(found.contribution[365:].sum(axis=1), found.score[365:])
    assert found.contribution[600].argmax() == 1
    assert found.contribution[600, 1] > 0.7 * found.score[600]


def test_gaps_leave_the_missing_samples_alone_without_a_score():
    values = np.column_stack([wave(), wave(seed=1)])
    values[400:410] = np.nan
    values[500:510, 1] = np.nan
    found = scored(values)
    missing = np.zeros(700, bool)
    missing[400:410] = True
    np.testing.assert_array_equal(np.isnan(found.score[365:]), missing[365:])
    assert np.nanmax(found.score[395:420]) < 2 * np.nanmedian(found.score)
    assert (found.contribution[500:510, 1] == 0).all()


def test_the_first_after_a_gap_is_no_news_by_its_change():
    values = wave(noise=0.001)
    values[400:410] = np.nan
    found = scored(values, difference=True)
    assert found.score[410] < 2 * np.nanmax(found.score[365:400])


def test_a_constant_is_no_news_until_it_changes():
    values = np.full(600, 0.8)
    assert (scored(values).score[365:] == 0).all()
    values[500] = 0.7
    score = scored(values).score
    assert (score[365:500] == 0).all()
    assert score[500] == np.nanmax(score)
    assert np.isfinite(scored(np.zeros(600)).score[365:]).all()


@pytest.mark.parametrize("n", [0, 1, 20, 365])
def test_a_short_series_has_no_score(n):
    found = scored(wave(n))
    assert np.isnan(found.score).all()
    assert found.score.shape == (n,)
    assert found.contribution.shape == (n, 1)
    assert set(found.columns) == {"steps_back", "times"}


def test_an_empty_series_has_no_score():
    assert np.isnan(scored(np.full(600, np.nan)).score).all()


def test_wild_values_are_missing_ones():
    values = wave()
    values[[100, 500]] = 1e39, np.inf
    found = scored(values)
    assert np.isnan(found.score[500])
    assert np.isfinite(found.score[501:]).all()


def test_a_stretch_lies_within_the_last_samples_or_the_trusted_ones():
    random = np.random.default_rng(7)
    values = random.normal(0, 1, 700)
    values[560:580] = values[400:420]
    values[620:640] = values[100:120]
    found = scored(values, half_lives=[4], max_lag=100)
    rows, back = np.arange(365, 700), found.columns["steps_back"][365:]
    assert ((back <= 100) | (rows - back < 365)).all()
    assert found.score[579] > found.score[540:560].min() / 2
    assert back[639 - 365] == 520


def test_without_the_kernel_the_scores_are_the_same(monkeypatch):
    values = np.column_stack([wave(450), wave(450, 1)])
    fast = scored(values, difference=True)
    monkeypatch.setenv("ANOMSCAN_KERNEL", "numpy")
    slow = scored(values, difference=True)
    np.testing.assert_array_equal(fast.score, slow.score)
    np.testing.assert_array_equal(fast.columns["steps_back"], slow.columns["steps_back"])
