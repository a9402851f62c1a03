"""What the matrix profile says of series: shapes, gaps, several variables, and what it may look at."""

import numpy as np
import pytest

from anomscan.config import ProfileSettings
from anomscan.detectors.profile.detector import MatrixProfile
from fleets import daily

DAYS = 400


def detector(**settings):
    return MatrixProfile("profile", ProfileSettings(kind="profile", **settings))


def scores(values, **settings):
    values = np.asarray(values, float)
    variables = [f"v{k}" for k in range(values.shape[1])]
    (found,) = detector(**settings).score([daily("a", values, variables)], 1)
    return found


def weekly(seed=0):
    noise = np.random.default_rng(seed).normal(0, 0.05, DAYS)
    return (np.sin(2 * np.pi * np.arange(DAYS) / 7) + noise)[:, None]


def test_an_odd_shape_within_the_range_of_the_series_is_found():
    values = weekly()
    values[300:306] = values[300:306][::-1] * 0.3
    found = scores(values)
    assert abs(int(np.nanargmax(found.score)) - 303) <= 5
    assert np.isfinite(found.score).all()


def test_what_happened_twice_is_no_news_to_it_unless_only_the_past_counts():
    values = weekly()
    values[200:207] = 2.0
    values[305:312] = 2.0
    both, past = scores(values, windows=[7]), scores(values, windows=[7], causal=True, min_history=100)
    assert past.score[206] > 5 * past.score[311]
    assert both.score[203] < past.score[206] / 3


def test_missing_samples_have_no_score_and_do_not_make_their_neighbours_strange():
    values = weekly()
    values[[50, 120, 121]] = np.nan
    values[250:280] = np.nan
    found = scores(values, windows=[4, 8])
    np.testing.assert_array_equal(np.isnan(found.score), np.isnan(values[:, 0]))
    whole = scores(weekly(), windows=[4, 8]).score
    assert np.nanmax(found.score) < 3 * whole.max()


def test_variables_contribute_what_they_have_of_the_score():
    values = np.hstack([weekly(1), weekly(2), np.ones((DAYS, 1))])
    values[200:210, 1] = 0.5
    values[100, 0] = np.nan
    values[150] = np.nan
    found = scores(values)
    known = np.isfinite(found.score)
    assert known.sum() == DAYS - 1
    np.testing.assert_allclose(found.contribution[known].sum(axis=1), found.score[known])
    assert found.contribution[205].argmax() == 1
    assert (found.contribution[known, 2] == 0).all()


@pytest.mark.parametrize("settings", [{}, {"windows": [5, 30]}])
def test_the_causal_one_says_of_a_day_what_it_said_then(settings):
    values = np.hstack([weekly(1), weekly(2)])
    values[230:240, 0] += 1.0
    values[[60, 250, 333], 1] = np.nan
    whole = scores(values, causal=True, min_history=120, **settings)
    assert np.isnan(whole.score[:120]).all()
    assert np.isfinite(whole.for_cutoffs[40:120]).all()
    for n in (121, 200, 232, 251, 399):
        part = scores(values[:n], causal=True, min_history=120, **settings)
        np.testing.assert_array_equal(part.score, whole.score[:n])
        np.testing.assert_array_equal(part.for_cutoffs, whole.for_cutoffs[:n])


def test_it_says_what_it_looks_at():
    both, past = detector(), detector(causal=True)
    assert both.capabilities.retrospective
    assert not past.capabilities.retrospective
    assert past.trained_through is None
    assert both.trained_through > np.datetime64("2999-01-01")
    assert both.fingerprint != past.fingerprint


def test_series_of_which_little_is_known():
    assert np.isnan(scores(np.full((5, 1), np.nan)).score).all()
    assert np.isnan(scores([[1.0]]).score).all()
    assert (scores(np.ones((30, 1))).score == 0).all()
    assert np.isnan(scores(np.arange(50.0)[:, None], causal=True, min_history=60).score).all()
