"""Cut-offs by rank against an obvious version, and what they must not know."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomscan.backtest.rank import rank_of_all, ranks_above
from anomscan.backtest.rules import Rules
from anomscan.backtest.verdicts import Verdict, judge, judge_stretch
from anomscan.errors import ConfigError


def rank(score, past):
    """As the docstring says it."""
    among = math.log10((len(past) + 1) / ((past >= score).sum() + 1))
    return among + max(score - past.max(), 0) / abs(past.max())


@given(st.integers(0, 1 << 30), st.sampled_from([0.7, 1.0, 1.5, 2.3]), st.booleans())
def test_a_score_is_above_the_cutoff_if_its_rank_is_above_the_level(seed, level, ties):
    random = np.random.default_rng(seed)
    scores = random.gamma(2, 1, 120) + 0.1
    if ties:
        scores = np.ceil(scores * 2)
    scores[random.random(120) < 0.1] = np.nan
    (cutoff,) = ranks_above(scores[None], level=level, fewest=5, refractory=0).cutoff
    for t in range(120):
        past = scores[:t][np.isfinite(scores[:t])]
        assert np.isfinite(cutoff[t]) == (len(past) >= 5)
        if len(past) >= 5 and np.isfinite(scores[t]):
            found = rank(scores[t], past)
            if abs(found - level) > 1e-9:
                assert (scores[t] > cutoff[t]) == (found > level)


def test_what_follows_has_no_say():
    random = np.random.default_rng(1)
    scores = random.gamma(2, 1, (3, 400))
    scores[random.random(scores.shape) < 0.1] = np.nan
    skipped = random.random(scores.shape) < 0.05
    rules = Rules(window=100, shingle=1, cutoff="rank", budget=150.0, refractory=10)
    whole = judge(scores, skipped, rules)
    for end in (1, 99, 100, 101, 250, 399):
        part = judge(scores[:, :end], skipped[:, :end], rules)
        for one, other in zip(part, whole, strict=True):
            np.testing.assert_array_equal(one, other[:, :end])
    for line in range(3):
        alone = judge(scores[line : line + 1], skipped[line : line + 1], rules)
        np.testing.assert_array_equal(alone.cutoff[0], whole.cutoff[line])


def test_as_many_are_flagged_as_the_budget_allows():
    scores = np.random.default_rng(2).gamma(2, 1, (40, 3000))
    rules = Rules(window=366, shingle=1, cutoff="rank", budget=365.0)
    found = judge(scores, np.zeros(scores.shape, bool), rules)
    judged = found.verdict != Verdict.WARMING_UP
    assert (~judged).sum() == 40 * 365
    assert (found.verdict == Verdict.ANOMALOUS).sum() == pytest.approx(judged.sum() / 365, rel=0.25)
    assert np.isnan(found.sigma).all()


def test_only_what_is_higher_than_the_last_scores_counts_where_that_is_wanted():
    scores = np.concatenate([np.random.default_rng(3).uniform(1, 2, 200), [5, 4.9, 5.1, 4], np.full(30, 1.5), [4.9]])
    plain = ranks_above(scores[None], level=1.5, fewest=50, refractory=0).cutoff[0]
    quiet = ranks_above(scores[None], level=1.5, fewest=50, refractory=20).cutoff[0]
    assert (scores > plain)[200:204].all()
    assert (scores > quiet)[200:204].tolist() == [True, False, True, False]
    assert (scores > quiet)[-1]


def test_detect_cuts_all_scores_once():
    scores = np.arange(1.0, 1001)
    assert (scores > rank_of_all(scores, 2.0).cutoff).sum() == pytest.approx(10, abs=1)
    assert np.isnan(rank_of_all(np.full(5, np.nan), 2.0).cutoff).all()
    rules = Rules(window=100, shingle=1, cutoff="rank", budget=100.0)
    judged = judge_stretch(scores, np.zeros(1000, bool), rules)
    assert (judged.verdict == Verdict.ANOMALOUS).sum() == pytest.approx(10, abs=1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cutoff": "rank"}, "needs a budget"),
        ({"cutoff": "rank", "budget": 7305.0}, "one false sample in 7,305 is too small: .* no more than one in 3,6"),
        ({"cutoff": "rank", "budget": 365.0, "clean": True}, "knows no clean baseline"),
        ({"refractory": 5}, "refractory belongs to the cut-off rule 'rank'"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        Rules(**options)
