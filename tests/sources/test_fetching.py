"""Fetching into the store: what is counted, what is left out, and that an error stores nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomscan.config import Columns
from anomscan.errors import AnomscanError, ConfigError, InputError, ServiceError
from anomscan.jobs.fetch.fetching import fetch_into
from anomscan.jobs.fetch.requests import request_of
from anomscan.sources.base import Request, Source
from anomscan.store.store import Store

Files = Callable[..., Source]
NOW = np.datetime64("2020-01-01T12:00", "us")
ONE = Columns(asset="a", timestamp="t", values=("v",))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def contents(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    if not store.sources():
        return {}
    return {
        asset: [
            (str(series.timestamps[row]), *series.values[row].tolist(), series.health(row))
            for row in range(len(series))
        ]
        for asset in store.assets("fleet")
        for series in [store.read("fleet", asset)]
    }


def test_every_kind_of_source_fills_the_store_alike(store: Store, source: Source, fleet: list[Any]) -> None:
    report = fetch_into(store, source, Request(), now=NOW)
    assert (report.assets, report.rows, report.new, report.revised, report.unchanged, report.current) == (
        8,
        9,
        9,
        0,
        0,
        0,
    )
    assert report.failures == ()
    assert report.warnings == ()
    expected: dict[str, list[tuple[Any, ...]]] = {}
    for asset, day, *values, health in sorted(fleet, key=lambda row: row[:2]):
        numbers = [np.nan if x is None else x for x in values]
        expected.setdefault(asset, []).append((f"{day}T00:00:00.000000", *numbers, health))
    assert repr(contents(store)) == repr(dict(sorted(expected.items())))

    again = fetch_into(store, source, Request(), now=NOW + np.timedelta64(1, "D"))
    assert (again.new, again.revised, again.unchanged) == (0, 0, 9)


def test_a_revised_value_is_counted(tmp_path: Path, store: Store, files: Files) -> None:
    source = files("t.csv", columns=ONE)
    (tmp_path / "t.csv").write_text("a,t,v\nx,2017-01-01,1\nx,2017-01-02,1\n")
    fetch_into(store, source, Request(), now=NOW)
    (tmp_path / "t.csv").write_text("a,t,v\nx,2017-01-01,1\nx,2017-01-02,2\nx,2017-01-03,3\n")
    report = fetch_into(store, source, Request(), now=NOW + np.timedelta64(1, "D"))
    assert (report.new, report.revised, report.unchanged) == (1, 1, 1)
    assert report.summary == "3 rows of 1 asset: 1 new, 1 revised, 1 unchanged, 0 rejected"


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("x,2017-01-03", "line 3"),
        ("x,2017-01-01,2\n", "contradicting"),
    ],
)
def test_an_error_leaves_the_store_as_it_was(tmp_path: Path, store: Store, files: Files, bad: str, told: str) -> None:
    source = files("t.csv", columns=ONE)
    (tmp_path / "t.csv").write_text("a,t,v\nx,2017-01-01,1\n" + bad)
    with pytest.raises(InputError, match=told):
        fetch_into(store, source, Request(), now=NOW)
    assert contents(store) == {}
    (tmp_path / "t.csv").write_text("a,t,v\nx,2017-01-01,1\n")
    fetch_into(store, source, Request(), now=NOW)
    before = contents(store)
    (tmp_path / "t.csv").write_text("a,t,v\nx,2017-01-02,1\nx,2017-01-02,1\n" + bad.replace("01-01,2", "01-02,2"))
    with pytest.raises(InputError):
        fetch_into(store, source, Request(), now=NOW)
    assert contents(store) == before


def test_a_bad_row_is_put_aside_and_counted_once(tmp_path: Path, store: Store, files: Files) -> None:
    source = files("t.csv", columns=ONE)
    rows = ["x,2017-01-01,1", "x,2017-01-02,abc", "x,yesterday,1", ",2017-01-03,1", "y,2017-01-03,2"]
    (tmp_path / "t.csv").write_text("\n".join(["a,t,v", *rows]) + "\n")
    first = fetch_into(store, source, Request(), now=NOW)
    assert (first.new, len(first.rejects), first.new_rejects) == (2, 3, 3)
    assert first.rejects_file is not None
    kept = first.rejects_file.read_text()
    for told in ("line 3, column 'v': 'abc' is not a number", "line 4, column 't': 'yesterday'", "line 5: no asset id"):
        assert told in kept
    # The file keeps its bad rows; one more is news.
    (tmp_path / "t.csv").write_text("\n".join(["a,t,v", "x,2017-01-04,1", *rows]) + "\n")
    second = fetch_into(store, source, Request(), now=NOW)
    assert (second.new, len(second.rejects), second.new_rejects) == (1, 3, 0)
    assert first.rejects_file.read_text() == kept
    (tmp_path / "t.csv").write_text("\n".join(["a,t,v", *rows, "y,2017-01-05,bad"]) + "\n")
    assert fetch_into(store, source, Request(), now=NOW).new_rejects == 1


def test_an_asset_without_a_good_row_does_not_stop_the_fleet(tmp_path: Path, store: Store, files: Files) -> None:
    days = [f"2017-01-{day:02d}" for day in range(1, 31)]
    rows = [f"bad,{day},broken" for day in days * 5]
    (tmp_path / "t.csv").write_text("\n".join(["a,t,v", *rows, *(f"good,{day},1" for day in days)]) + "\n")
    report = fetch_into(store, files("t.csv", columns=ONE), Request(), now=NOW)
    assert (report.new, len(report.rejects), store.assets("fleet")) == (30, 150, ["good"])


def test_a_table_of_which_no_row_is_good_is_refused(tmp_path: Path, store: Store, files: Files) -> None:
    for assets in (1, 100):
        rows = [f"a{number % assets},2017-01-01,broken" for number in range(300)]
        (tmp_path / "t.csv").write_text("\n".join(["a,t,v", *rows]) + "\n")
        with pytest.raises(InputError, match="line 2, column 'v': 'broken' is not a number"):
            fetch_into(store, files("t.csv", columns=ONE), Request(), now=NOW)


def test_an_unreachable_source_leaves_the_store_as_it_was(store: Store, sql: Callable[..., Source]) -> None:
    with pytest.raises(ServiceError):
        fetch_into(store, sql("none.db"), Request(), now=NOW)
    assert contents(store) == {}


class TestCurrentPeriod:
    @pytest.mark.parametrize(
        ("now", "zone", "left_out"),
        [
            ("2017-01-03T00:00", None, 0),
            ("2017-01-02T23:59", None, 1),
            ("2017-01-02T12:00", None, 1),
            ("2017-01-02T11:00", "Pacific/Auckland", 0),
            ("2017-01-02T10:59", "Pacific/Auckland", 1),
            ("2017-01-03T07:59", "America/Los_Angeles", 1),
            ("2017-01-03T08:00", "America/Los_Angeles", 0),
            ("2016-12-31T12:00", None, 2),
        ],
    )
    def test_days(self, tmp_path: Path, store: Store, files: Files, now: str, zone: str | None, left_out: int) -> None:
        (tmp_path / "t.csv").write_text("a,t,v\nx,2017-01-01,1\nx,2017-01-02,1\n")
        source = files("t.csv", columns=ONE, timezone=zone)
        report = fetch_into(store, source, Request(), now=np.datetime64(now, "us"))
        assert (report.rows, report.current, report.new) == (2, left_out, 2 - left_out)
        assert ("of the current period left out" in report.summary) == bool(left_out)

    def test_hours_end_when_they_end(self, tmp_path: Path, store: Store, files: Files) -> None:
        (tmp_path / "t.csv").write_text("a,t,v\nx,2017-01-01T02:00+01:00,1\nx,2017-01-01T03:00+01:00,1\n")
        source = files("t.csv", columns=ONE, cadence="1h", timezone="Europe/Paris")
        report = fetch_into(store, source, Request(), now=np.datetime64("2017-01-01T02:59", "us"))
        assert (report.new, report.current) == (1, 1)

    def test_it_can_be_included(self, tmp_path: Path, store: Store, files: Files) -> None:
        (tmp_path / "t.csv").write_text("a,t,v\nx,2017-01-02,1\n")
        now = np.datetime64("2017-01-02T12:00", "us")
        report = fetch_into(store, files("t.csv", columns=ONE), Request(), now=now, include_current=True)
        assert (report.new, report.current) == (1, 0)


def test_an_asset_nobody_knows_fails_and_the_others_are_stored(store: Store, source: Source) -> None:
    report = fetch_into(store, source, Request(assets=("7", "nobody")), now=NOW)
    assert report.new == 1
    assert [failure.asset for failure in report.failures] == ["nobody"]
    assert report.failures[0].error.exit_code == 4
    assert report.summary.endswith("1 asset failed")


def test_an_asset_that_is_stored_is_known(store: Store, source: Source) -> None:
    fetch_into(store, source, Request(), now=NOW)
    later = Request(assets=("7",), start=np.datetime64("2019-01-01", "us"))
    report = fetch_into(store, source, later, now=NOW)
    assert report.failures == ()
    assert report.warnings == ("source 'fleet' gave no rows for what was asked",)


def test_one_file_that_cannot_be_used_fails_its_asset_alone(tmp_path: Path, store: Store, files: Files) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_text("t,v\n2017-01-01,1\n2017-01-02,1")
    (tmp_path / "data" / "y.csv").write_text("t,v\n2017-01-01,1\n2017-01-02")
    source = files("data", columns=Columns(timestamp="t", values=("v",)))
    report = fetch_into(store, source, Request(assets=("x", "y")), now=NOW)
    assert list(contents(store)) == ["x"]
    assert [failure.asset for failure in report.failures] == ["y"]
    assert [warning.split(":")[0] for warning in report.warnings] == [
        f"{tmp_path / 'data' / 'x.csv'} does not end with a newline"
    ]


def test_progress_adds_up_to_the_rows(store: Store, source: Source) -> None:
    seen: list[int] = []
    assert fetch_into(store, source, Request(), now=NOW, on_rows=seen.append).rows == sum(seen) == 9


class TestRequestOf:
    def test_words(self) -> None:
        request = request_of(assets=["b", "a", "b"], start="2017-01-01", end="2017-01-02T06:00:00Z")
        assert request.assets == ("b", "a")
        assert request.start == np.datetime64("2017-01-01", "us")
        assert request.end == np.datetime64("2017-01-02T06:00", "us")
        assert request_of(assets=[]) == request_of() == Request()

    def test_days_end_now(self) -> None:
        now = np.datetime64("2017-01-10T23:00", "us")
        assert request_of(days=3, now=now).start == np.datetime64("2017-01-07", "us")
        assert request_of(days=3, now=now, timezone="Europe/Paris").start == np.datetime64("2017-01-07T23", "us")
        in_dates = request_of(days=3, now=now, timezone="Europe/Paris", dates=True)
        assert in_dates.start == np.datetime64("2017-01-08", "us")
        assert request_of(days=3, start="2017-01-09", now=now).start == np.datetime64("2017-01-09", "us")
        assert request_of(days=10**12, now=now).start < np.datetime64("1000-01-01")

    @pytest.mark.parametrize(
        "words",
        [{"start": "2017-01-02", "end": "2017-01-01"}, {"start": "soon"}, {"days": 3, "end": "2017-01-01"}],
    )
    def test_what_cannot_be(self, words: dict[str, Any]) -> None:
        with pytest.raises(ConfigError) as caught:
            request_of(**words, now=NOW)
        assert isinstance(caught.value, AnomscanError)


def test_blanks_are_trimmed_alike_in_every_column(tmp_path: Path, store: Store, files: Files) -> None:
    rows = ["A1, 2017-01-01, 1, Unknown", " A1,2017-01-02 ,2 ,Ok ", "A1 ,2017-01-03,3,  ", "\tA1\u00a0,2017-01-04,4,Ok"]
    (tmp_path / "t.csv").write_text("\n".join(["a,t,v,h", *rows]) + "\n", encoding="utf-8")
    report = fetch_into(
        store, files("t.csv", columns=Columns(**ONE.model_dump() | {"health": "h"})), Request(), now=NOW
    )
    assert (report.new, report.warnings, store.assets("fleet")) == (4, (), ["A1"])
    series = store.read("fleet", "A1")
    assert [series.health(row) for row in range(4)] == ["Unknown", "Ok", None, "Ok"]


def test_ids_that_are_alike_are_told_of_when_they_come(tmp_path: Path, store: Store, files: Files) -> None:
    (tmp_path / "t.csv").write_text("a,t,v\nINV1,2017-01-01,1\ninv1,2017-01-01,1\nINV 1,2017-01-01,1\nb,2017-01-01,1\n")
    source = files("t.csv", columns=ONE)
    (warning,) = fetch_into(store, source, Request(), now=NOW).warnings
    assert "'INV 1' and 'INV1' and 'inv1'" in warning
    assert fetch_into(store, source, Request(), now=NOW).warnings == ()


@pytest.mark.parametrize(("ahead_s", "warned"), [(3600, True), (80 * 365 * 86_400, True), (0, False)])
def test_a_clock_that_is_behind_an_earlier_fetch_is_told_at_each_fetch(
    tmp_path: Path, store: Store, files: Files, ahead_s: int, warned: bool
) -> None:
    source = files("t.csv", columns=ONE)
    later = NOW + np.timedelta64(ahead_s, "s")

    def told(value: int, now: np.datetime64) -> list[str]:
        (tmp_path / "t.csv").write_text(f"a,t,v\nx,2017-01-01,{value}\n")
        warnings = fetch_into(store, source, Request(), now=now).warnings
        assert store.read("fleet", "x").values.tolist() == [[value]]
        return [text for text in warnings if "the clock says" in text]

    assert told(1, later) == []
    for value in (1, 2, 3):
        texts = told(value, NOW)
        assert len(texts) == warned
        for text in texts:
            assert str(NOW.astype("datetime64[s]")) in text
            assert str(later.astype("datetime64[s]")) in text
            assert str(store.path) in text
    assert told(3, later) == []
    assert told(4, later + np.timedelta64(1, "D")) == []
