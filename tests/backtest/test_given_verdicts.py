"""Verdicts that a detector brings along, severities, and detectors that score a part of a series."""

from __future__ import annotations

import numpy as np
import pytest

from anomscan.backtest.asset import Stretch
from anomscan.backtest.fleet import Backtest
from anomscan.backtest.rules import Rules
from anomscan.backtest.verdicts import Verdict, judge_given, milder
from anomscan.detectors.base import Capabilities, Scores
from anomscan.errors import ConfigError
from anomscan.telemetry.series import Series
from fleets import daily

NAN = np.nan


def series(n: int, health: tuple[int, ...] = ()) -> Series:
    codes = np.full(n, -1, np.int32)
    codes[list(health)] = 0
    return daily("a", np.ones((n, 2)), ("v", "w"), health_codes=codes, health_names=("Unknown",))


class Provider:
    """Calls what is told strange; says which rows it was asked for."""

    name = "provider"
    trained_through = None

    def __init__(self, strange: dict[int, float], *, severity: bool = True) -> None:
        self.strange = strange
        self.capabilities = Capabilities(remote=True, columns=("severity",) if severity else ())
        self.asked: list[slice] = []

    def score(self, batch, shingle, rows=None):
        assert rows is not None, "it would cost too much"
        self.asked += rows
        return [self._one(one, wanted) for one, wanted in zip(batch, rows, strict=True)]

    def contributions(self, series, rows, shingle):
        return None

    def _one(self, series: Series, rows: slice) -> Scores:
        n = len(series)
        score, severity, given = np.full(n, NAN), np.full(n, NAN), np.zeros(n, bool)
        score[rows] = 0.01 * (np.arange(n) % 3)[rows]
        severity[rows] = 0.0
        for row, how in self.strange.items():
            if rows.start <= row < rows.stop:
                score[row], severity[row], given[row] = 5 * how, how, True
        contribution = np.full((n, 2), NAN)
        contribution[:, 1] = 1.0
        columns = dict.fromkeys(self.capabilities.columns, severity)
        return Scores(series.timestamps, score, columns, contribution, given, ("hello",))


def test_the_providers_verdict_goes_through_the_same_order():
    scores = np.array([1.0, 1.0, NAN, 1.0, 1.0])
    given = np.array([True, False, True, True, True])
    skipped = np.array([False, False, False, True, False])
    judged = judge_given(scores, given, skipped, Rules(shingle=2))
    assert judged.verdict.tolist() == [
        *(Verdict.WARMING_UP, Verdict.OK, Verdict.NO_DATA, Verdict.SKIPPED, Verdict.ANOMALOUS)
    ]
    assert np.isnan(judged.cutoff).all()
    assert np.isnan(judged.sigma).all()


def test_severity_lets_the_mild_pass_strictly():
    judged = judge_given(np.ones(4), np.array([True, True, True, False]), np.zeros(4, bool), Rules(shingle=1))
    severe, mild = milder(judged, np.array([0.85, 0.8500001, NAN, 1.0]), 1 - 0.15)
    assert severe.verdict.tolist() == [Verdict.OK, Verdict.ANOMALOUS, Verdict.OK, Verdict.OK]
    assert mild.tolist() == [True, False, True, False]


def test_detect_takes_the_providers_verdict_and_asks_for_the_stretch_alone():
    provider = Provider({80: 0.9, 90: 0.5, 95: 1.0})
    backtest = Backtest(provider, Rules(shingle=3), Stretch(days=20), whole=True, min_severity=0.85)
    (found,) = backtest.scan([series(100, health=(95,))])
    assert provider.asked == [slice(80, 100)]
    assert found.anomalous.tolist() == [80]
    assert found.too_mild.tolist() == [90]
    assert found.counts == {"ok": 18, "anomalous": 1, "warming-up": 0, "skipped": 1, "no-data": 0, "silent": 0}
    assert found.notes == ("hello",)
    assert found.contributions is not None
    assert found.contributions.shape == (1, 2)


def test_scan_asks_for_the_windows_too_and_decides_itself():
    rules = Rules(window=40, shingle=3)
    strange = {30: 1.0, 80: 1.0}
    provider = Provider(strange)
    (part,) = Backtest(provider, rules, Stretch(days=20)).scan([series(100)])
    assert provider.asked == [slice(41, 100)]
    (whole,) = Backtest(Provider(strange), rules, Stretch()).scan([series(100)])
    assert part.anomalous.tolist() == [80]
    np.testing.assert_array_equal(part.judged.verdict, whole.judged.verdict[80:])
    np.testing.assert_array_equal(part.judged.cutoff, whole.judged.cutoff[80:])


def test_a_bound_of_severity_needs_one():
    backtest = Backtest(Provider({}, severity=False), Rules(shingle=3), Stretch(), whole=True, min_severity=0.5)
    with pytest.raises(ConfigError, match="detector 'provider' gives no severity"):
        backtest.scan([series(30)])
