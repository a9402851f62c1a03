"""Clean baselines against a slow oracle, day by day."""

from __future__ import annotations

import numpy as np
import pytest

from anomscan.backtest.mean_std import cutoffs
from anomscan.backtest.rules import Rules
from anomscan.backtest.sequential import mean_and_std, median_and_mad, median_mad_of_all, sequential
from anomscan.backtest.verdicts import Verdict, judge, judged_from
from anomscan.errors import ConfigError
from anomscan.telemetry.baseline import LEFT_OUT, NORMAL, UNTOLD

WIDTH, K, FEWEST = 20, 3.0, 12


def by_hand(scores, skipped, told, statistic, *, clean, forget_after, include_newest):
    """One asset: the cut-off of each day; NaN where there is none."""
    left_out, normal = ((told == code) & clean for code in (LEFT_OUT, NORMAL))
    kept, found, in_row = list(np.where(left_out, np.nan, scores)), np.full(len(scores), np.nan), []
    for t in range(WIDTH - 1 if include_newest else WIDTH, len(scores)):
        window = slice(t - WIDTH + 1, t + 1) if include_newest else slice(t - WIDTH, t)
        values = [value for value in kept[window] if np.isfinite(value)]
        if np.isfinite(scores[window]).sum() < FEWEST or len(values) < FEWEST:
            flagged = False
        else:
            centre, scale = statistic(np.array(values))
            found[t] = max(values) if min(values) == max(values) else centre + K * scale
            flagged = scores[t] > found[t] + 1e-9 and not skipped[t] and not normal[t]
        if not clean or not np.isfinite(scores[t]) or skipped[t] or left_out[t]:
            continue
        in_row = [*in_row, t] if flagged else []
        if flagged:
            kept[t] = np.nan
        if forget_after is not None and flagged and len(in_row) >= forget_after:
            for day in in_row:
                kept[day] = scores[day]
    return found


def mean_std(values):
    return values.mean(), values.std(ddof=1)


def median_mad(values):
    return np.median(values), 1.482602218505602 * np.median(np.abs(values - np.median(values)))


@pytest.mark.parametrize("seed", range(12))
def test_it_is_as_by_hand(seed):
    random = np.random.default_rng(seed)
    scores = random.normal(1, 0.1, (3, 150))
    scores[random.random(scores.shape) < 0.15] = np.nan
    scores[0, 60:70] += 2
    scores[1, 90:130] += 1
    skipped = random.random(scores.shape) < 0.05
    fast, slow = [(mean_and_std, mean_std), (median_and_mad, median_mad)][seed % 2]
    options = {"clean": seed % 3 > 0, "forget_after": [None, 5, 30][seed % 3], "include_newest": seed % 4 < 2}
    told = random.choice(np.array([LEFT_OUT, NORMAL, UNTOLD]), scores.shape, p=[0.1, 0.1, 0.8])
    limits = {"width": WIDTH, "k": K, "fewest": FEWEST, "fewest_kept": FEWEST, "lead": 0}
    found = sequential(scores, skipped, fast, **limits, **options, told=told)
    for line, cutoff in enumerate(found.cutoff):
        np.testing.assert_allclose(cutoff, by_hand(scores[line], skipped[line], told[line], slow, **options), rtol=1e-9)


@pytest.mark.parametrize("width", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("missing", [0, 1, 2, 9])
def test_median_and_mad_are_those_of_the_scores_there_are(width, missing):
    window = np.random.default_rng(width).normal(size=(5, width)).round(1)
    window[:, :missing] = np.nan
    window[3:, : missing // 2] = 0.5  # others have more of them
    for lines in (window, window[:3], window[:0]):
        centre, scale = median_and_mad(lines)
        for line, got in zip(lines, zip(centre, scale, strict=True), strict=True):
            known = line[np.isfinite(line)]
            expected = (median_mad(known)) if len(known) else (np.nan, np.nan)
            np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_with_all_days_it_is_the_usual_rule():
    scores = np.random.default_rng(1).normal(1, 0.1, (4, 200))
    usual = cutoffs(scores, width=WIDTH, k=K, fewest=FEWEST)
    none = np.zeros(scores.shape, bool)
    found = sequential(
        scores,
        none,
        mean_and_std,
        width=WIDTH,
        k=K,
        fewest=FEWEST,
        fewest_kept=FEWEST,
        include_newest=True,
        lead=0,
        clean=False,
        forget_after=None,
    )
    np.testing.assert_allclose(found.cutoff, usual.cutoff)
    np.testing.assert_allclose(found.sigma, usual.sigma, atol=1e-9)


def test_after_an_outage_a_clean_baseline_is_not_blind():
    scores = np.random.default_rng(2).normal(1, 0.05, (1, 900))
    scores[0, 500:505] = 9.0
    scores[0, 700:704] = 2.0
    none = np.zeros(scores.shape, bool)

    def flagged(**settings):
        return np.flatnonzero(judge(scores, none, Rules(shingle=1, **settings)).verdict[0] == Verdict.ANOMALOUS)

    assert not set(range(700, 704)) & set(flagged())
    assert set(range(700, 704)) <= set(flagged(clean=True))
    assert set(range(700, 704)) <= set(flagged(clean=True, cutoff="median-mad"))


def test_what_follows_has_no_say():
    scores = np.random.default_rng(3).normal(1, 0.1, (2, 700))
    scores[0, 450:460] = 4.0
    none = np.zeros(scores.shape, bool)
    rules = Rules(shingle=1, clean=True, forget_after=30)
    whole, part = judge(scores, none, rules), judge(scores[:, :470], none[:, :470], rules)
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_array_equal(one[:, :470], other)
    assert judged_from(600, rules) == 0


def test_one_cutoff_for_a_whole_history():
    scores = np.array([1.0, 2.0, 3.0, 4.0, 100.0, np.nan])
    found = median_mad_of_all(scores, 2.0)
    np.testing.assert_allclose(found.cutoff, 3 + 2 * 1.482602218505602)
    assert found.sigma[4] > 10


def test_a_rule_without_a_clean_baseline_says_so(monkeypatch):
    from dataclasses import replace

    from anomscan.backtest.cutoff_rules import CUTOFF_RULES

    monkeypatch.setitem(CUTOFF_RULES, "own", replace(CUTOFF_RULES["mean-std"], statistic=None))
    with pytest.raises(ConfigError, match="no clean baseline"):
        Rules(cutoff="own", clean=True)
