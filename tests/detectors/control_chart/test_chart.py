"""Control charts: the kernel against NumPy, what they find, and what they must not know."""

from __future__ import annotations

import numpy as np
import pytest

from anomscan.config import ControlChartSettings
from anomscan.detectors.control_chart import steps
from anomscan.detectors.control_chart.chart import chart
from anomscan.detectors.control_chart.detector import ControlChart
from anomscan.detectors.control_chart.season import Season
from anomscan.detectors.control_chart.settings import Settings
from anomscan.detectors.control_chart.settings import Test as Which
from anomscan.detectors.control_chart.thresholds import Thresholds
from anomscan.detectors.kernel import native
from anomscan.errors import ConfigError
from anomscan.telemetry.baseline import LEFT_OUT, NORMAL, UNTOLD
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.cohorts import Cohorts, middles_of
from fleets import daily

DAY = Cadence.parse("1D")
LIMITS = Thresholds.of("1/20y", DAY, 1)


def chart_of(**settings):
    return ControlChart("chart", ControlChartSettings(kind="control-chart", **{"view": "own", **settings}))


def noise(n=400, seed=0, scale=0.01):
    return 0.8 + np.random.default_rng(seed).normal(0, scale, n)


def scored(values, **settings):
    (found,) = chart_of(**settings).score([daily("a", values)], 1)
    return found


@pytest.mark.slow
@pytest.mark.skipif(native() is None, reason="no compiler: there is no kernel to compare")
@pytest.mark.parametrize("seed", range(20))
def test_the_kernel_gives_the_bits_of_numpy(seed):
    random = np.random.default_rng(seed)
    lines, n = int(random.integers(1, 7)), int(random.integers(1, 900))
    shape = (lines, n)
    noise = random.standard_t(3, shape) if seed % 2 else random.normal(0, 1, shape)
    values = noise * random.choice([1, 0.01, 100]) + random.choice([0, 5])
    if seed % 3 == 0:
        values = np.round(values, 1)
    if seed % 5 == 0:
        values[0] = 3.0
    for line in values:
        start = int(random.integers(0, n))
        line[start : start + int(random.integers(1, 150))] += random.uniform(-10, 10) * line.std()
    values[random.random(values.shape) < 0.05] = np.nan
    usable = np.isfinite(values) & (random.random(values.shape) > 0.02)
    days = np.datetime64("2021-01-01", "us") + np.arange(n) * np.timedelta64(1, "D")
    waves = np.broadcast_to(Season.of(DAY).waves(days), (lines, n, 2))
    years = np.broadcast_to(np.arange(n) / 365.25, (lines, n))
    settings = Settings(
        LIMITS,
        memory=int(random.choice([240, 60, 35])),
        fewest=int(random.choice([10, 30])),
        forget_after=[None, 90, 20, 300][seed % 4],
        season_fewest=[401, 100, 10_000][seed % 3],
    )
    told = [
        random.random(values.shape) > 0.1,
        None,
        random.choice(np.array([LEFT_OUT, NORMAL, UNTOLD]), values.shape, p=[0.1, 0.1, 0.8]),
    ][seed % 3]
    slow = steps.chart(values, values, usable, years, waves, settings, told)
    fast = chart(values, values, usable, years, waves, settings, told)
    for one, other in zip(slow, fast, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_follows_has_no_say():
    values = noise()
    values[200:240] -= 0.1
    whole = scored(values)
    for end in (70, 201, 230, 333):
        part = scored(values[:end])
        np.testing.assert_array_equal(part.score, whole.score[:end])
        np.testing.assert_array_equal(part.columns["test"], whole.columns["test"][:end])


def test_the_rest_of_the_batch_has_no_say():
    batch = [daily("a", noise(300)), daily("b", noise(90, 1)), daily("c", []), daily("d", noise(700, 2))]
    together = chart_of().score(batch, 1)
    for series, found in zip(batch, together, strict=True):
        (alone,) = chart_of().score([series], 1)
        np.testing.assert_array_equal(alone.score, found.score)


def test_a_calm_series_is_not_flagged_once_in_many_years():
    flagged = sum((scored(noise(1000, seed)).score > 1).sum() for seed in range(40))
    assert flagged <= 8  # 110 years at one false incident in twenty


def test_heavy_tails_are_not_flagged_again_and_again():
    series = [0.8 + 0.01 * np.random.default_rng(seed).standard_t(3, 1095) for seed in range(100)]
    later = sum((scored(values).score[730:] > 1).sum() for values in series)
    assert later <= 30


def test_a_fault_says_nothing_about_tails():
    values = noise(700)
    values[300:305] = 0.0
    values[600] -= 0.12
    assert scored(values).score[600] > 1


def a_jump(values):
    values[300] += 0.2


def a_shift(values):
    values[300:340] -= 0.03


def a_spread(values):
    values[300:340] += np.random.default_rng(9).normal(0, 0.04, 40)


def stuck(values):
    values[300:320] = values[300]


@pytest.mark.parametrize(
    ("fault", "test", "latest"),
    [(a_jump, Which.JUMP, 300), (a_shift, Which.SHIFT, 315), (a_spread, Which.SPREAD, 325), (stuck, Which.STUCK, 306)],
)
def test_each_fault_is_found_by_its_test(fault, test, latest):
    values = noise()
    fault(values)
    found = scored(values)
    flagged = np.flatnonzero(found.score > 1)
    assert not (flagged < 300).any()
    assert flagged[0] <= latest
    assert test in found.columns["test"][flagged]


def test_after_an_outage_it_is_as_watchful_as_before():
    values = noise(500)
    values[200:205] = 0.0
    values[300:304] *= 0.75
    assert set(range(300, 304)) <= set(np.flatnonzero(scored(values).score > 1))


def test_a_lasting_change_is_the_new_normal_after_a_while():
    values = noise(700)
    values[300:] -= 0.2
    flagged = np.flatnonzero(scored(values, forget_after="60d").score > 1)
    assert set(range(300, 350)) <= set(flagged)
    assert flagged.max() < 375
    assert scored(values, forget_after="900d").score[-1] > 1


def test_a_season_is_no_fault_once_it_is_known():
    n = 1400
    values = noise(n) + 0.05 * np.cos(2 * np.pi * np.arange(n) / 365.25)
    assert not (scored(values).score[700:] > 1).any()


def test_values_that_repeat_by_their_nature_are_not_stuck():
    values = np.round(noise(600, scale=0.3))
    assert not (scored(values).score > 1).any()


def test_gaps_leave_the_missing_samples_alone_without_a_score():
    values = noise(300)
    values[100:110] = np.nan
    found = scored(values)
    assert np.isnan(found.score[100:110]).all()
    assert np.isfinite(found.score[110:]).all()
    assert np.isnan(found.score[:60]).all()


def test_the_variable_that_is_worst_is_named():
    values = np.stack([noise(300, 1), noise(300, 2)], axis=1)
    values[250:260, 1] -= 0.2
    (found,) = chart_of().score([daily("a", values, ("x", "y"))], 1)
    assert (found.columns["variable"][250:260] == 1).all()
    assert (found.score[250:260] > 1).all()


def fleet(n=500, members=6, seed=3):
    random = np.random.default_rng(seed)
    weather = random.normal(0, 0.1, n)
    return {f"S{k}": 0.8 + weather + random.normal(0, 0.01, n) for k in range(members)}


def with_peers(values, view, **settings):
    series = [daily(asset, each) for asset, each in values.items()]
    cohorts = Cohorts(None, {"fleet": middles_of(series)})
    detector = chart_of(view=view, **settings).with_cohorts(cohorts)
    return dict(zip(values, detector.score(series, 1), strict=True))


@pytest.mark.parametrize("view", ["auto", "peers"])
def test_peers_show_what_the_weather_hides(view):
    values = fleet()
    values["S2"][400:405] -= 0.15
    found = with_peers(values, view)
    assert (found["S2"].score[400:405] > 1).all()
    assert (found["S2"].columns["peers"][400:405] == 1).all()
    assert not (found["S1"].score > 1).any()
    (alone,) = chart_of().score([daily("S2", values["S2"])], 1)
    assert not (alone.score > 1).any()


@pytest.mark.parametrize("unit", [2.0**-20, 1.0, 2.0**20])
def test_by_ratio_auto_chooses_alike_in_any_unit(unit):
    found = with_peers({asset: unit * each for asset, each in fleet().items()}, "auto", peers="ratio")
    assert (found["S2"].columns["peers"][70:] == 1).all()
    assert not (found["S2"].score > 1).any()


def test_without_three_others_auto_looks_at_the_own_past_and_peers_at_nothing():
    values = fleet(members=3)
    assert np.isnan(with_peers(values, "peers")["S0"].score).all()
    auto = with_peers(values, "auto")["S0"]
    assert np.isfinite(auto.score[70:]).all()
    assert (auto.columns["peers"][70:] == 0).all()


def test_on_days_without_peers_auto_looks_at_the_own_past():
    values = fleet(members=4)
    values["S3"][300:310] = np.nan
    found = with_peers(values, "auto")["S0"]
    np.testing.assert_array_equal(found.columns["peers"][295:315], [1] * 5 + [0] * 10 + [1] * 5)


@pytest.mark.parametrize("budget", ["1/20", "0/20y", "1/0y", "a/2y", "1/20m", ""])
def test_a_budget_that_is_none_is_refused(budget):
    with pytest.raises(ConfigError, match="budget"):
        Thresholds.of(budget, DAY, 1)


def test_a_smaller_budget_has_wider_thresholds():
    strict, loose = Thresholds.of("1/100y", DAY, 1), Thresholds.of("1/1y", DAY, 1)
    assert strict.jump > loose.jump
    assert strict.shift > loose.shift
    assert strict.spread > loose.spread
    assert Thresholds.of("1/20y", DAY, 5).jump > Thresholds.of("1/20y", DAY, 1).jump


@pytest.mark.parametrize("peers_from", [0, 30, 150])
def test_peers_that_come_later_do_not_change_what_was_said(peers_from):
    values = fleet()
    for asset in list(values)[1:]:
        values[asset][:peers_from] = np.nan
    values["S0"][180:185] -= 1.0
    whole = with_peers(values, "auto")["S0"]
    for end in (100, 170, 190, 230, 400):
        part = with_peers({asset: each[:end] for asset, each in values.items()}, "auto")["S0"]
        np.testing.assert_array_equal(part.score, whole.score[:end])
    assert np.isfinite(whole.score[70:]).all()
