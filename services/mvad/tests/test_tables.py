"""Aligning, cutting and filling, by hand-made tables."""

from pathlib import Path

import pandas as pd
import pytest

from anomscan_mvad import tables
from anomscan_mvad.errors import DataError
from anomscan_mvad.tables import Policy

DAYS = pd.date_range("2024-01-01", periods=5, tz="UTC")


def table(**columns: list[float | None]) -> pd.DataFrame:
    return pd.DataFrame({k: pd.Series(v, dtype="float64").to_numpy() for k, v in columns.items()}, index=DAYS)


GAPS = table(a=[1, 2, None, 4, 5], b=[None, 2, None, 4, None])


def test_align() -> None:
    assert list(tables.align(GAPS, Policy("Inner", "NotFill", 0)).index) == [DAYS[1], DAYS[3]]
    assert list(tables.align(GAPS, Policy("Outer", "Linear", 0)).index) == [DAYS[0], DAYS[1], DAYS[3], DAYS[4]]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("Linear", [2, 2, 3, 4, 4]),
        ("Previous", [2, 2, 2, 4, 4]),
        ("Subsequent", [2, 2, 4, 4, 4]),
        ("Zero", [0, 2, 0, 4, 0]),
        ("Fixed", [7, 2, 7, 4, 7]),
    ],
)
def test_fill(method: str, expected: list[float]) -> None:
    assert tables.fill(GAPS, Policy("Outer", method, 7.0 if method == "Fixed" else 0.0))["b"].tolist() == expected


def test_states_put_the_worst_first() -> None:
    first, second = tables.states(GAPS)
    assert (first["variable"], first["effectiveCount"], first["firstTimestamp"]) == ("b", 2, "2024-01-02T00:00:00Z")
    assert first["filledNARatio"] == pytest.approx(0.6)
    assert (second["variable"], second["filledNARatio"]) == ("a", pytest.approx(0.2))


def test_states_without_values_have_no_timestamps() -> None:
    empty = {"variable": "a", "filledNARatio": 1.0, "effectiveCount": 0}
    assert tables.states(table(a=[None] * 5)) == [empty]
    assert tables.states(table(a=[1, 2, 3, 4, 5]).iloc[:0]) == [{**empty, "filledNARatio": 0.0}]


def test_cut_takes_rows_before() -> None:
    part, before = tables.cut(GAPS, DAYS[2], DAYS[3], lookback=1)
    assert (list(part.index), before) == (list(DAYS[1:4]), 1)
    part, before = tables.cut(GAPS, DAYS[1], DAYS[4], lookback=9)
    assert (len(part), before) == (5, 1)


def test_nothing_to_fill_from() -> None:
    with pytest.raises(DataError, match="variable b has no value"):
        tables.fill(table(a=[1, 2, 3, 4, 5], b=[None] * 5), Policy("Outer", "Linear", 0))
    with pytest.raises(DataError, match="start time"):
        tables.fill(GAPS.iloc[:0], Policy("Outer", "Linear", 0))


def test_one_table(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("timestamp,b,a\n2024-01-02T01:00:00+01:00,1,\n2024-01-01T00:00:00Z,3,4\n")
    found = tables.read(path, "OneTable", 1000)
    assert list(found.columns) == ["a", "b"]
    assert [tables.stamp(moment) for moment in found.index] == ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"]
    assert found["b"].tolist() == [3, 1]
    path.write_text("timestamp,a,a\n2024-01-02T00:00:00Z,1,2\n")
    with pytest.raises(DataError, match="same name"):
        tables.read(path, "OneTable", 1000)
    path.write_text("timestamp\n2024-01-02T00:00:00Z\n")
    with pytest.raises(DataError) as caught:
        tables.read(path, "OneTable", 1000)
    assert caught.value.code == "NoVariablesFound"
    path.write_text("timestamp," + ",".join(f"v{i}" for i in range(301)) + "\n")
    with pytest.raises(DataError, match="301 variables; the limit is 300"):
        tables.read(path, "OneTable", 10_000)


def test_fractions_of_seconds() -> None:
    assert tables.stamp(pd.Timestamp("2024-01-01T00:00:00.250Z")) == "2024-01-01T00:00:00.25Z"
