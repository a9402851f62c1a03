"""``anomscan store export``: the store's samples as a file, latest or as of an earlier day."""

from __future__ import annotations

import csv

import pyarrow.parquet as pq
import pytest

from cli.conftest import DAY, START


@pytest.fixture
def stored(place):
    """Two assets, one of them with a hostile name and a missing value."""
    rows = [[asset, START + t * DAY, 0.5 + t / 8, "Ok"] for asset in ("=1+1", "b") for t in range(10)]
    rows[3][2] = ""
    place.telemetry(rows)
    place.good("fetch")
    return place


def rows_of(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return sorted(csv.DictReader(file), key=lambda row: (row["asset"], row["timestamp"]))


def test_csv_has_every_sample_and_no_formula(stored):
    _, _, err = stored("store", "export", "-o", "all.csv")
    rows = rows_of(stored.folder / "all.csv")
    assert "20 samples of 2 assets exported" in err
    assert list(rows[0]) == ["asset", "timestamp", "prt7", "health"]
    assert {row["asset"] for row in rows} == {"'=1+1", "b"}
    assert [row["prt7"] for row in rows[:5]] == ["0.5", "0.625", "0.75", "", "1.0"]
    assert (rows[0]["timestamp"], rows[0]["health"]) == (str(START), "Ok")


def test_parquet_has_ids_as_they_are(stored):
    stored.good("store", "export", "-o", "one.parquet", "--asset", "=1+1")
    table = pq.read_table(stored.folder / "one.parquet")
    assert table.column_names == ["asset", "timestamp", "prt7", "health"]
    assert table["asset"].unique().to_pylist() == ["=1+1"]
    assert table["prt7"].null_count == 1
    assert table["timestamp"].to_pylist()[0].date() == START


def test_as_of_a_day_before_the_fetch_there_is_nothing(stored):
    _, _, err = stored("store", "export", "-o", "none.csv", "--as-of", "2016-01-01")
    assert "0 samples of 0 assets exported" in err
    assert rows_of(stored.folder / "none.csv") == []


def test_an_unknown_asset_and_a_file_that_is_read_are_told(stored):
    code, _, err = stored("store", "export", "-o", "some.csv", "--asset", "x", "--asset", "b")
    assert (code, "asset 'x' is not in the store" in err) == (4, True)
    assert len(rows_of(stored.folder / "some.csv")) == 10
    before = (stored.folder / "telemetry.csv").read_bytes()
    assert stored("store", "export", "-o", "telemetry.csv")[0] == 2
    assert (stored.folder / "telemetry.csv").read_bytes() == before


def test_standard_output_is_not_taken_for_a_file_of_that_name(stored):
    code, _, err = stored("store", "export", "-o", "-")
    assert (code, "not to standard output" in err, (stored.folder / "-").exists()) == (2, True, False)
