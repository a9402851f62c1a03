"""Samples every few hours of local time, over a change of clocks."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomscan.errors import InputError, StoreError
from anomscan.jobs.fetch.clock_changes import ClockChanges, followers
from anomscan.store.store import Store
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout

BERLIN = ("Europe/Berlin", "2024-03-28", "2024-03-31", "forward")
CHANGES = [
    BERLIN,
    ("Europe/Berlin", "2024-10-25", "2024-10-27", "back"),
    ("America/Los_Angeles", "2024-03-08", "2024-03-10", "forward"),
    ("America/Los_Angeles", "2024-11-01", "2024-11-03", "back"),
    ("Australia/Lord_Howe", "2024-04-05", "2024-04-07", "back"),  # by half an hour
]


def walls(start: str, hours: int, days: int = 6, skip: str = "") -> list[str]:
    """What the clock shows at each sample; not the hour that is skipped, or shown twice."""
    first = datetime.fromisoformat(start)
    moments = [first + timedelta(hours=hour) for hour in range(0, 24 * days, hours)]
    return [f"{each:%Y-%m-%d %H:%M}" for each in moments if not (f"{each:%Y-%m-%d}" == skip and each.hour in (1, 2))]


def in_utc(start: str, hours: int, days: int = 6) -> list[str]:
    first = datetime.fromisoformat(start)
    return [f"{first + timedelta(hours=hour):%Y-%m-%dT%H:%MZ}" for hour in range(0, 24 * days, hours)]


def by_berlin(stamps: list[str]) -> list[str]:
    """What the clock shows in Berlin, with the offset that it has then."""
    return [datetime.fromisoformat(each).replace(tzinfo=ZoneInfo("Europe/Berlin")).isoformat() for each in stamps]


def configure(place: Any, cadence: str, zone: str) -> None:
    text = re.sub("^timezone = .*\n", "", (place.folder / "anomscan.toml").read_text("utf-8"), flags=re.MULTILINE)
    place.write(
        "anomscan.toml",
        re.sub("^cadence = .*", f'cadence = "{cadence}"\ntimezone = "{zone}"', text, flags=re.MULTILINE),
    )


def telemetry(place: Any, stamps: dict[str, list[str]]) -> None:
    place.telemetry(
        [[asset, stamp, 0.5 + row / 1000, "Ok"] for asset, each in stamps.items() for row, stamp in enumerate(each)]
    )


@pytest.mark.parametrize(("zone", "start", "day", "how"), CHANGES)
@pytest.mark.parametrize("hours", [2, 3, 6, 12])
def test_the_change_is_named_and_nothing_stored(
    place: Any, zone: str, start: str, day: str, how: str, hours: int
) -> None:
    configure(place, f"{hours}h", zone)
    telemetry(place, {asset: walls(start, hours, skip=day) for asset in ("a", "b")})
    code, _, err = place("fetch")
    assert code == 2
    assert f"the local time of {zone}, whose clocks were set {how} on {day} (daylight saving time)" in err
    assert f"a cadence of {hours}h has steps of one length; nothing was stored" in err
    assert 'timezone = "UTC"' in err
    with pytest.raises(StoreError, match="no telemetry"):
        Store.open(place.folder / "anomscan-data")
    # The way out that the message tells.
    configure(place, f"{hours}h", "UTC")
    place.good("fetch")
    store = Store.open(place.folder / "anomscan-data")
    assert len(store.read("fleet", "a")) == len(walls(start, hours, skip=day))


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Kolkata"])
def test_the_beginning_of_the_calendar_is_in_no_doubt(place: Any, zone: str) -> None:
    configure(place, "6h", zone)
    telemetry(place, {"a": ["0001-01-01T00:00Z", "0001-01-01T06:00Z"]})
    place.good("fetch")
    assert len(Store.open(place.folder / "anomscan-data").read("fleet", "a")) == 2


@pytest.mark.parametrize(("zone", "start", "day", "how"), CHANGES[:4])
@pytest.mark.parametrize("offset", [True, False])
def test_without_a_zone_the_change_is_known_all_the_same(
    place: Any, zone: str, start: str, day: str, how: str, offset: bool
) -> None:
    configure(place, "6h", "UTC")
    moments = [datetime.fromisoformat(each).replace(tzinfo=ZoneInfo(zone)) for each in walls(start, 6)]
    telemetry(place, {"a": [(each if offset else each.astimezone(UTC)).isoformat() for each in moments]})
    code, _, err = place("fetch")
    assert (code, f"whose clocks were set {how} on {day}" in err) == (2, True)
    assert "keep a local time like that of " in err


def test_one_odd_sample_is_no_change_of_clocks(place: Any) -> None:
    configure(place, "6h", BERLIN[0])
    telemetry(place, {"a": [*in_utc("2024-03-20", 6, days=10), "2024-03-31T05:00Z"]})
    code, _, err = place("fetch")
    assert (code, "2024-03-31T05:00:00Z is not" in err) == (4, True)
    assert len(Store.open(place.folder / "anomscan-data").read("fleet", "a")) == 40


def test_seconds_of_jitter_hide_nothing(place: Any) -> None:
    configure(place, "6h", BERLIN[0])
    stamps = [f"{each}:{row * 7 % 20:02}" for row, each in enumerate(walls(BERLIN[1], 6))]
    telemetry(place, {"a": stamps})
    code, _, err = place("fetch")
    assert (code, "set forward on 2024-03-31" in err) == (2, True)


def test_the_night_of_the_change(place: Any) -> None:
    configure(place, "6h", BERLIN[0])
    stamps = walls("2024-03-01", 6, days=40)
    telemetry(place, {"a": stamps[:120]})
    place.good("fetch")
    telemetry(place, {"a": stamps[120:]})  # nothing from before the change: 31 March begins here
    code, _, err = place("fetch", "--from", "2024-04-01")
    assert code == 2
    assert "set forward on 2024-03-31" in err


def test_a_query_is_told_the_same(place: Any) -> None:
    configure(place, "6h", BERLIN[0])
    with closing(sqlite3.connect(place.folder / "t.db")) as database, database:
        database.execute("CREATE TABLE t (asset_id TEXT, date TEXT, prt7 DOUBLE, health_status TEXT)")
        database.executemany("INSERT INTO t VALUES ('a', ?, 0.5, 'Ok')", [(each,) for each in walls(BERLIN[1], 6)])
    text = (place.folder / "anomscan.toml").read_text("utf-8")
    query = "SELECT * FROM t WHERE date >= :start AND date <= :end"
    text = text.replace('kind = "files"', f'kind = "sql"\nurl = "sqlite:///t.db"\nquery = "{query}"')
    place.write("anomscan.toml", text.replace('path = "telemetry.csv"\n', ""))
    code, _, err = place("fetch")
    assert (code, "set forward on 2024-03-31" in err) == (2, True)


def test_one_asset_by_the_clock_does_not_stop_the_fleet(place: Any) -> None:
    configure(place, "6h", BERLIN[0])
    telemetry(place, {"a": in_utc(BERLIN[1], 6), "b": in_utc(BERLIN[1], 6), "odd": by_berlin(walls(BERLIN[1], 6))})
    code, _, err = place("fetch")
    assert code == 4
    assert "asset 'odd': its samples keep the local time of Europe/Berlin, whose clocks were set forward" in err
    store = Store.open(place.folder / "anomscan-data")
    assert [len(store.read("fleet", asset)) for asset in ("a", "b")] == [24, 24]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
def test_assets_by_the_clock_cost_themselves_alone(place: Any, zone: str) -> None:
    """The others' samples end before the change, or begin after it: they say nothing of clocks."""
    configure(place, "6h", zone)
    by_clock = by_berlin(walls(BERLIN[1], 6))
    before, after = in_utc("2024-03-20", 6), in_utc("2024-04-03", 6)
    telemetry(place, {"before": before, "odd 1": by_clock, "after": after, "odd 2": by_clock})
    code, _, err = place("fetch")
    assert code == 4
    assert err.count("whose clocks were set forward on 2024-03-31") == 2
    store = Store.open(place.folder / "anomscan-data")
    assert store.last_timestamps("fleet").keys() == {"before", "after"}
    assert [len(store.read("fleet", asset)) for asset in ("before", "after")] == [24, 24]
    # The second night is like the first.
    assert place("fetch")[0] == 4
    assert store.last_timestamps("fleet").keys() == {"before", "after"}


def test_an_asset_with_a_history_keeps_it_when_it_follows_the_clock(place: Any) -> None:
    configure(place, "6h", BERLIN[0])
    stamps = by_berlin(walls("2024-03-01", 6, days=40))
    telemetry(place, {"a": in_utc("2024-03-01", 6, days=30), "odd": stamps[:120]})
    place.good("fetch")
    telemetry(place, {"a": in_utc("2024-03-01", 6, days=40), "odd": stamps})
    code, _, err = place("fetch")
    assert (code, "asset 'odd': its samples keep the local time" in err) == (4, True)
    store = Store.open(place.folder / "anomscan-data")
    assert [len(store.read("fleet", asset)) for asset in ("a", "odd")] == [160, 120]


@pytest.mark.parametrize("hours", [1, 2, 6, 12])
def test_steps_of_utc_go_on_over_the_change(place: Any, hours: int) -> None:
    configure(place, f"{hours}h", BERLIN[0])
    place.good("config", "check")
    telemetry(place, {"a": in_utc(BERLIN[1], hours)})
    place.good("fetch")
    assert len(Store.open(place.folder / "anomscan-data").read("fleet", "a")) == 24 * 6 // hours


def test_each_hour_of_the_clock_is_a_step(place: Any) -> None:
    configure(place, "1h", BERLIN[0])
    stamps = [each for each in walls(BERLIN[1], 1) if each != "2024-03-31 02:00"]
    telemetry(place, {"a": stamps})
    place.good("fetch")
    assert len(Store.open(place.folder / "anomscan-data").read("fleet", "a")) == len(stamps)


@settings(max_examples=25)
@given(
    zone=st.sampled_from([zone for zone, *_ in CHANGES] + ["Asia/Kolkata", "America/Sao_Paulo"]),
    cadence=st.sampled_from(["45min", "1h", "90min", "2h", "5h", "6h", "8h", "12h"]),
    phases=st.lists(st.integers(0, 719), min_size=1, max_size=4),
    start=st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)),
    pieces=st.integers(1, 3),
    by_clock=st.booleans(),
)
def test_only_what_keeps_the_clock_is_refused(
    zone: str, cadence: str, phases: list[int], start: datetime, pieces: int, by_clock: bool
) -> None:
    step = Cadence.parse(cadence)
    layout = Layout(step, ("v",))
    changes = ClockChanges(zone, step, dict)
    columns: list[tuple[str, datetime]] = []
    for number, phase in enumerate(phases):
        first = start.replace(minute=0, second=0, microsecond=0) + timedelta(minutes=phase)
        moments = [
            first + timedelta(microseconds=step.step_us * row) for row in range(int(400 * 86_400e6) // step.step_us)
        ]
        if by_clock:
            local = [each.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None) for each in moments]
            moments = sorted(set(local))
        columns += [(f"asset {number}", each) for each in moments]
    for piece in range(pieces):
        part = columns[piece::pieces]
        table = pa.table(
            {
                "asset": [asset for asset, _ in part],
                "timestamp": np.array([each for _, each in part], "datetime64[us]"),
                "value:v": [0.5] * len(part),
                "health": pa.nulls(len(part), pa.string()),
            },
            layout.schema,
        )
        changes.see(table)
    moves = {each.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).utcoffset() for _, each in columns}
    ticks = {int(each.total_seconds() * 1e6) % step.step_us for each in moves if each is not None}
    if by_clock and len(ticks) > 1:
        assert changes.failures().keys() == {f"asset {number}" for number in range(len(phases))}
        assert all(f"the local time of {zone}" in error.message for error in changes.failures().values())
        with pytest.raises(InputError, match=f"the local time of {zone}"):
            followers([changes])
    else:
        assert followers([changes]) == {}
