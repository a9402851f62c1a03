"""VUS-PR against the metric of the benchmarks, where their folder is at hand, and against what is plain."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from anomscan.judging.vus import chance, vus_pr

EVALUATE = Path(os.environ.get("ANOMSCAN_BENCH", Path(__file__).parents[3] / "shared" / "bench")) / "evaluate.py"


def test_scores_that_tell_all_reach_one_and_random_ones_about_the_share():
    label = np.zeros(2_000, bool)
    label[500:600] = True
    assert vus_pr(label, label.astype(float), 0) == pytest.approx(1.0, abs=0.01)
    random = np.random.default_rng(1).normal(size=2_000)
    assert vus_pr(label, random, 0) == pytest.approx(0.05, abs=0.03)
    assert chance(label, label.astype(float), 0) < 0.2


def test_a_score_that_is_a_little_late_is_punished_less_with_a_margin():
    label = np.zeros(1_000, bool)
    label[500:510] = True
    late = np.roll(label.astype(float), 5)
    assert vus_pr(label, late, 20) > vus_pr(label, late, 0)


def test_without_bad_samples_there_is_no_such_figure():
    assert np.isnan(vus_pr(np.zeros(10, bool), np.arange(10.0), 2))
    assert np.isnan(vus_pr(np.ones(10, bool), np.arange(10.0), 2))


@pytest.mark.skipif(not EVALUATE.exists(), reason="the folder of labelled series is not at hand")
@pytest.mark.parametrize(
    ("n", "spans", "window"), [(400, 3, 20), (3_000, 5, 125), (200, 1, 7), (50, 2, 30), (60, 1, 1)]
)
def test_it_is_the_metric_of_the_benchmarks(n, spans, window):
    spec = importlib.util.spec_from_file_location("evaluate", EVALUATE)
    metrics = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(metrics)
    random = np.random.default_rng(n)
    label = np.zeros(n, bool)
    for _ in range(spans):
        start = random.integers(n - 10)
        label[start : start + random.integers(1, 15)] = True
    score = random.normal(size=n) + label
    score[random.integers(n, size=5)] = np.nan
    assert vus_pr(label, score, window) == pytest.approx(metrics.vus(label, score, window)[1], abs=1e-12)
