from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomscan.backtest.asset import Stretch
from anomscan.backtest.mean_std import fewest_scores
from anomscan.backtest.rules import Rules
from anomscan.backtest.spans import spans
from anomscan.backtest.verdicts import Verdict, judge, judge_stretch
from anomscan.errors import ConfigError


@given(st.floats(0.01, 30))
def test_the_fewest_scores_are_the_fewest(k):
    m = fewest_scores(k)
    assert (m - 1) / math.sqrt(m) > k
    assert m == 2 or (m - 2) / math.sqrt(m - 1) <= k


def test_at_the_bound_the_newest_of_17_scores_cannot_be_flagged_and_of_18_can():
    scores = np.concatenate([np.zeros(17), [1e9]])
    rules = Rules(window=18, shingle=1)
    none = np.zeros((1, 18), bool)
    assert judge(scores[None], none, rules).verdict[0, -1] == Verdict.ANOMALOUS
    with pytest.raises(ConfigError, match=r"fewer than 18.*widen"):
        Rules(window=17, shingle=1)


@pytest.mark.parametrize(
    ("window", "shingle", "sigma", "include_newest"), [(366, 7, 18.95, True), (24, 7, 4.0, False), (5, 7, 4.0, True)]
)
def test_rules_that_can_never_fire_are_refused(window, shingle, sigma, include_newest):
    with pytest.raises(ConfigError):
        Rules(window, shingle, sigma, include_newest)


@pytest.mark.parametrize(("window", "shingle", "include_newest"), [(24, 7, True), (25, 7, False)])
def test_the_narrowest_window_that_can_fire_is_taken(window, shingle, include_newest):
    assert Rules(window, shingle, 4.0, include_newest).baseline_width == 18


@pytest.mark.parametrize(("min_scores", "fewest"), [(0.5, 180), (0.55, 198), (0.7, 252), (1.0, 360), (0.0, 18)])
def test_a_share_of_a_window_is_a_count_of_scores(min_scores, fewest):
    assert Rules(min_scores=min_scores).fewest_scores == fewest


@pytest.mark.parametrize("include_newest", [True, False])
def test_a_window_with_half_of_its_scores_is_judged_and_one_with_fewer_is_warming_up(include_newest):
    rules = Rules(window=60 + (not include_newest), shingle=1, include_newest=include_newest)
    scores = np.ones((2, 200))
    scores[0, 1:100] = scores[1, 1:100:2] = np.nan
    verdict = judge(scores, np.zeros(scores.shape, bool), rules).verdict
    # The newest score counts where it enters the mean.
    first = 129 + (not include_newest)
    assert (verdict[0, 100:first] == Verdict.WARMING_UP).all()
    assert (verdict[0, first:] == Verdict.OK).all()
    assert (verdict[1, 60:100:2] == Verdict.OK).all()


def test_a_score_on_the_cut_off_is_not_above_it():
    scores = np.concatenate([np.tile([0.0, 2.0], 12), [7.0]])
    on_it = (7.0 - scores.mean()) / scores.std(ddof=1)
    none = np.zeros((1, 25), bool)
    for k, verdict in [(on_it, Verdict.OK), (on_it * (1 - 1e-9), Verdict.ANOMALOUS)]:
        assert judge(scores[None], none, Rules(window=25, shingle=1, sigma=k)).verdict[0, -1] == verdict


def test_equal_scores_are_their_own_cut_off_and_have_no_sigma():
    scores = np.full((1, 40), 0.1 + 0.2)
    judged = judge(scores, np.zeros((1, 40), bool), Rules(window=30, shingle=1))
    assert (judged.verdict[0, 29:] == Verdict.OK).all()
    assert (judged.cutoff[0, 29:] == 0.1 + 0.2).all()
    assert np.isnan(judged.sigma).all()


def test_exclude_newest_flags_what_include_newest_hides():
    scores = np.concatenate([np.tile([0.9, 1.1], 10), [2.0]])[None]
    none = np.zeros(scores.shape, bool)
    inside = judge(scores, none, Rules(window=21, shingle=1))
    outside = judge(scores, none, Rules(window=21, shingle=1, include_newest=False))
    assert outside.sigma[0, -1] > inside.sigma[0, -1]
    constant = np.concatenate([np.ones(20), [1.0 + 1e-6]])[None]
    assert judge(constant, none, Rules(window=21, shingle=1, include_newest=False)).verdict[0, -1] == Verdict.ANOMALOUS


def test_the_first_verdict_that_holds_is_given():
    n = 40
    scores = np.ones((1, n))
    skipped = np.zeros((1, n), bool)
    scores[0, [5, 35, 36]] = np.nan
    skipped[0, [4, 5, 35, 37]] = True
    verdict = judge(scores, skipped, Rules(window=30, shingle=1)).verdict[0]
    assert (verdict[:29] == Verdict.WARMING_UP).all()
    assert verdict[35] == Verdict.SKIPPED
    assert verdict[36] == Verdict.NO_DATA
    assert verdict[37] == Verdict.SKIPPED
    scores[0, 10:34] = np.nan
    assert judge(scores, skipped, Rules(window=30, shingle=1)).verdict[0, 34] == Verdict.WARMING_UP


def test_detect_takes_one_cut_off_over_all_scores():
    rng = np.random.default_rng(0)
    scores = rng.normal(1.0, 0.1, 60)
    scores[:6] = np.nan
    scores[40] = 9.0
    skipped = np.zeros(60, bool)
    judged = judge_stretch(scores, skipped, Rules())
    finite = scores[6:]
    assert judged.cutoff[10] == pytest.approx(finite.mean() + 4 * finite.std(ddof=1))
    assert np.flatnonzero(judged.verdict == Verdict.ANOMALOUS).tolist() == [40]
    assert (judged.verdict[:6] == Verdict.WARMING_UP).all()
    skipped[40] = True
    assert judge_stretch(scores, skipped, Rules()).verdict[40] == Verdict.SKIPPED
    assert (judge_stretch(scores[:20], skipped[:20], Rules()).verdict == Verdict.WARMING_UP).all()


def brute(places, shingle):
    covered = sorted({p - back for p in places for back in range(shingle)})
    merged: list[list[int]] = []
    for place in covered:
        if merged and place == merged[-1][1] + 1:
            merged[-1][1] = place
        else:
            merged.append([place, place])
    return merged


@given(st.sets(st.integers(0, 200)), st.integers(1, 10))
def test_spans_cover_each_shingle_once_and_never_touch(places, shingle):
    found = spans(np.array(sorted(places), np.int64), shingle).tolist()
    assert found == brute(places, shingle)
    inside = {day for start, end in found for day in range(start, end + 1)}
    assert places <= inside
    again = spans(np.array(sorted(inside), np.int64), 1).tolist()
    assert again == found


def test_stretches_that_contradict_themselves_are_refused():
    day = np.datetime64
    with pytest.raises(ConfigError, match="after --to"):
        Stretch(day("2017-02-01", "us"), day("2017-01-01", "us"))
    with pytest.raises(ConfigError, match="give one"):
        Stretch(start=day("2017-02-01", "us"), days=3)
