"""Samples of 1970, of 2100 and from before a long outage: told of, left out where that is asked for, and no failure."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomscan.config import Columns
from anomscan.jobs.fetch.fetch_report import FetchReport
from anomscan.jobs.fetch.fetching import fetch_into
from anomscan.jobs.fetch.requests import resumed
from anomscan.sources.base import Request, Source
from anomscan.store.block import Block
from anomscan.store.gaps import LongestGaps
from anomscan.store.roster import Roster
from anomscan.store.store import Store

Files = Callable[..., Source]
NOW = np.datetime64("2020-01-10T12:00", "us")
LATE = np.timedelta64(3, "D").astype("timedelta64[us]")
ONE = Columns(asset="a", timestamp="t", values=("v",))


class Place:
    """A file and the store that it is fetched into."""

    def __init__(self, folder: Path, files: Files, cadence: str = "1D") -> None:
        self.store = Store.create(folder / "store")
        self._path = folder / "t.csv"
        self._source = files("t.csv", columns=ONE, cadence=cadence, timezone="UTC")

    def fetch(self, samples: dict[str, list[Any]], now: np.datetime64 = NOW, **options: Any) -> FetchReport:
        lines = [f"{asset},{time},1" for asset, times in samples.items() for time in times]
        self._path.write_text("a,t,v\n" + "".join(f"{line}\n" for line in lines))
        request = resumed(Request(), self.store, "fleet", LATE)
        return fetch_into(self.store, self._source, request, now=now, late=LATE, **options)

    def times(self, asset: str) -> list[str]:
        return [str(time) for time in self.store.read("fleet", asset).timestamps.astype("datetime64[s]")]


@pytest.fixture
def place(tmp_path: Path, files: Files) -> Place:
    return Place(tmp_path, files)


def days(first: str, count: int) -> list[np.datetime64]:
    return [np.datetime64(first, "D") + np.timedelta64(day, "D") for day in range(count)]


def test_samples_of_1970_are_told_of(place: Place) -> None:
    recent = days("2019-11-01", 60)
    report = place.fetch({"x": ["1970-01-01", *recent], "y": recent, "z": ["1970-01-01", "1980-01-06", *recent]})
    old, gap = report.warnings
    assert old.startswith("3 samples of 2 assets (such as asset 'x', 1970-01-01) older than 1990 ")
    assert gap.startswith(
        "2 assets have a gap that is longer than the rest of the history: 'x' from 1970-01-01 to 2019-11"
    )
    assert 'earliest = "2010-01-01"' in old
    assert report.new == 183


def test_what_is_older_than_earliest_is_counted_and_named_and_no_failure(place: Place) -> None:
    samples = {"x": ["1970-01-01", *days("2019-12-01", 30)], "old": ["1980-01-06"]}
    earliest = np.datetime64("2010-01-01", "us")
    report = place.fetch(samples, earliest=earliest)
    assert "2 samples of 2 assets (such as asset 'x', 1970-01-01) before earliest left out" in report.summary
    assert (report.rows, report.new, report.rejects, report.failures, report.warnings) == (32, 30, (), (), ())
    assert place.store.assets("fleet") == ["x"]
    again = place.fetch(samples, NOW + np.timedelta64(1, "D"), earliest=earliest)
    assert (again.new, again.rejects, again.failures, again.warnings) == (0, (), (), ())
    kept = place.fetch({"y": ["2010-01-01", "2009-12-31"]}, earliest=earliest)
    assert (kept.new, place.times("y")) == (1, ["2010-01-01T00:00:00"])


def test_who_sets_earliest_has_old_data(place: Place) -> None:
    assert place.fetch({"x": days("1985-01-01", 40)}, earliest=np.datetime64("1980-01-01", "us")).warnings == ()


@pytest.mark.parametrize("include_current", [False, True])
def test_a_sample_of_the_future_is_told_of_and_does_not_end_the_fetching(place: Place, include_current: bool) -> None:
    samples = {"x": [*days("2020-01-01", 9), "2100-01-01"], "y": days("2020-01-01", 9)}
    for night in range(2):
        now = NOW + np.timedelta64(night, "D")
        samples["x"].append(str(now)[:10])
        report = place.fetch(samples, now, include_current=include_current)
        assert report.warnings == (
            "1 sample of 1 asset (such as asset 'x', 2100-01-01) more than a day ahead of the clock: left out",
        )
        assert report.current == (1 if include_current else 2)
        assert place.times("x")[-1][:10] == str(now - np.timedelta64(0 if include_current else 1, "D"))[:10]


def test_at_a_fine_cadence_a_clock_that_is_a_little_fast_is_no_news(tmp_path: Path, files: Files) -> None:
    place = Place(tmp_path, files, "15s")
    report = place.fetch({"x": ["2020-01-10T11:59:30", "2020-01-10T12:03:00", "2020-01-10T14:00:00"]})
    assert (report.new, report.current, report.warnings) == (1, 2, ())


def test_a_long_outage_is_told_of_when_it_ends_and_not_again(place: Place) -> None:
    place.fetch({"x": days("2017-01-01", 30), "y": days("2017-01-01", 30)}, np.datetime64("2017-02-01", "us"))
    report = place.fetch({"x": days("2020-01-01", 5), "y": []})
    assert [warning.split("(")[0].strip() for warning in report.warnings] == [
        "1 asset has a gap that is longer than the rest of the history: 'x' from 2017-01-30 to 2020-01-01"
    ]
    assert place.fetch({"x": days("2020-01-01", 6)}, NOW + np.timedelta64(1, "D")).warnings == ()
    # A history of four months, and one month more without samples, is nothing to speak of.
    usual = [*days("2019-06-01", 60), *days("2019-09-01", 60)]
    young = ["2019-12-20", "2020-01-03"]
    assert place.fetch({"z": usual, "young": young}, NOW + np.timedelta64(2, "D")).warnings == ()


@given(st.data())
@settings(max_examples=100)
def test_the_longest_gap_is_found_whether_samples_come_at_once_or_later(data: st.DataObject) -> None:
    """Against looking at all samples of an asset."""
    fleet = {}
    for asset in "abc":
        steps = st.one_of(st.integers(1, 3), st.integers(10, 200))
        fleet[asset] = np.cumsum(data.draw(st.lists(steps, min_size=1, max_size=40))) * 10
    split = data.draw(st.integers(0, 600))
    gaps, expected = LongestGaps(), {}
    for start, stop in ((0, split), (split, 10_000)):
        before = {asset: times[times < start] for asset, times in fleet.items()}
        fetched = {asset: times[(times >= start) & (times < stop)] for asset, times in fleet.items()}
        fetched = {asset: times for asset, times in fetched.items() if len(times)}
        samples = np.array([len(before[asset]) for asset in fetched], np.int64)
        last = np.array([before[asset].max(initial=0) for asset in fetched], np.int64)
        gaps.add(block(fetched), Roster(list(fetched), samples, last, last, last), 10)
        for asset in fetched:
            so_far = fleet[asset][fleet[asset] < stop]
            widths = [right - left for left, right in itertools.pairwise(so_far) if right >= start]
            if max(widths, default=0) // 10 - 1 > max(len(so_far), 16):
                expected[asset, stop] = max(widths)
    assert gaps.assets == len(expected)
    assert gaps.after - gaps.before == max(expected.values(), default=0)


def block(samples: dict[str, np.ndarray]) -> Block:
    counts = [len(times) for times in samples.values()]
    n = sum(counts)
    return Block(
        list(samples),
        np.repeat(np.arange(len(samples), dtype=np.int32), counts),
        np.concatenate([np.empty(0, np.int64), *samples.values()]).astype(np.int64),
        np.zeros((n, 1)),
        (),
        np.full(n, -1, np.int32),
        np.zeros(n, np.int64),
    )
