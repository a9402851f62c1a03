"""The sample of a proof: random, repeatable, with the days in it that matter most."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from anomscan.backtest.verdicts import Verdict
from anomscan.jobs.sampling import SAMPLE, Claim, draw
from anomscan.reports.records import SCAN_SCHEMA, Anomaly, Record, record_line
from anomscan.reports.results import EncodedRecord

DAY = np.dtype([("timestamp", "<i8"), ("score", "<f8"), ("cutoff", "<f8"), ("verdict", "i1"), ("severity", "<f8")])
START = np.datetime64("2017-01-01", "us")


def result(asset, n, flagged=()):
    """An asset of n judged days, some of them anomalous; each day's score is its place."""
    days = np.zeros(n, DAY)
    days["timestamp"] = (START + np.arange(n) * np.timedelta64(1, "D")).astype(np.int64)
    days["score"], days["cutoff"], days["severity"] = np.arange(n), 0.5, np.nan
    days["verdict"][list(flagged)] = Verdict.ANOMALOUS
    anomalies = [
        Anomaly(str(START + np.timedelta64(place, "D"))[:10], {"x": 1.0}, "Ok", place, 0.5, place + 0.25, False, [])
        for place in sorted(flagged)
    ]
    record = Record(SCAN_SCHEMA, asset, "d", None, None, [], anomalies, {}, None)
    return EncodedRecord(asset, record_line(record).encode(), days.tobytes(), ("severity",))


def places(claims):
    return [(claim.asset, claim.parts["score"]) for claim in claims]


def test_a_small_run_is_all_in_the_sample():
    claims = draw([result("a", 40, [7, 39]), result("b", 0), result("c", 1), result("d", 30)], 71, 5)
    assert places(claims) == [*(("a", n) for n in range(40)), ("c", 0), *(("d", n) for n in range(30))]
    assert draw([result("b", 0)], SAMPLE, 5) == draw([], SAMPLE, 5) == []


def test_a_claim_is_what_the_day_and_the_record_say():
    one, two, three = draw([result("a", 3, [0, 2])], 3, 0)
    assert (one.verdict, two.verdict, three.verdict) == (Verdict.ANOMALOUS, Verdict.OK, Verdict.ANOMALOUS)
    assert two.at == START + np.timedelta64(1, "D")
    assert set(two.parts) == {"score", "cutoff", "severity"}
    assert [claim.parts["sigma"] for claim in (one, three)] == [0.25, 2.25]
    assert Claim.of(result("a", 3, [0, 2]), 2).parts["sigma"] == 2.25


def test_half_of_it_is_anomalous_and_first_and_last_days_are_in_it():
    fleet = [result(f"{number:03}", 500, [100, 101, 102]) for number in range(200)]
    claims = draw(fleet, SAMPLE, 1)
    assert len(set(places(claims))) == len(claims) == SAMPLE
    assert places(claims) == sorted(places(claims))
    kinds = Counter(
        "anomalous" if claim.verdict is Verdict.ANOMALOUS else {0: "first", 499: "last"}.get(claim.parts["score"])
        for claim in claims
    )
    assert kinds == {"anomalous": 50, "first": 13, "last": 13, None: 24}
    assert len({claim.asset for claim in claims}) > 60


@pytest.mark.parametrize(("flagged", "anomalous"), [((), 0), ((3,), 10)])
def test_what_is_rare_leaves_its_room_to_the_others(flagged, anomalous):
    claims = draw([result(f"{number:02}", 400, flagged) for number in range(10)], SAMPLE, 2)
    assert len(claims) == SAMPLE
    assert sum(claim.verdict is Verdict.ANOMALOUS for claim in claims) == anomalous
    assert sum(claim.parts["score"] in (0, 399) for claim in claims) == 20


def test_a_fleet_of_nothing_but_anomalous_days_fills_it_too():
    assert len(draw([result("a", 300, range(300))], SAMPLE, 3)) == SAMPLE


def test_the_seed_decides():
    fleet = [result(f"{number:02}", 400, [9]) for number in range(50)]
    assert places(draw(fleet, SAMPLE, 1)) == places(draw(iter(fleet), SAMPLE, 1)) != places(draw(fleet, SAMPLE, 2))


def test_all_days_are_as_likely():
    fleet = [result(asset, 12) for asset in "abcd"]
    drawn = Counter(place for seed in range(600) for place in places(draw(fleet, 24, seed)) if 0 < place[1] < 11)
    assert set(drawn) == {(asset, day) for asset in "abcd" for day in range(1, 11)}
    # 16 of 40: all first and last days are in a sample of this size
    assert all(abs(count - 600 * 16 / 40) < 6 * (600 * 0.4 * 0.6) ** 0.5 for count in drawn.values())
