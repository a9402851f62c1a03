"""Stray rows and long outages: the same verdicts as on the whole calendar, at a cost that follows the rows."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomscan.backtest.asset import AssetScan, Stretch
from anomscan.backtest.fleet import Backtest
from anomscan.backtest.rules import Rules
from anomscan.backtest.verdicts import Verdict
from anomscan.detectors.base import Capabilities, Scores
from anomscan.incidents.explained import Explained
from anomscan.incidents.gaps import gaps
from anomscan.reports.findings import record_of
from anomscan.reports.records import SCAN_SCHEMA
from anomscan.reports.results import EncodedRecord
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.outages import Outage, Outages
from anomscan.telemetry.series import LongGaps, Series
from oracles.scan import reference_scan

START = np.datetime64("2016-01-01", "us")


class ByTime:
    """A score follows from the timestamp; of missing samples there is one, too, which must not count."""

    name = "by-time"
    capabilities = Capabilities(columns=("severity",))
    trained_through = None

    def score(self, batch, shingle, rows=None):
        return [self._one(series) for series in batch]

    def _one(self, series):
        places = (series.timestamps - START) // series.cadence.step
        score = (places.astype(np.int64) * 2654435761 % 1009) / 1009 + (places.astype(np.int64) % 37 == 5) * 9.0
        return Scores(series.timestamps, score, {"severity": score / 20})

    def contributions(self, series, rows, shingle):
        return None


def series_of(places, cadence="1D", variables=1, empty=()):
    """An asset with samples at some places of its calendar."""
    step = Cadence.parse(cadence)
    places = np.array(sorted(places), np.int64)
    values = np.full((len(places), variables), 0.8)
    values[np.isin(places, list(empty))] = np.nan
    names = tuple(f"v{number}" for number in range(variables))
    return Series("a", step, names, START + places * step.step, values)


def scanned(series, rules, stretch=None, *, whole=False):
    (result,) = Backtest(ByTime(), rules, stretch or Stretch(), whole).scan([series])
    assert isinstance(result, AssetScan)
    return result


def record(result, rules):
    return record_of(Explained(result), schema=SCAN_SCHEMA, detector="by-time", shingle=rules.shingle)


def listed(result, rules):
    """What the scores file has of it."""
    return EncodedRecord.of(record(result, rules), Explained(result), tuple(result.columns)).judged


@st.composite
def histories(draw):
    """Places with samples, some of them empty: stretches of samples with gaps of all lengths between them."""
    places, at = [], 0
    for _ in range(draw(st.integers(1, 5))):
        length = draw(st.sampled_from([1, 1, 2, 10, 60]))
        places += range(at, at + length)
        at += length + draw(st.one_of(st.integers(0, 120), st.sampled_from([300, 1_000, 20_000])))
    empty = draw(st.sets(st.sampled_from(places), max_size=3))
    rules = Rules(
        window=draw(st.integers(25, 40)),
        shingle=draw(st.integers(1, 3)),
        sigma=draw(st.sampled_from([1.0, 2.0, 4.0])),
        include_newest=draw(st.booleans()),
        min_scores=draw(st.sampled_from([0.0, 0.5])),
    )
    return places, empty, rules


@pytest.mark.slow
@given(histories(), st.booleans(), st.data())
@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_said_of_a_long_gap_is_what_the_whole_calendar_says(history, whole, data):
    places, empty, rules = history
    series = series_of(places, data.draw(st.sampled_from(["1D", "15s"])), data.draw(st.integers(1, 2)), empty)
    step = series.cadence.step
    some = st.one_of(st.none(), st.integers(-5, places[-1] + 5))
    ends = [None if place is None else START + place * step for place in (data.draw(some), data.draw(some))]
    if None not in ends:
        ends.sort()
    stretch = Stretch(*ends)
    if ends[0] is None and data.draw(st.booleans()):
        stretch = Stretch(None, ends[1], data.draw(st.integers(1, 2_000)))
    short = scanned(series, rules, stretch, whole=whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LongGaps, "left_out", lambda self, missing: np.zeros_like(missing))
        full = scanned(series, rules, stretch, whole=whole)
    assert full.unlisted == 0
    assert record(short, rules) == record(full, rules)
    some_days, all_days = listed(short, rules), listed(full, rules)
    there = np.isin(all_days["timestamp"], some_days["timestamp"])
    assert all_days[there].tobytes() == some_days.tobytes()
    assert (all_days[~there]["verdict"] == Verdict.NO_DATA).all()
    assert len(short.series) <= sum(1 + rules.window + rules.baseline_width for _ in places)


@pytest.mark.slow
@given(histories())
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_said_of_a_long_gap_is_what_the_rules_say(history):
    places, empty, rules = history
    series = series_of(places, empty=empty)
    result = scanned(series, rules)
    scores = ByTime().score([series], rules.shingle)[0].score.tolist()
    days = series.timestamps.astype("datetime64[D]").tolist()
    verdicts, spans = reference_scan(
        {day: (value, None) for day, value in zip(days, series.values[:, 0].tolist(), strict=True)},
        dict(zip(days, scores, strict=True)),
        window=rules.window,
        shingle=rules.shingle,
        k=rules.sigma,
        include_newest=rules.include_newest,
        min_scores=rules.min_scores,
    )
    assert {name: count for name, count in result.counts.items() if count} == Counter(verdicts.values())
    found = result.spans(rules.shingle).astype("datetime64[D]").tolist()
    assert found == spans
    for instant, verdict in zip(result.series.timestamps, result.judged.verdict.tolist(), strict=True):
        assert Verdict(verdict).text == verdicts[instant.astype("datetime64[D]").item()]


def test_a_series_that_is_laid_stays_as_it_is():
    gaps = LongGaps(10, 4)
    laid = series_of([0, 1, 100, 101, 300]).on_calendar(gaps)
    assert laid.on_calendar(gaps) is laid
    assert laid.skips() == ((12, 88), (24, 188))
    places = (laid.timestamps - START) // laid.cadence.step
    assert places[[0, 1, 2, 11, 12, 13, 14, 23, 24]].tolist() == [0, 1, 2, 11, 100, 101, 102, 111, 300]


def test_one_sample_of_1970_costs_next_to_nothing():
    """Three thousand samples of 15 seconds: 54 years between them and the odd one are 110 million places."""
    rules = Rules()
    first = (np.datetime64("1970-01-01", "us") - START) // np.timedelta64(15, "s")
    series = series_of([int(first), *range(3_000)], "15s")
    service = Outage(np.datetime64("1990-01-01", "us"), np.datetime64("2000-01-01", "us"), "mothballed")
    tracemalloc.start()
    try:
        result = scanned(series, rules)
        (gap,) = gaps(result, 3, Outages())
        (shorter,) = gaps(result, 3, Outages({"a": (service,)}))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    assert (gap.since, gap.last) == ("1970-01-01T00:00:15Z", "2015-12-31T23:59:45Z")
    assert gap.days == -int(first) - 1
    # The sample that begins with the outage is the first that lies in it.
    assert shorter.days == gap.days - 3_652 * 86_400 // 15
    assert len(result.series) < 3_001 + rules.window + rules.baseline_width
    assert len(listed(result, rules)) < 3_001 + rules.baseline_width
    counts = result.counts
    assert sum(counts.values()) == 3_000 - int(first)
    # The sample itself and 365 places after it; of the others, those before half of a window has scores.
    assert counts["warming-up"] == 366 - 1 + 180 - 1
    assert record(result, rules).from_ == "1970-01-01T00:00:00Z"


def test_stray_rows_by_the_dozen_cost_a_window_or_two_each():
    years = [dt.date(1900 + 3 * number, 1, 1).toordinal() - dt.date(2016, 1, 1).toordinal() for number in range(30)]
    rules = Rules()
    result = scanned(series_of([*years, *range(400)]), rules)
    assert len(result.series) < 430 + 30 * (rules.window + rules.baseline_width)
    assert sum(result.counts.values()) == 400 - years[0]
    assert result.counts["ok"] + result.counts["anomalous"] == 400 - 6 - 179
    assert record(result, rules).from_ == "1900-01-01"


def test_an_outage_of_a_year_does_not_end_the_warming_up():
    """Thirty days, two years of nothing, then 300 days: the first is judged when half of a window has scores."""
    result = scanned(series_of([*range(30), *range(760, 1_060)]), Rules())
    verdicts = result.judged.verdict
    judged = np.flatnonzero((verdicts == Verdict.OK) | (verdicts == Verdict.ANOMALOUS))
    assert (result.series.timestamps[judged[0]] - START).astype("timedelta64[D]").astype(int) == 760 + 6 + 179
    full = scanned(series_of(range(1_500)), Rules())
    assert full.counts["warming-up"] == 365


def test_a_stretch_within_a_long_gap_has_its_days():
    series, rules = series_of([0, *range(5_000, 5_100)]), Rules(window=40, shingle=1)
    day = np.timedelta64(1, "D")
    result = scanned(series, rules, Stretch(START + 3_000 * day, START + 3_009 * day))
    said = record(result, rules)
    assert (said.from_, said.to) == ("2024-03-19", "2024-03-28")
    assert said.verdicts == {"ok": 0, "anomalous": 0, "warming-up": 0, "skipped": 0, "no-data": 10, "silent": 0}
    assert len(listed(result, rules)) == 0
    nothing = record(scanned(series, rules, Stretch(START + 6_000 * day)), rules)
    assert (nothing.from_, nothing.to, sum(nothing.verdicts.values())) == (None, None, 0)
