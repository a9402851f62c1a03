"""A service is asked for the days of the source's time zone, wherever in them its samples are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomscan.sources.base import Request
from anomscan.sources.rest.urls import filled
from anomscan.store.store import Store
from anomscan.telemetry.cadence import Cadence, first_instant, last_instant
from servers.rest_faults import Call, Reply, serving

pytestmark = pytest.mark.slow

ZONES = ["Europe/Berlin", "America/Los_Angeles"]
DAY = timedelta(days=1)
#: At what time of its day a sample is stamped, in local time, and whether that is the end of its day.
STAMPS: dict[str, tuple[timedelta, Literal["start", "end"]]] = {
    "midnight": (timedelta(0), "start"),
    "06:00": (timedelta(hours=6), "start"),
    "noon": (timedelta(hours=12), "start"),
    "23:59:59": (DAY - timedelta(seconds=1), "start"),
    "next midnight": (DAY, "end"),
}


def at(day: date, clock: timedelta, zone: str) -> datetime:
    local = datetime(day.year, day.month, day.day) + clock
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def as_utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


#: How bounds are written, and how a service may read them: as instants that it leaves out themselves.
READINGS: list[tuple[str | None, Callable[[str, str], datetime]]] = [
    (None, lambda text, zone: as_utc(text)),
    (None, lambda text, zone: at(date.fromisoformat(text), timedelta(0), zone)),
    ("%d.%m.%Y", lambda text, zone: datetime.strptime(text, "%d.%m.%Y").replace(tzinfo=UTC)),
    ("unix", lambda text, zone: datetime.fromtimestamp(int(text), UTC)),
    ("unix-ms", lambda text, zone: datetime.fromtimestamp(int(text) / 1000, UTC)),
    ("%Y-%m-%dT%H:%M:%SZ", lambda text, zone: as_utc(text)),
    ("%Y-%m-%dT%H:%M:%S%z", lambda text, zone: datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")),
    ("%Y-%m-%d %H:%M", lambda text, zone: datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))),
]


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        (ZONES[0], "2024-03-31"),
        (ZONES[0], "2024-10-27"),
        (ZONES[1], "2024-03-10"),
        (ZONES[1], "2024-11-03"),
    ],
)
@pytest.mark.parametrize("reading", range(len(READINGS)))
def test_fetch_brings_the_days_that_were_asked_for(place: Any, zone: str, change: str, reading: int) -> None:
    form, read = READINGS[reading]
    middle = date.fromisoformat(change)
    days = [middle + number * DAY for number in range(-12, 13)]

    def answer(call: Call) -> Reply:
        clock, _ = STAMPS[call.parts[0]]
        start, end = (read(call.query[name], zone) for name in ("from", "to"))
        moments = [(day, at(day, clock, zone)) for day in days]
        return Reply(
            body=[
                {"t": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "v": day.day} for day, moment in moments if start < moment < end
            ]
        )

    with serving(answer) as service:
        for name, (_, stamp) in STAMPS.items():
            source = re.sub(r"\W", "-", name)
            place.write(
                "anomscan.toml",
                f'[sources."{source}"]\nkind = "rest"\nkey = ""\ncadence = "1D"\ntimezone = "{zone}"\n'
                f'url = "{service.url}/{{asset}}?from={{start}}&to={{end}}"\nassets = ["{name}"]\n'
                f'columns = {{ timestamp = "t", values = ["v"] }}\nday_stamp = "{stamp}"\n'
                + (f'time_format = "{form}"\n' if form else ""),
            )
            place.good("fetch", "--from", middle - 2 * DAY, "--to", middle + 2 * DAY)
            series = Store.open(place.folder / "anomscan-data").read(source, name)
            found = [moment.date() for moment in series.timestamps.tolist()]
            assert found == days[10:15], name
            assert series.values.ravel().tolist() == [day.day for day in found]


DATES = st.dates(date(2001, 1, 1), date(2036, 1, 1))
ALL_ZONES = st.sampled_from(
    [*ZONES, "UTC", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Havana"]
)
TEMPLATE = "http://h/{asset}?from={start}&to={end}&days={days}"


def bounds(
    request: Request, cadence: str, zone: str, stamp: Literal["start", "end"], form: str | None, now: datetime
) -> dict[str, str]:
    url = filled(
        TEMPLATE,
        "a",
        request,
        cadence=Cadence.parse(cadence),
        timezone=zone,
        day_stamp=stamp,
        time_format=form,
        history_days=366,
        now_s=now.timestamp(),
    )
    return Call(url, {}).query


@given(
    day=DATES,
    length=st.integers(0, 400),
    zone=ALL_ZONES,
    stamp=st.sampled_from(sorted(STAMPS)),
    reading=st.sampled_from(READINGS),
)
def test_the_bounds_hold_all_days(day: date, length: int, zone: str, stamp: str, reading: Any) -> None:
    form, read = reading
    clock, stamped = STAMPS[stamp]
    last = day + length * DAY
    request = Request(("a",), np.datetime64(day, "us"), last_instant(str(last)))
    asked = bounds(request, "1D", zone, stamped, form, datetime(2040, 1, 1, tzinfo=UTC))
    assert read(asked["from"], zone) < at(day, clock, zone)
    assert at(last, clock, zone) < read(asked["to"], zone)
    # And not much more than that.
    assert at(day, clock, zone) - read(asked["from"], zone) <= 4 * DAY
    assert read(asked["to"], zone) - at(last, clock, zone) <= 4 * DAY


@given(
    now=st.datetimes(datetime(2001, 1, 1), datetime(2036, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)),
    back=st.integers(0, 400),
    zone=ALL_ZONES,
    cadence=st.sampled_from(["1D", "1h", "10min"]),
)
def test_so_many_days_back_hold_the_start(now: datetime, back: int, zone: str, cadence: str) -> None:
    here = now.astimezone(ZoneInfo(zone))
    day = here.date() - back * DAY
    start = np.datetime64(day, "us") if cadence == "1D" else first_instant(str(day), zone)
    days = int(bounds(Request(("a",), start), cadence, zone, "start", None, now)["days"])
    begins = at(day, timedelta(0), zone)
    assert now - days * DAY <= begins  # days of 24 hours
    assert here.replace(tzinfo=None) - days * DAY <= begins.astimezone(ZoneInfo(zone)).replace(tzinfo=None)  # calendar
    assert days <= back + 2


@given(now=st.datetimes(datetime(2001, 1, 1), datetime(2036, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)))
def test_the_end_is_never_after_today(now: datetime) -> None:
    for zone in ("Pacific/Auckland", *ZONES):
        today = {now.astimezone(ZoneInfo(zone)).date(), now.date()}
        for end in (None, last_instant("2040-01-01")):
            asked = bounds(Request(("a",), None, end), "1D", zone, "end", None, now)
            assert asked["to"] == str(max(today))
            exact = bounds(Request(("a",), None, end), "1D", zone, "end", "unix", now)
            assert int(exact["to"]) == int(now.timestamp())


def test_a_format_that_ends_in_z_is_utc_whatever_the_zone() -> None:
    request = Request(("a",), first_instant("2024-03-01", "America/Los_Angeles"))
    now = datetime(2024, 3, 8, 12, 0, tzinfo=UTC)
    asked = bounds(request, "1h", "America/Los_Angeles", "start", "%Y-%m-%dT%H:%M:%SZ", now)
    assert (asked["from"], asked["to"]) == ("2024-03-01T07:00:00Z", "2024-03-08T12:00:00Z")
    asked = bounds(request, "1h", "America/Los_Angeles", "start", "%Y-%m-%dT%H:%M:%S", now)
    assert (asked["from"], asked["to"]) == ("2024-02-29T23:00:00", "2024-03-08T04:00:00")
