"""Days that are named on the command line are those of the source's time zone."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomscan.store.store import Store
from anomscan.telemetry.cadence import days_before, first_instant, last_instant

#: Days on which clocks are changed, and how many hours each has.
CHANGES = [
    ("Europe/Berlin", "2024-03-31", 23),
    ("Europe/Berlin", "2024-10-27", 25),
    ("America/Los_Angeles", "2024-03-10", 23),
    ("America/Los_Angeles", "2024-11-03", 25),
    ("America/Sao_Paulo", "2018-11-04", 23),  # it begins at 01:00
    ("Asia/Kolkata", "2024-03-31", 24),
    ("UTC", "2024-03-31", 24),
]


def configure(place: Any, zone: str, cadence: str) -> None:
    settings = (place.folder / "anomscan.toml").read_text("utf-8").replace("window = 60", "window = 20")
    place.write("anomscan.toml", settings.replace('cadence = "1D"', f'cadence = "{cadence}"\ntimezone = "{zone}"'))


def hours(place: Any, zone: str, middle: str) -> list[datetime]:
    """A fleet of one asset with a sample each hour, some days around a day, written in UTC; a score for each."""
    start = datetime.fromisoformat(middle).replace(tzinfo=UTC) - timedelta(days=10)
    moments = [start + timedelta(hours=hour) for hour in range(20 * 24)]
    texts = [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in moments]
    place.telemetry([["a", text, 0.5 + number % 7 / 100, "Ok"] for number, text in enumerate(texts)])
    place.scores([["a", text, 1 + number % 5 / 100] for number, text in enumerate(texts)])
    configure(place, zone, "1h")
    return moments


def of(moments: list[datetime], zone: str, day: str) -> list[datetime]:
    return [moment for moment in moments if f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d}" == day]


def stored(place: Any) -> list[datetime]:
    series = Store.open(place.folder / "anomscan-data").read("fleet", "a")
    return [moment.replace(tzinfo=UTC) for moment in series.timestamps.tolist()]


@pytest.mark.parametrize(("zone", "day", "length"), CHANGES)
def test_fetch_takes_the_local_day(place: Any, zone: str, day: str, length: int) -> None:
    wanted = of(hours(place, zone, day), zone, day)
    assert len(wanted) == length
    place.good("fetch", "--from", day, "--to", day)
    assert stored(place) == wanted


@pytest.mark.parametrize(("zone", "day", "length"), CHANGES)
def test_scan_reports_the_local_day(place: Any, zone: str, day: str, length: int) -> None:
    moments = hours(place, zone, day)
    place.good("fetch")
    first, *_, last = of(moments, zone, day)
    for command in (["scan", "--asset", "a"], ["detect", "--asset", "a"]):
        record = json.loads(place.good(*command, "--from", day, "--to", day, "-o", "-"))
        assert (record["from"], record["to"]) == tuple(f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in (first, last))
        # The last day that is known of is this one; so many days are counted by the same clock.
        record = json.loads(place.good(*command, "--to", day, "--days", "1", "-o", "-"))
        assert sum(record["verdicts"].values()) == length
        assert record["from"] == f"{first:%Y-%m-%dT%H:%M:%SZ}"
    record = json.loads(place.good("scan", "--asset", "a", "--through", day, "-o", "-"))
    assert record["to"] == f"{last:%Y-%m-%dT%H:%M:%SZ}"


def test_train_learns_through_the_local_day(place: Any) -> None:
    moments = hours(place, "America/Los_Angeles", "2024-03-10")
    place.good("fetch")
    _, _, err = place("train", "--detector", "rcf", "--through", "2024-03-10")
    last = of(moments, "America/Los_Angeles", "2024-03-10")[-1]
    assert f"through {last:%Y-%m-%dT%H:%M:%SZ}" in err


def test_what_had_arrived_by_the_local_day(place: Any) -> None:
    hours(place, "Pacific/Kiritimati", "2024-03-10")  # 14 hours ahead
    place.good("fetch")
    arrival = Store.open(place.folder / "anomscan-data").read("fleet", "a").arrived_at[0].item().replace(tzinfo=UTC)
    today = arrival.astimezone(ZoneInfo("Pacific/Kiritimati")).date()
    place.good("scan", "--asset", "a", "--as-of", today, "-o", "results.jsonl")
    facts = json.loads((place.folder / "results.jsonl.run.json").read_text("utf-8"))
    assert facts["timezone"] == "Pacific/Kiritimati"
    assert place("scan", "--asset", "a", "--as-of", today - timedelta(days=1))[0] == 4
    code, _, err = place("report", "results.jsonl")
    assert (code, "lack the values" in err) == (0, False)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Auckland", "America/Los_Angeles"])
def test_days_of_daily_values_are_dates(place: Any, zone: str) -> None:
    days = [date(2024, 3, 1) + timedelta(days=number) for number in range(40)]
    place.telemetry([["a", day, 0.5, "Ok"] for day in days])
    place.scores([["a", day, 1.0] for day in days])
    configure(place, zone, "1D")
    place.good("fetch", "--from", "2024-03-05", "--to", "2024-04-05")
    assert [f"{moment:%Y-%m-%d}" for moment in stored(place)] == [str(day) for day in days[4:36]]
    record = json.loads(place.good("scan", "--asset", "a", "--from", "2024-03-30", "--to", "2024-04-01", "-o", "-"))
    assert (record["from"], record["to"]) == ("2024-03-30", "2024-04-01")


def test_every_command_with_days_says_whose_they_are(place: Any) -> None:
    for command in ("fetch", "scan", "detect"):
        out = " ".join(place.good(command, "--help").partition("Options:")[2].split())
        for option in ("--from D", "--to D", "--days N"):
            assert "of the source's time zone" in out.partition(option)[2].partition(" --")[0], (command, option)


ZONES = st.sampled_from(
    [zone for zone, _, _ in CHANGES] + ["Pacific/Kiritimati", "America/Havana", "Australia/Lord_Howe"]
)
MINUTES = st.datetimes(datetime(1980, 1, 1), datetime(2037, 1, 1)).map(lambda moment: moment.replace(second=0))


@given(zone=ZONES, utc=MINUTES, offset=st.integers(-1, 1))
def test_an_instant_is_within_the_day_that_its_clocks_show(zone: str, utc: datetime, offset: int) -> None:
    local = utc.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()
    day = str(local + timedelta(days=offset))
    moment = np.datetime64(utc, "us")
    assert (first_instant(day, zone) <= moment <= last_instant(day, zone)) == (offset == 0)


@given(zone=ZONES, utc=MINUTES, days=st.integers(0, 500))
def test_days_before_show_the_same_clock(zone: str, utc: datetime, days: int) -> None:
    found = days_before(np.datetime64(utc, "us"), days, zone).item().replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    now = utc.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    difference = now.replace(tzinfo=None) - found.replace(tzinfo=None) - timedelta(days=days)
    assert abs(difference) <= timedelta(hours=1)  # where the clock skips that time, or shows it twice
    if zone in ("UTC", "Asia/Kolkata"):
        assert not difference
