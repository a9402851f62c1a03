"""Files, databases and stores as DataFrames: by the guesses of the command line, and with its numbers."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import anomscan as an
from anomscan.cli.app import run
from api.test_api import telemetry
from guessing.exports import exports
from workbooks import write_xlsx

EXPORTS = {export.name: export for export in exports()}


def written(folder: Path, name: str) -> Path:
    path = folder / "telemetry.csv"
    path.write_bytes(EXPORTS[name].text.encode(EXPORTS[name].encoding))
    return path


def test_read_and_scanned_a_file_is_what_quick_makes_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    telemetry().to_csv("telemetry.csv", index=False)
    assert run(["quick", "telemetry.csv"]) == 0
    frame = an.read("telemetry.csv")
    assert list(frame.columns) == ["asset", "timestamp", "v0", "cohort"]
    assert frame["v0"].tolist() == telemetry().sort_values(["plant", "day"])["v0"].tolist()
    found = an.scan(frame, cohort="cohort")
    quick = tmp_path / "telemetry-anomscan" / "results.jsonl"
    assert found.path.read_text("utf-8") == quick.read_text("utf-8").replace('"chart"', '"control-chart"')
    pd.testing.assert_frame_equal(found.scores, pd.read_parquet(f"{quick}.scores.parquet"))
    pd.testing.assert_frame_equal(an.read("telemetry-anomscan/anomscan-data"), frame)


@pytest.mark.parametrize(
    ("name", "variables", "assets"),
    [
        ("German Excel", ["Ertrag [kWh/kWp]"], 6),
        ("sites across", ["value"], 6),
        ("tags of assets", ["power", "wind speed"], 4),
        ("the notebook's table", ["prt7", "health"], 6),
    ],
)
def test_whatever_the_layout_the_frame_is_long(tmp_path: Path, name: str, variables: list[str], assets: int) -> None:
    frame = an.read(written(tmp_path, name))
    assert list(frame.columns) == ["asset", "timestamp", *variables]
    assert frame["asset"].nunique() == assets
    assert not frame.duplicated(["asset", "timestamp"]).any()
    assert ("layout", EXPORTS[name].right["layout"]) in [row[:2] for row in frame.attrs["guessed"]]


def test_the_same_of_parquet_a_workbook_and_a_database(tmp_path: Path) -> None:
    data = telemetry().rename(columns={"v0": "ratio"})
    data.to_csv(tmp_path / "t.csv", index=False)
    frame = an.read(tmp_path / "t.csv")
    data.to_parquet(tmp_path / "t.parquet")
    cells = [[row.plant, row.day.date(), row.region, row.ratio] for row in data.itertuples()]
    write_xlsx(tmp_path / "t.xlsx", {"Data": [["plant", "day", "region", "ratio"], *cells]})
    with sqlite3.connect(tmp_path / "t.db") as database:
        data.assign(day=data["day"].dt.strftime("%Y-%m-%d")).to_sql("t", database, index=False)
    database.close()
    for place in ("t.parquet", "t.xlsx"):
        pd.testing.assert_frame_equal(an.read(tmp_path / place), frame)
    pd.testing.assert_frame_equal(an.read(f"sqlite:///{tmp_path / 't.db'}"), frame)


def test_what_is_not_clear_is_an_error_in_words_of_python(tmp_path: Path) -> None:
    path = written(tmp_path, "towns across")
    with pytest.raises(an.AnomscanError, match="long, wide") as error:
        an.read(path)
    assert "layout=" in str(error.value)
    assert "--" not in str(error.value)
    assert an.read(path, layout="wide")["asset"].nunique() == 5
    assert list(an.read(path, layout="long").columns[2:]) == ["Berlin", "Hamburg", "Munich", "Bonn", "Cologne"]
    assert list(an.read(path, layout="long", values="Bonn").columns[2:]) == ["Bonn"]


def test_rows_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, "the notebook's table")
    with path.open("a") as file:
        file.write("S001,2024-13-77,0.8,Ok\n")
    with pytest.warns(UserWarning, match="1 row rejected"):
        an.read(path)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "the notebook's table")
    with pytest.raises(an.AnomscanError, match="there is no file"):
        an.read(tmp_path / "nowhere.csv")
    with pytest.raises(an.AnomscanError, match="colour= is not known"):
        an.read(path, colour="red")  # type: ignore[call-arg]
    with pytest.raises(an.AnomscanError, match="is not a store"):
        an.read(path, source="fleet")


def test_missing_values_are_nan(tmp_path: Path) -> None:
    data = telemetry()
    data.loc[7, "v0"] = np.nan
    data.to_csv(tmp_path / "t.csv", index=False)
    frame = an.read(tmp_path / "t.csv")
    assert np.flatnonzero(frame["v0"].isna()).tolist() == [7]
    assert json.dumps(frame.attrs["guessed"])
