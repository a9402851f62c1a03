from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from anomscan.backtest.asset import AssetScan, Stretch
from anomscan.backtest.fleet import Backtest, Failure
from anomscan.backtest.rules import Rules
from anomscan.backtest.verdicts import Verdict, judge
from anomscan.detectors.base import Capabilities, Scores
from anomscan.errors import AssetError
from anomscan.jobs.engines import Threads
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Series
from oracles.scan import reference_scan

pytestmark = pytest.mark.slow

DAY = dt.timedelta(days=1)
START = dt.date(2016, 1, 1)
HEALTHS = ("Ok", "Unknown", "unknown", None)


class Given:
    """A detector that knows its scores by asset and day."""

    name = "given"
    capabilities = Capabilities()
    trained_through = None

    def __init__(self, scores):
        self.scores = scores

    def score(self, batch, shingle, rows=None):
        return [self._one(series) for series in batch]

    def _one(self, series):
        if series.asset not in self.scores:
            return AssetError("no scores")
        known = self.scores[series.asset]
        days = series.timestamps.astype("datetime64[D]").tolist()
        return Scores(series.timestamps, np.array([known.get(day, math.nan) for day in days]))

    def contributions(self, series, rows, shingle):
        return None


def series_of(asset, rows):
    days = sorted(rows)
    names = tuple(health for health in HEALTHS if health)
    return Series(
        asset,
        Cadence.parse("1D"),
        ("x",),
        np.array(days, "datetime64[D]").astype("datetime64[us]"),
        np.array([[rows[day][0]] for day in days]).reshape(-1, 1),
        np.array([names.index(rows[day][1]) if rows[day][1] else -1 for day in days], np.int32),
        names,
    )


def days_of(instants):
    return np.asarray(instants).astype("datetime64[D]").tolist()


def outcome(result, rules):
    assert isinstance(result, AssetScan)
    texts = [Verdict(code).text for code in result.judged.verdict.tolist()]
    return dict(zip(days_of(result.series.timestamps), texts, strict=True)), days_of(result.spans(rules.shingle))


@st.composite
def fleets(draw):
    shingle = draw(st.integers(1, 4))
    k = draw(st.sampled_from([0.5, 1.0, 1.5, 2.0, 4.0]))
    include_newest = draw(st.booleans())
    rules_window = draw(st.integers(shingle + 19, shingle + 30))
    calm = st.floats(0.5, 1.5)
    # few distinct scores make ties, constant windows and scores on the cut-off
    coarse = st.sampled_from([0.0, 1.0, 1.0, 1.0, 2.0, 9.0, math.nan])
    fleet = {}
    for asset in draw(st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=4, unique=True)):
        n = draw(st.integers(1, 70))
        score = draw(st.sampled_from([calm, coarse, st.just(3.0), st.one_of(calm, coarse)]))
        gap_every = draw(st.sampled_from([1000, 20, 5]))
        rows, scores = {}, {}
        for i in range(n):
            day = START + i * DAY
            scores[day] = draw(score)
            if draw(st.integers(0, gap_every)) == 1 and i:
                continue
            value = math.nan if draw(st.integers(0, gap_every)) == 1 else 0.8
            rows[day] = (value, draw(st.sampled_from(HEALTHS)) if draw(st.booleans()) else "Ok")
        fleet[asset] = (rows, scores)
    min_scores = draw(st.sampled_from([0.0, 0.5, 0.55, 0.9, 1.0]))
    rules = Rules(rules_window, shingle, k, include_newest, draw(st.booleans()), min_scores=min_scores)
    return fleet, rules


@given(fleets())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_fast_scan_equals_the_slow_one(given_fleet):
    fleet, rules = given_fleet
    detector = Given({asset: scores for asset, (_, scores) in fleet.items()})
    batch = [series_of(asset, rows) for asset, (rows, _) in fleet.items()]
    results = Backtest(detector, rules, Stretch()).scan(batch)
    for (rows, scores), result in zip(fleet.values(), results, strict=True):
        expected = reference_scan(
            rows,
            scores,
            window=rules.window,
            shingle=rules.shingle,
            k=rules.sigma,
            include_newest=rules.include_newest,
            calendar=rules.calendar,
            min_scores=rules.min_scores,
        )
        assert outcome(result, rules) == expected


def random_fleet(seed, n=1096, assets=3):
    rng = np.random.default_rng(seed)
    fleet = {}
    for index in range(assets):
        rows = {START + i * DAY: (0.8, "Ok") for i in range(n)}
        scores = rng.gamma(2.0, 0.3, n)
        scores[rng.integers(n // 2, n, 4)] += 5.0
        fleet[f"a{index}"] = (rows, {START + i * DAY: float(score) for i, score in enumerate(scores)})
    return fleet


def scan(fleet, rules, stretch=None, shift=0.0):
    detector = Given(
        {asset: {day: score + shift for day, score in scores.items()} for asset, (_, scores) in fleet.items()}
    )
    batch = [series_of(asset, rows) for asset, (rows, _) in fleet.items()]
    return Backtest(detector, rules, stretch or Stretch()).scan(batch)


def test_three_years_have_731_judged_days():
    result = scan(random_fleet(1, assets=1), Rules())[0]
    counts = result.counts
    assert counts["warming-up"] == 365
    assert sum(counts.values()) - counts["warming-up"] == 731
    assert counts["anomalous"] > 0


@pytest.mark.parametrize("shift", [1e6, -1e6])
def test_a_constant_added_to_every_score_changes_no_verdict(shift):
    fleet = random_fleet(2)
    for plain, shifted in zip(scan(fleet, Rules()), scan(fleet, Rules(), shift=shift), strict=True):
        assert plain.counts["anomalous"] > 0
        assert (plain.judged.verdict == shifted.judged.verdict).all()


def test_a_huge_score_leaves_no_trace_once_its_window_has_passed():
    rows = {START + i * DAY: (0.8, "Ok") for i in range(120)}
    scores = {day: 1.0 + 0.01 * (i % 7) for i, day in enumerate(rows)}
    spiked = scores | {START + 30 * DAY: 1e12}
    rules = Rules(window=40, shingle=1)
    plain, after = (scan({"a": (rows, given)}, rules)[0].judged for given in (scores, spiked))
    assert (plain.verdict[70:] == after.verdict[70:]).all()
    np.testing.assert_array_equal(plain.cutoff[70:], after.cutoff[70:])


@given(st.integers(0, 2**32), st.integers(60, 119))
@settings(max_examples=40)
def test_what_comes_later_changes_no_verdict(seed, cut):
    fleet = random_fleet(seed, n=120, assets=1)
    rules = Rules(window=50, shingle=3, sigma=2.0)
    rows, scores = fleet["a0"]
    early = {day: row for day, row in rows.items() if day < START + cut * DAY}
    whole = scan({"a0": (rows, scores)}, rules)[0]
    known = scan({"a0": (early, scores)}, rules)[0]
    assert (whole.judged.verdict[:cut] == known.judged.verdict).all()
    np.testing.assert_array_equal(whole.judged.cutoff[:cut], known.judged.cutoff)


def test_an_asset_is_judged_alike_alone_and_in_company():
    fleet = random_fleet(3, n=500, assets=40)
    fleet["short"] = ({START: (0.8, "Ok")}, {START: 1.0})
    together = scan(fleet, Rules())
    for (asset, parts), result in zip(fleet.items(), together, strict=True):
        alone = scan({asset: parts}, Rules())[0]
        np.testing.assert_array_equal(alone.judged.cutoff, result.judged.cutoff)
        np.testing.assert_array_equal(alone.judged.sigma, result.judged.sigma)


def test_one_assets_failure_is_its_own():
    fleet = random_fleet(4, n=400, assets=2)
    detector = Given({"a1": fleet["a1"][1]})
    batch = [series_of(asset, rows) for asset, (rows, _) in fleet.items()]
    failed, fine = Backtest(detector, Rules(), Stretch()).scan(batch)
    assert isinstance(failed, Failure)
    assert isinstance(fine, AssetScan)


def test_the_stretch_chooses_what_is_reported_and_windows_keep_their_history():
    fleet = random_fleet(5, assets=1)
    whole = scan(fleet, Rules())[0]
    last = scan(fleet, Rules(), Stretch(days=10))[0]
    assert sum(last.counts.values()) == 10
    assert last.counts["warming-up"] == 0
    assert last.rows.stop == len(last.series)
    np.testing.assert_array_equal(whole.judged.verdict[-10:], last.judged.verdict)
    middle = scan(fleet, Rules(), Stretch(np.datetime64("2017-06-01", "us"), np.datetime64("2017-06-30", "us")))[0]
    assert sum(middle.counts.values()) == 30
    for start, end in [("2030-01-01", None), (None, "2010-01-01"), ("2010-01-01", "2011-01-01")]:
        outside = scan(fleet, Rules(), Stretch(*(day and np.datetime64(day, "us") for day in (start, end))))[0]
        assert sum(outside.counts.values()) == 0


@given(fleets(), st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_what_is_reported_is_the_same_to_the_bit_whatever_else_is(given_fleet, data):
    fleet, rules = given_fleet
    some = st.one_of(st.none(), st.integers(-5, 80).map(lambda day: np.datetime64(START + day * DAY, "us")))
    start, end, days = data.draw(some), data.draw(some), data.draw(st.one_of(st.none(), st.integers(1, 80)))
    assume(start is None or end is None or start <= end)
    stretch = Stretch(None if days else start, end, days)
    for whole, part in zip(scan(fleet, rules), scan(fleet, rules, stretch), strict=True):
        rows = part.rows
        assert rows == stretch.rows(part.series)
        for one, other in [
            (whole.judged.verdict, part.judged.verdict),
            (whole.judged.cutoff, part.judged.cutoff),
            (whole.judged.sigma, part.judged.sigma),
            (whole.score, part.score),
        ]:
            np.testing.assert_array_equal(one[rows], other)
        assert part.anomalous.tolist() == [row for row in whole.anomalous if rows.start <= row < rows.stop]


def test_the_nights_verdicts_need_no_more_than_two_windows(monkeypatch):
    asked = []

    def watched(scores, skipped, rules, told=None):
        asked.append(scores.shape[1])
        return judge(scores, skipped, rules)

    monkeypatch.setattr("anomscan.backtest.fleet.judge", watched)
    fleet = random_fleet(6, n=3000, assets=2)
    scan(fleet, Rules(), Stretch(days=1))
    assert max(asked) <= 366 + 360


def test_threads_do_every_chunk_once():
    assert sorted(Threads(4).map(lambda n: n * n, range(50))) == [(n, n * n) for n in range(50)]


def test_threads_hand_an_error_on():
    def fail(n):
        if n == 3:
            raise AssetError("three")
        return n

    with pytest.raises(AssetError, match="three"):
        list(Threads(2).map(fail, range(10)))
