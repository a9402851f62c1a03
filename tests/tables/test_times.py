"""Timestamps: as text, as types, with and without offsets, through the changes of clock."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomscan.errors import ConfigError, InputError
from anomscan.tables.times import Times
from anomscan.telemetry.cadence import Cadence

PARIS = "Europe/Paris"


def read(
    values: Any,
    cadence: str = "10min",
    zone: str | None = "UTC",
    pattern: str | None = None,
    times: Times | None = None,
) -> list[str]:
    column = values if isinstance(values, pa.Array) else pa.array(values)
    times = times or Times(Cadence.parse(cadence), zone, pattern)
    found = times.read(column, "t", lambda row: f"row {row + 1}")
    assert found.type == pa.timestamp("us")
    return [str(np.datetime64(moment, "s")) for moment in found.to_pylist()]


def refused(values: Any, **keys: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(values, **keys)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2017-01-01", "2017-01-01T00:00:00"),
        ("2017-01-01 05:10", "2017-01-01T05:10:00"),
        (" 2017-01-01T05:10:00.000 ", "2017-01-01T05:10:00"),
        ("2017-01-01T05:10:00.000000000", "2017-01-01T05:10:00"),
        ("2017-01-01T05:10:00Z", "2017-01-01T05:10:00"),
        ("2017-01-01 05:10:00+02", "2017-01-01T03:10:00"),
        ("2017-01-01 05:10:00-0230", "2017-01-01T07:40:00"),
        ("2017-01-01T05:10:00.5+05:45", "2016-12-31T23:25:00"),
    ],
)
def test_iso_text(text: str, instant: str) -> None:
    assert read([text]) == [instant]


@pytest.mark.parametrize(
    "text",
    ["", "2017", "2017-1-1", "01/02/2017", "2017-01-01T25:00", "2017-01-01T05", "2017-01-01T05:10:60", "1483228800",
     "2017-01-01T05:10+25:00", "now", "2017-01-01T05:10:00 PM", "2017-01-01-05"],
)  # fmt: skip
def test_other_text_is_named(text: str) -> None:
    told = refused(["2017-01-01", text])
    assert "row 2, column 't'" in told
    assert text in told


def test_finer_than_a_microsecond_is_refused() -> None:
    assert "finer than a microsecond" in refused(["2017-01-01T05:10:00.000000001"])
    assert "finer than a microsecond" in refused(pa.array([1], pa.timestamp("ns")))


def test_types() -> None:
    days = [date(2017, 1, 1), date(2017, 1, 2)]
    texts = ["2017-01-01T00:00:00", "2017-01-02T00:00:00"]
    for kind in (pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("ns")):
        column = pa.array(days).cast(kind)
        assert read(column) == texts
        assert read(column, cadence="1D") == texts
    aware = pa.array([datetime(2017, 1, 1, tzinfo=ZoneInfo(PARIS))], pa.timestamp("us", PARIS))
    assert read(aware) == ["2016-12-31T23:00:00"]
    assert read(aware, cadence="1D") == ["2017-01-01T00:00:00"]
    assert read(aware.cast(pa.timestamp("ns", "+01:00")), cadence="1D") == ["2017-01-01T00:00:00"]
    assert "not a date" in refused(aware.cast(pa.timestamp("us", "UTC")), cadence="1D", zone=None)
    assert read(aware.cast(pa.timestamp("us", "UTC")), cadence="1D", zone=PARIS) == ["2017-01-01T00:00:00"]


def test_naive_instants_stand_in_the_zone_of_the_source() -> None:
    assert read(["2017-07-01T00:00", "2017-01-01T00:00"], zone=PARIS) == ["2017-06-30T22:00:00", "2016-12-31T23:00:00"]


def test_the_hour_that_happens_twice_and_the_one_that_does_not() -> None:
    twice = refused(["2017-10-29T01:50", "2017-10-29T02:10"], zone=PARIS)
    assert "row 2, column 't': '2017-10-29T02:10' happens twice in Europe/Paris" in twice
    assert "offset from UTC" in twice
    never = refused(["2017-03-26T03:00", "2017-03-26T02:30"], zone=PARIS)
    assert "row 2, column 't': '2017-03-26T02:30' does not exist in Europe/Paris" in never


def test_dates_know_no_changes_of_clock() -> None:
    assert read(["2018-11-04"], cadence="1D", zone="America/Sao_Paulo") == ["2018-11-04T00:00:00"]


def test_offsets_may_change_through_the_year() -> None:
    texts = ["2017-10-29T02:50:00+02:00", "2017-10-29T02:00:00+01:00", "2017-07-01T00:00:00+02:00"]
    assert read(texts, zone=PARIS) == ["2017-10-29T00:50:00", "2017-10-29T01:00:00", "2017-06-30T22:00:00"]


def test_a_date_with_an_offset_is_the_date_as_written() -> None:
    assert read(["2017-01-01T00:00:00+14:00", "2017-07-01 00:00-0500"], cadence="1D") == [
        "2017-01-01T00:00:00",
        "2017-07-01T00:00:00",
    ]
    assert "'2017-01-01T10:00+10:00' is not a date though the cadence is 7D" in refused(
        ["2017-01-01T10:00+10:00"], cadence="7D", zone=None
    )


def test_mixed_offsets_and_none_are_refused_across_pieces() -> None:
    times = Times(Cadence.parse("1h"), "UTC", None)
    read(["2017-01-01T00:00"], times=times)
    told = refused(["2017-01-01T01:00Z"], times=times)
    assert "row 1, column 't': '2017-01-01T01:00Z' has an offset from UTC, unlike '2017-01-01T00:00' at row 1" in told
    assert "row 2, column 't': '2017-01-02' has no offset" in refused(["2017-01-01T00:00Z", "2017-01-02"])
    assert "row 1, column 't': '2017-01-01T00:00Z' has an" in refused(["2017-01-01T00:00Z", "2017-01-02", "2017-01-03"])


class TestDailyStamps:
    """A daily value belongs to the day in which its stamp stands in the zone of the source."""

    @pytest.mark.parametrize(
        ("texts", "zone", "days"),
        [
            (["2024-03-30T23:00Z", "2024-03-31T22:00Z"], PARIS, ["2024-03-31", "2024-04-01"]),
            (["2024-03-30T12:00", "2024-03-31T12:00"], PARIS, ["2024-03-30", "2024-03-31"]),
            (["2024-03-30T12:00", "2024-03-31T12:00"], None, ["2024-03-30", "2024-03-31"]),
            (["2024-03-30T23:59:59", "2024-03-31T23:59:59"], PARIS, ["2024-03-30", "2024-03-31"]),
            (["2024-03-30T06:00Z", "2024-03-31T06:00Z"], PARIS, ["2024-03-30", "2024-03-31"]),
            (["2024-03-31T00:00Z", "2024-03-31T23:00Z"], "Europe/London", ["2024-03-31", "2024-04-01"]),
            (["2024-03-31T00:00Z", "2024-04-01T00:00Z"], "America/New_York", ["2024-03-31", "2024-04-01"]),
            (["2024-03-31T05:00Z"], "America/Chicago", ["2024-03-31"]),
        ],
    )
    def test_of_every_kind(self, texts: list[str], zone: str | None, days: list[str]) -> None:
        assert [text[:10] for text in read(texts, cadence="1D", zone=zone)] == days

    def test_the_same_across_pieces(self) -> None:
        times = Times(Cadence.parse("1D"), "Europe/London", None)
        assert read(["2024-03-31T00:00Z"], times=times) == ["2024-03-31T00:00:00"]
        assert read(["2024-03-31T23:00Z"], times=times) == ["2024-04-01T00:00:00"]
        assert "'2024-04-02T11:00Z' is not a date" in refused(["2024-04-02T11:00Z"], times=times)

    def test_hours_are_no_days(self) -> None:
        hours = [f"2024-03-30T{hour:02}:00" for hour in range(24)]
        assert "'2024-03-30T01:00' is not a date though the cadence is 1D" in refused(hours, cadence="1D")
        evenings = Times(Cadence.parse("1D"), "America/New_York", None)
        read(["2024-07-01T00:00Z"], times=evenings)  # the evening before, as it turns out
        assert "'2024-12-01T01:00Z' is not a date" in refused(["2024-12-01T01:00Z"], times=evenings)

    def test_one_odd_stamp_is_refused_and_not_the_others(self) -> None:
        times = Times(Cadence.parse("1D"), PARIS, None)
        texts = ["2024-03-30T05:00", "2024-03-31", "2024-04-01"]
        assert "'2024-03-30T05:00' is not a date" in refused(texts, times=times)
        assert "'2024-03-30T05:00' is not a date" in refused(texts[:1], times=times)
        assert read(texts[1:], times=times) == ["2024-03-31T00:00:00", "2024-04-01T00:00:00"]

    def test_without_a_zone_an_offset_tells_no_day(self) -> None:
        told = refused(["2023-12-31T23:00Z"], cadence="1D", zone=None)
        assert "is not a date though the cadence is 1D (set timezone to where its days begin" in told

    @pytest.mark.parametrize(
        ("column", "day"),
        [
            (["2024-01-02T00:00"], "2024-01-01"),
            (["2024-01-01T23:00Z"], "2024-01-01"),
            (["2024-01-01T23:59:59"], "2024-01-01"),
            (["2024-01-01"], "2024-01-01"),
            (pa.array([date(2024, 1, 1)]), "2024-01-01"),
            (pa.array([datetime(2024, 1, 2)]), "2024-01-01"),
        ],
    )
    def test_stamped_at_the_end(self, column: Any, day: str) -> None:
        times = Times(Cadence.parse("1D"), PARIS, None, day_stamp="end")
        assert read(column, times=times) == [f"{day}T00:00:00"]


class TestMidnightAs24:
    def test_of_instants_it_is_the_next_day_at_0(self) -> None:
        assert read(["2024-02-28T23:50", "2024-02-28 24:00", "2024-02-29T24:00:00"], zone=PARIS) == [
            "2024-02-28T22:50:00",
            "2024-02-28T23:00:00",
            "2024-02-29T23:00:00",
        ]
        assert read(["2024-12-31T24:00:00.000Z", "2024-12-31T24:00+01:00"]) == [
            "2025-01-01T00:00:00",
            "2024-12-31T23:00:00",
        ]
        assert read(["31.12.2024 24:00", "31.12.2024 23:50"], pattern="%d.%m.%Y %H:%M") == [
            "2025-01-01T00:00:00",
            "2024-12-31T23:50:00",
        ]

    @pytest.mark.parametrize("stamp", ["start", "end"])
    def test_of_days_it_ends_the_day_that_is_written(self, stamp: Any) -> None:
        times = Times(Cadence.parse("1D"), PARIS, None, day_stamp=stamp)
        assert read(["2024-02-28T24:00", "2024-02-29T24:00:00"], times=times) == [
            "2024-02-28T00:00:00",
            "2024-02-29T00:00:00",
        ]

    def test_no_minute_follows_it(self) -> None:
        assert "'2024-02-28T24:01' is not a timestamp" in refused(["2024-02-28T24:01"])


class TestPattern:
    def test_text_is_read_by_it(self) -> None:
        assert read(["1/31/2017", "12/1/2016"], pattern="%m/%d/%Y", cadence="1D") == [
            "2017-01-31T00:00:00",
            "2016-12-01T00:00:00",
        ]
        assert read(["31.01.2017 05:10"], pattern="%d.%m.%Y %H:%M", zone=PARIS) == ["2017-01-31T04:10:00"]

    def test_offsets(self) -> None:
        texts = ["31.01.2017 00:00 +0100", "01.07.2017 00:00 +0200"]
        assert read(texts, pattern="%d.%m.%Y %H:%M %z") == ["2017-01-30T23:00:00", "2017-06-30T22:00:00"]
        assert read(texts, pattern="%d.%m.%Y %H:%M %z", cadence="1D") == ["2017-01-31T00:00:00", "2017-07-01T00:00:00"]

    @pytest.mark.parametrize("pattern", ["%m/%d/%Y", "%m/%d/%Y %z"])
    def test_what_does_not_fit_is_named(self, pattern: str) -> None:
        assert f"row 2, column 't': '31/12/2017' does not fit timestamp_format '{pattern}'" in refused(
            ["12/31/2017" + " +0000" * ("%z" in pattern), "31/12/2017"], pattern=pattern
        )

    @pytest.mark.parametrize(
        "pattern",
        ["mixed", "ISO8601", "", "%Y-%m-%d %Z", "%F", "%-d.%-m.%Y", "%e.%m.%Y", "%Y-%m-%d %k:%M", "%Y-%m-%d %T", "%D",
         "%s", "%Y-W%W", "%G-W%V", "%Y-%m-%d %", "%d.%m.%Y %d", "%s%z", "%Q", "%d.%m", "%H:%M"],
    )  # fmt: skip
    def test_what_is_no_pattern_is_refused(self, pattern: str) -> None:
        with pytest.raises(ConfigError, match="timestamp_format"):
            Times(Cadence.parse("1D"), "UTC", pattern)


class TestNumbers:
    @pytest.mark.parametrize(
        ("pattern", "number", "instant"),
        [
            ("unix", 1709251200, "2024-03-01T00:00:00"),
            ("unix", -1, "1969-12-31T23:59:59"),
            ("unix-ms", 1709251200000, "2024-03-01T00:00:00"),
            ("unix-us", 1709251200000000, "2024-03-01T00:00:00"),
            ("unix-ns", 1709251200000000000, "2024-03-01T00:00:00"),
            ("excel", 45352, "2024-03-01T00:00:00"),
        ],
    )
    def test_count_from_their_epoch_whatever_their_type(self, pattern: str, number: int, instant: str) -> None:
        for column in (pa.array([number]), pa.array([float(number)]), pa.array([Decimal(number)]), [f" {number} "]):
            assert read(column, pattern=pattern, cadence="1s") == [instant]

    def test_fractions(self) -> None:
        times = Times(Cadence.parse("1s"), "UTC", "unix")
        assert times.read(pa.array([1709251200.25]), "t", str).to_pylist() == [datetime(2024, 3, 1, 0, 0, 0, 250_000)]
        assert read(["45352.25", "45352.0069444444"], pattern="excel", zone=PARIS) == [
            "2024-03-01T05:00:00",
            "2024-02-29T23:10:00",
        ]

    def test_typed_values_beside_them_are_what_they_are(self) -> None:
        assert read(pa.array([datetime(2024, 3, 1, 6)]), pattern="unix") == ["2024-03-01T06:00:00"]

    def test_what_cannot_be_one_is_named(self) -> None:
        assert "row 2, column 't': 'soon' does not fit timestamp_format 'unix'" in refused(
            ["1", "soon"], pattern="unix"
        )
        assert "'nan' is not a timestamp" in refused(pa.array([1.0, math.nan]), pattern="unix")
        assert "'1709251200000' is outside the years 1 to 9999 by timestamp_format 'unix'" in refused(
            [1709251200, 1709251200000], pattern="unix"
        )
        assert "outside the years" in refused(["1e400"], pattern="unix-ms")
        assert "finer than a microsecond" in refused([1709251200000000001], pattern="unix-ns")

    def test_numbers_without_it_are_refused_with_the_way_out(self) -> None:
        assert "'1709251200' is not a timestamp (if numbers are meant, set timestamp_format" in refused(["1709251200"])
        assert "holds int64, not timestamps (if numbers are meant" in refused([1709251200])


moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.lists(st.tuples(moments, offsets), min_size=1, max_size=20))
def test_any_instant_survives(pairs: list[tuple[datetime, timezone]]) -> None:
    aware = [moment.replace(tzinfo=offset) for moment, offset in pairs]
    times = Times(Cadence.parse("1h"), "UTC", None)
    texts = pa.array([moment.isoformat() for moment in aware])
    found = times.read(texts, "t", str).to_pylist()
    assert found == [moment.astimezone(UTC).replace(tzinfo=None) for moment in aware]


@given(st.lists(st.dates(), min_size=1, max_size=20))
def test_any_date_survives(days: list[date]) -> None:
    assert [text[:10] for text in read([day.isoformat() for day in days], cadence="1D")] == [
        day.isoformat() for day in days
    ]


def test_an_instant_without_an_offset_needs_a_declared_zone() -> None:
    times = Times(Cadence.parse("1h"), None, None)
    with pytest.raises(InputError, match="'2017-01-01 06:00' has no offset from UTC, and the source no time zone"):
        times.read(pa.array(["2017-01-01 06:00"]), "t", str)
    assert times.read(pa.array(["2017-01-01T06:00Z"]), "t", str).to_pylist() == [datetime(2017, 1, 1, 6)]
    days = Times(Cadence.parse("1D"), None, None)
    assert days.read(pa.array(["2017-01-01"]), "t", str).to_pylist() == [datetime(2017, 1, 1)]


def test_reading_leaves_pandas_out() -> None:
    code = (
        "import sys, pyarrow as pa\n"
        "from anomscan.tables.times import Times\n"
        "from anomscan.telemetry.cadence import Cadence\n"
        "days = pa.Array.from_buffers(pa.int32(), 1, [None, pa.py_buffer(bytes(4))]).cast(pa.date32())\n"
        "texts, moments = days.cast(pa.string()), days.cast(pa.timestamp('ns'))\n"
        "cases = [(texts, 'Europe/Paris', None), (texts, 'UTC', '%Y-%m-%d'), (moments, 'UTC', None)]\n"
        "for column, zone, pattern in cases:\n"
        "    Times(Cadence.parse('1h'), zone, pattern).read(column, 't', str)\n"
        "sys.exit('pandas' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern", ["%d.%m.%Y %H:%M", "%Y%m%d%H%M%S", "[%d] %m\\%Y", "%H:%M %d-%m-%Y", "%Y/%m/%d %H:%M:%S.%f"]
)
@given(st.data())
def test_many_at_once_are_read_as_strptime_reads_each(pattern: str, data: st.DataObject) -> None:
    moments = data.draw(st.lists(st.datetimes(min_value=datetime(1000, 1, 1)), min_size=1, max_size=5))
    texts = [moment.strftime(pattern) for moment in moments]
    if data.draw(st.booleans()):
        first = texts[0]
        texts.append(data.draw(st.sampled_from([f"{first}9", first[:-1], first.replace("0", ""), f"99{first[2:]}"])))
    times = Times(Cadence.parse("1s"), "UTC", pattern)
    try:
        expected = [datetime.strptime(text, pattern) for text in texts]
    except ValueError:
        with pytest.raises(InputError):
            times.read(pa.array(texts), "t", str)
    else:
        assert times.read(pa.array(texts), "t", str).to_pylist() == expected
