"""When an outage is, by the clocks of a zone, and which samples it touches."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.outages import Outage, Outages, WeeklyOutage

HOUR, DAY = Cadence.parse("1h"), Cadence.parse("1D")
BERLIN = "Europe/Berlin"
MINUTES_OF_A_DAY = 24 * 60
SUNDAY = 6 * MINUTES_OF_A_DAY
OVERLAPPING = [
    ("2026-03-05T10:00", "2026-03-08T10:00"),
    ("2026-03-01T00:00", "2026-03-02T00:00"),
    ("2026-03-06T00:00", "2026-03-06T01:00"),
    ("2026-03-08T10:00", "2026-03-09T00:30"),
    ("2026-03-19T00:00", "2027-01-01T00:00"),
]


def at(text: str) -> np.datetime64:
    return np.datetime64(text, "us")


def touched(outage: Outage | WeeklyOutage, first: str, last: str, cadence: Cadence) -> list[str]:
    times = np.arange(at(first), at(last), cadence.step)
    outages = Outages({"S1": (outage,)})
    mask = outages.mask("S1", times, cadence)
    assert mask.tolist() == [outages.reason("S1", each, cadence) is not None for each in times]
    assert not outages.mask("S2", times, cadence).any()
    outside = [place for each in outages.outside("S1", times[0], len(times), cadence) for place in each]
    assert outside == np.flatnonzero(~mask).tolist()
    return [cadence.text(each) for each in times[mask]]


def test_a_sample_of_which_any_part_lies_in_it():
    outage = Outage(at("2026-03-01T08:30"), at("2026-03-01T11:00"), "inverter swap")
    assert touched(outage, "2026-03-01", "2026-03-02", HOUR) == [f"2026-03-01T{hour:02}:00:00Z" for hour in (8, 9, 10)]
    assert touched(outage, "2026-02-25", "2026-03-05", DAY) == ["2026-03-01"]
    assert touched(Outage(at("2026-03-01"), at("2026-03-02"), "x"), "2026-02-25", "2026-03-05", DAY) == ["2026-03-01"]


def test_a_week_crosses_midnight_by_the_clocks_of_the_zone():
    weekly = WeeklyOutage(SUNDAY + 22 * 60, 6 * 60, BERLIN, None, "backup")
    found = touched(weekly, "2026-03-21", "2026-03-24", HOUR)
    assert found == [f"2026-03-22T{hour}:00:00Z" for hour in (21, 22, 23)] + [
        f"2026-03-23T0{hour}:00:00Z" for hour in range(3)
    ]
    # A week later the clocks have been set forward.
    assert touched(weekly, "2026-03-28", "2026-03-31", HOUR)[0] == "2026-03-29T20:00:00Z"


def test_dates_are_those_of_the_sources_zone():
    weekly = WeeklyOutage(SUNDAY + 22 * 60, 6 * 60, "UTC", BERLIN, "backup")
    assert touched(weekly, "2026-01-01", "2026-01-15", DAY) == ["2026-01-04", "2026-01-05", "2026-01-11", "2026-01-12"]
    # From 22:30 to 22:45 in UTC it is Monday in Berlin.
    weekly = WeeklyOutage(SUNDAY + 22 * 60 + 30, 15, "UTC", "Asia/Tokyo", "backup")
    assert touched(weekly, "2026-01-01", "2026-01-15", DAY) == ["2026-01-05", "2026-01-12"]


@pytest.mark.parametrize("zone", ["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_years_of_weeks_against_python(zone):
    start, length = 2 * MINUTES_OF_A_DAY + 23 * 60 + 15, 90
    weekly = WeeklyOutage(start, length, zone, None, "backup")
    cadence = Cadence.parse("15min")
    times = np.arange(at("2024-12-20"), at("2026-01-15"), cadence.step)
    mask = Outages({"S1": (weekly,)}).mask("S1", times, cadence)

    def inside(moment: dt.datetime) -> bool:
        local = moment.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone))
        minute = (local.weekday() * 24 + local.hour) * 60 + local.minute
        return start <= minute < start + length

    assert mask.tolist() == [inside(each) for each in times.tolist()]


def test_outages_that_overlap_leave_what_none_of_them_touches():
    outages = Outages({"S1": tuple(Outage(at(a), at(b), "x") for a, b in OVERLAPPING)})
    for cadence in (HOUR, DAY, Cadence.parse("7h")):
        for shift in range(30):
            times = np.arange(at("2026-02-28T05:00") + shift * HOUR.step, at("2026-03-20"), cadence.step)
            outside = [place for each in outages.outside("S1", times[0], len(times), cadence) for place in each]
            assert outside == np.flatnonzero(~outages.mask("S1", times, cadence)).tolist()
    assert outages.outside("S2", at("2026-03-01"), 10**12, HOUR) == [range(10**12)]
    assert outages.outside("S1", at("2026-03-01"), 0, HOUR) == []


def test_before_service_and_after_it():
    first, last = np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31", "us")
    assert len(touched(Outage(first, at("2026-03-03"), "not commissioned yet"), "2026-03-01", "2026-03-08", DAY)) == 2
    assert len(touched(Outage(at("2026-03-03"), last, "retired"), "2026-03-01", "2026-03-08", DAY)) == 5
