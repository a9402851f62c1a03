"""What people say of what is normal, and from when on."""

from __future__ import annotations

import numpy as np
import pytest

from anomscan.telemetry.baseline import Baseline, Labelled, stitched
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.outages import Outage, Outages
from anomscan.telemetry.series import Series

DAY = Cadence.parse("1D")


def day(number: float) -> np.datetime64:
    return np.datetime64("2026-01-01", "us") + int(number * 24) * np.timedelta64(1, "h")


@pytest.fixture
def series():
    return Series("S1", DAY, ("x",), np.array([day(each) for each in range(10)]), np.ones((10, 1)))


def told(baseline: Baseline, series: Series) -> list[tuple[int, str]]:
    return [
        (first, "" if each is None else "".join("01."[code] for code in each))
        for first, each in baseline.versions(series)
    ]


def test_nothing_is_told(series):
    assert told(Baseline(), series) == [(0, "")]
    assert told(Baseline(labels={"S2": [Labelled(day(5), ((day(1), day(2)),), normal=False)]}), series) == [(0, "")]


def test_an_outage_holds_for_all_days_and_whatever_is_said(series):
    outages = Outages({"S1": (Outage(day(2), day(4), "swap"),)})
    assert told(Baseline(outages), series) == [(0, "..00......")]
    label = Labelled(day(6.5), ((day(3), day(5)),), normal=True)
    assert told(Baseline(outages, {"S1": [label]}), series) == [(0, "..00......"), (6, "..0011....")]


def test_a_label_acts_on_what_ends_after_it_was_made(series):
    # The day 5 ends with the label, and is judged after it.
    fault = Labelled(day(6), ((day(1), day(2)), (day(4), day(4))), normal=False)
    assert told(Baseline(labels={"S1": [fault]}), series) == [(0, ""), (5, ".00.0.....")]


def test_labels_add_up_in_the_order_in_which_they_were_made(series):
    fault = Labelled(day(4.5), ((day(1), day(2)),), normal=False)
    again = Labelled(day(4.75), ((day(3), day(3)),), normal=False)
    false_alarm = Labelled(day(8.5), ((day(7), day(7)),), normal=True)
    late = Labelled(day(20), ((day(0), day(9)),), normal=False)
    baseline = Baseline(labels={"S1": [late, false_alarm, again, fault]})
    assert told(baseline, series) == [(0, ""), (4, ".000......"), (8, ".000...1..")]


def test_each_part_holds_until_the_next_begins():
    parts = [(0, np.zeros(5)), (-3, np.ones(5)), (2, np.full(5, 2.0)), (9, np.full(5, 3.0))]
    assert stitched(parts).tolist() == [1, 1, 2, 2, 2]
    assert stitched(parts[:1]) is parts[0][1]


def test_the_last_word_counts():
    series = Series("S1", DAY, ("x",), np.array([day(each) for each in range(10)]), np.ones((10, 1)))
    fault = Labelled(day(4.5), ((day(1), day(3)),), normal=False)
    false_alarm = Labelled(day(6.5), ((day(2), day(3)),), normal=True)
    baseline = Baseline(labels={"S1": [fault, false_alarm]})
    assert told(baseline, series) == [(0, ""), (4, ".000......"), (6, ".011......")]


def test_a_label_that_was_taken_back_held_until_then():
    series = Series("S1", DAY, ("x",), np.array([day(each) for each in range(10)]), np.ones((10, 1)))
    fault = Labelled(day(4.5), ((day(1), day(3)),), normal=False, until=day(6.5))
    other = Labelled(day(5.5), ((day(8), day(9)),), normal=False)
    outages = Outages({"S1": (Outage(day(2), day(3), "swap"),)})
    labels = {"S1": [fault, other]}
    assert told(Baseline(labels=labels), series) == [
        (0, ""),
        (4, ".000......"),
        (5, ".000....00"),
        (6, "........00"),
    ]
    # What lies in an outage stays out when a label of it is taken back.
    assert told(Baseline(outages, labels), series)[-1] == (6, "..0.....00")
