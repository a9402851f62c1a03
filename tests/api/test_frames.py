"""What tables scan takes: long and wide, of pandas, polars and Arrow; what is not clear is asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import anomscan as an
from anomscan.cli.app import run
from anomscan.errors import InputError
from api.test_api import telemetry


@pytest.fixture(scope="module")
def wide() -> pd.DataFrame:
    """A row a day, a column a plant."""
    return telemetry().pivot(index="day", columns="plant", values="v0")


def test_wide_frames_give_the_numbers_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wide: pd.DataFrame
) -> None:
    monkeypatch.chdir(tmp_path)
    wide.to_csv("telemetry.csv")
    assert run(["quick", "telemetry.csv", "--layout", "wide"]) == 0
    found = an.scan(wide, layout="wide")
    quick = Path("telemetry-anomscan/results.jsonl").read_text("utf-8")
    assert found.path.read_text("utf-8") == quick.replace('"chart"', '"control-chart"')


def test_a_wide_frame_may_have_cohorts_and_other_places_for_its_times(wide: pd.DataFrame) -> None:
    data = telemetry().rename(columns={"v0": "value"})
    right = an.scan(data, asset="plant", timestamp="day", cohort="region")
    regions = data.drop_duplicates("plant").set_index("plant")["region"]
    for frame, options in (
        (wide, {"cohort": regions}),
        (wide.reset_index(), {"cohort": regions.to_dict(), "timestamp": "day"}),
        (pl.from_pandas(wide.reset_index()), {"cohort": regions, "timestamp": "day"}),
    ):
        found = an.scan(frame, layout="wide", **options)
        assert found.path.read_bytes() == right.path.read_bytes()


def test_polars_and_indexes() -> None:
    data = telemetry()
    right = an.detect(data, asset="plant", timestamp="day", cohort="region")
    indexes: list[Any] = [data.set_index(["plant", "day"]), data.set_index("plant"), data.set_index("day")]
    for frame in (pl.from_pandas(data), *indexes):
        found = an.detect(frame, asset="plant", timestamp="day", cohort="region")
        assert found.path.read_bytes() == right.path.read_bytes()
    found = an.detect(data.set_index("day"), asset="plant", cohort="region")
    assert found.path.read_bytes() == right.path.read_bytes()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "layout='wide' where each asset has a column"),
        ({"layout": "broad"}, "layout 'broad' is not known"),
        ({"layout": "wide", "health": "p1"}, "it also has 'p1'"),
        ({"layout": "wide", "timestamp": "when"}, "no column 'when'"),
    ],
)
def test_what_a_wide_frame_is_must_be_said(wide: pd.DataFrame, options: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        an.scan(wide, **options)


def test_a_wide_frame_with_text_is_no_guess(wide: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="it also has 'p2'"):
        an.scan(wide.assign(p2="n/a"), layout="wide")
    assert len(an.scan(wide.assign(p2="n/a"), layout="wide", values=["p1", "p3", "p4", "p5"]).records) == 5


def test_frames_that_are_no_tables_are_named(wide: pd.DataFrame) -> None:
    levels = telemetry(2).pivot(index="day", columns="plant", values=["v0", "v1"])
    data = telemetry()
    for frame, match in (
        (data["v0"], "Series is not a table"),
        (data.iloc[:0], "the table has no rows"),
        (data.assign(day=data["day"].dt.to_period("D")), "column 'day' holds no times"),
        (
            pl.from_pandas(data).with_columns(pl.concat_list("v0").alias("plant")),
            "column 'plant' holds .*, which is not text",
        ),
    ):
        with pytest.raises(InputError, match=match):
            an.scan(frame, asset="plant", timestamp="day")
    with pytest.raises(InputError, match="several levels"):
        an.scan(levels, layout="wide")
    with pytest.raises(InputError, match="cannot be read"):
        an.scan(pd.concat([wide, wide], axis=1), layout="wide")
    twice = telemetry()
    twice.loc[0, "region"] = "west"
    with pytest.raises(InputError, match="in two cohorts"):
        an.scan(twice, asset="plant", timestamp="day", cohort="region")


def test_columns_of_text_are_told() -> None:
    found = an.scan(telemetry(), asset="plant", timestamp="day")
    assert found.warnings == ("not watched, as they are not of numbers: region",)


def test_a_forest_trained_apart_scans_as_one_trained_in_the_scan() -> None:
    data = telemetry()
    options: dict[str, Any] = {"asset": "plant", "timestamp": "day", "cohort": "region"}
    forest = an.train(data, through="2022-12-31", trees=60, max_std=0.2, **options)
    assert (forest.trees, forest.facts["trained_through"]) == (60, "2022-12-31T00:00:00Z")
    within = an.scan(data, detector="rcf", trees=60, max_std=0.2, through="2022-12-31", window=200, **options)
    apart = an.scan(data, detector="rcf", model=forest, window=200, **options)
    pd.testing.assert_frame_equal(apart.scores, within.scores)
    assert apart.path.read_bytes() == within.path.read_bytes()


def test_a_forest_in_a_file_is_a_model(tmp_path: Path) -> None:
    data = telemetry().query("plant == 'p3'")[["day", "v0"]]
    options: dict[str, Any] = {"asset": None, "timestamp": "day"}
    forest = an.train(data, trees=30, **options)
    forest.save(tmp_path / "m.forest")
    scores = [an.detect(data, detector="rcf", model=each, **options).scores for each in (forest, tmp_path / "m.forest")]
    pd.testing.assert_frame_equal(*scores)
    assert an.Forest.load(tmp_path / "m.forest").trees == 30
    for wrong in ({"detector": "nearest", "model": forest}, {"detector": "rcf", "model": forest, "through": "2022"}):
        with pytest.raises(an.AnomscanError, match="model"):
            an.scan(data, **options, **wrong)


_SNIPPET = """
import pandas as pd
import anomscan as an

df: pd.DataFrame = an.read("telemetry.csv", layout="wide", values=["a", "b"])
forest: an.Forest = an.train(df, through="2023-12-31", trees=100)
result: an.Result = an.scan(df, detector="rcf", model=forest, cutoff="rank")
again: an.Result = an.detect(df, layout="wide", cohort={"a": "north"}, sigma=5)
incidents: pd.DataFrame = result.incidents
scores: "pd.Series[float]" = an.score(df, detector="nearest", train_rows=10)
"""


def test_a_users_code_is_checked_by_its_types(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    (tmp_path / "user.py").write_text(_SNIPPET + "an.detect(df, layout='broad')\nan.read('x', colour='red')\n")
    command = [sys.executable, "-m", "mypy", "--strict", str(tmp_path / "user.py")]
    checked = subprocess.run(command, cwd=root, capture_output=True, text=True)
    lines = len(_SNIPPET.splitlines())
    places = [
        line.partition("user.py:")[2].partition(":")[0] for line in checked.stdout.splitlines() if "error" in line
    ]
    assert places[:2] == [str(lines + 1), str(lines + 2)], checked.stdout
    assert "Found 2 errors" in checked.stdout
