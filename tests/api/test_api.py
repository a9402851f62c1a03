"""Python's way in: the same findings as the command line's, from DataFrames."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import anomscan as an
from anomscan.errors import ConfigError, InputError

DAYS = 500


def telemetry(variables: int = 1) -> pd.DataFrame:
    """Eight plants of two regions; plant p3 loses a tenth from day 400 on."""
    random = np.random.default_rng(5)
    days = pd.date_range("2022-01-01", periods=DAYS, freq="D")
    weather = {region: random.normal(0, 0.05, DAYS) for region in ("north", "south")}
    frames = []
    for place in range(8):
        region = "north" if place < 4 else "south"
        columns = {f"v{k}": np.round(0.8 + weather[region] + random.normal(0, 0.01, DAYS), 6) for k in range(variables)}
        if place == 3:
            columns["v0"][400:] *= 0.9
        frames.append(pd.DataFrame({"plant": f"p{place}", "day": days, "region": region, **columns}))
    return pd.concat(frames, ignore_index=True)


def by_command(folder: Path, data: pd.DataFrame, kind: str, scan: str = "") -> list[str]:
    """What the command line says of the same table."""
    data.to_csv(folder / "t.csv", index=False)
    data[["plant", "region"]].drop_duplicates().to_csv(folder / "a.csv", index=False)
    values = json.dumps([name for name in data.columns if name.startswith("v")])
    (folder / "anomscan.toml").write_text(
        f"""
[defaults]
detector = "{kind}"
[sources.fleet]
kind = "files"
path = "t.csv"
cadence = "1D"
columns = {{ asset = "plant", timestamp = "day", values = {values} }}
[assets]
path = "a.csv"
columns = {{ asset = "plant", cohort = "region" }}
[detectors.{kind}]
kind = "{kind}"
{'model = "m.forest"' if kind == "rcf" else ""}
[scan]
{scan}
""",
        "utf-8",
    )
    trained = [["train"]] if kind == "rcf" else []
    for command in (["fetch"], *trained, ["scan", "--all", "-o", "r.jsonl"]):
        done = subprocess.run([sys.executable, "-m", "anomscan", *command], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return (folder / "r.jsonl").read_text("utf-8").splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "variables", "settings"),
    [
        ("control-chart", 1, {}),
        ("control-chart", 2, {}),
        ("nearest", 2, {"cutoff": "rank"}),
        ("rcf", 1, {"window": 200}),
    ],
)
def test_the_same_to_the_bit_as_the_command_line(
    tmp_path: Path, kind: str, variables: int, settings: dict[str, Any]
) -> None:
    data = telemetry(variables)
    result = an.scan(data, detector=kind, asset="plant", timestamp="day", cohort="region", **settings)
    scan = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    assert result.path.read_text("utf-8").splitlines() == by_command(tmp_path, data, kind, scan)
    pd.testing.assert_frame_equal(result.scores, pd.read_parquet(tmp_path / "r.jsonl.scores.parquet"))


@pytest.fixture(scope="module")
def found() -> an.Result:
    return an.scan(telemetry(), asset="plant", timestamp="day", cohort="region")


def test_incidents_are_a_table(found: an.Result) -> None:
    first = found.incidents.iloc[0]
    assert (first["asset"], first["kind"], bool(first["open"])) == ("p3", "dropped", True)
    assert abs((first["since"] - pd.Timestamp("2023-02-05")).days) <= 1
    assert first["deviation"] == pytest.approx(-0.1, abs=0.02)


def test_anomalies_and_scores_are_tables(found: an.Result) -> None:
    assert len(found.anomalies) == (found.scores["verdict"] == "anomalous").sum() > 50
    assert {"asset", "timestamp", "score", "cutoff", "v0"} <= set(found.anomalies.columns)
    assert found.scores["timestamp"].is_monotonic_increasing is False


def test_an_asset_is_a_figure_and_a_run_a_report(found: an.Result, tmp_path: Path) -> None:
    figure = found.plot("p3")
    assert {"v0", "expected", "score", "cut-off"} <= {trace.name for trace in figure.data}
    page = found.report(tmp_path / "fleet.html")
    assert page.stat().st_size > 10_000
    with pytest.raises(an.AnomscanError, match="nowhere"):
        found.plot("nowhere")
    with pytest.raises(an.AnomscanError, match="name the one to draw"):
        found.plot()


def test_spans_are_those_of_the_records(found: an.Result) -> None:
    told = [(record.asset, *span) for record in found.records for span in record.spans]
    assert [tuple(map(str, row)) for row in found.spans.astype(str).to_numpy()] == told != []


def test_a_result_shows_itself_and_escapes_ids() -> None:
    data = telemetry().replace({"plant": {"p3": "<b>p3"}})
    shown = an.scan(data, asset="plant", timestamp="day", cohort="region")._repr_html_()
    assert "&lt;b&gt;p3" in shown
    assert "<b>p3" not in shown


def test_a_result_of_one_asset_says_so() -> None:
    data = telemetry()
    one = an.scan(data[data["plant"] == "p3"], asset="plant", timestamp="day")
    assert repr(one).startswith("<anomscan Result: 1 asset, ")


def test_tables_of_arrow_and_an_index_of_times(found: an.Result) -> None:
    data = telemetry()
    arrow = an.scan(pa.Table.from_pandas(data), asset="plant", timestamp="day", cohort="region")
    index = an.scan(data.set_index("day"), asset="plant", timestamp=None, cohort="region")
    pd.testing.assert_frame_equal(arrow.scores, found.scores)
    pd.testing.assert_frame_equal(index.scores, found.scores)


def test_rows_of_one_asset() -> None:
    data = telemetry().query("plant == 'p3'")[["day", "v0"]]
    result = an.detect(data, detector="nearest", asset=None, timestamp="day", cutoff="median-mad")
    assert result.scores["asset"].unique().tolist() == ["asset"]


def test_a_detector_that_looks_ahead_is_for_detect() -> None:
    data = telemetry()
    day = pd.Timestamp("2022-07-01")
    data.loc[(data["plant"] == "p5") & (data["day"] == day), "v0"] = 0.0
    result = an.detect(data, detector="profile", asset="plant", timestamp="day", windows=[5])
    first = result.anomalies.loc[result.anomalies["score"].idxmax()]
    assert first["asset"] == "p5"
    assert abs(first["timestamp"].tz_localize(None) - day) <= pd.Timedelta(days=4)
    with pytest.raises(ConfigError, match="looks at what came later"):
        an.scan(data, detector="profile", asset="plant", timestamp="day")
    causal = an.scan(data, detector="profile", asset="plant", timestamp="day", causal=True)
    assert (causal.scores["verdict"] == "ok").any()


def test_what_cannot_be_used_is_named() -> None:
    data = telemetry()
    for error, match, options in [
        (InputError, "no column 'nope'", {"asset": "nope"}),
        (ConfigError, "detector 'mvad' is not known here", {"detector": "mvad"}),
        (ConfigError, "sigmaa", {"sigmaa": 3}),
    ]:
        with pytest.raises(error, match=match):
            an.scan(data, **{"asset": "plant", "timestamp": "day", **options})
    with pytest.raises(InputError, match="is not a table"):
        an.scan([1, 2, 3])
    with pytest.raises(InputError, match="no asset has two samples"):
        an.scan(data.head(1), asset="plant", timestamp="day")


def test_nothing_is_left_behind() -> None:
    result = an.scan(telemetry().head(DAYS), asset="plant", timestamp="day")
    folder = result.path.parent
    assert folder.is_dir()
    del result
    assert not folder.exists()


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, anomscan; assert not {'numpy', 'pandas', 'pyarrow', 'plotly'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    with pytest.raises(AttributeError, match="nothing"):
        _ = an.nothing  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/how-to/python.md"])
def test_what_the_pages_show_runs(tmp_path: Path, page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text("utf-8")
    telemetry().rename(columns={"v0": "ratio"}).to_csv(tmp_path / "telemetry.csv", index=False)
    block = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    code = f"import pandas; df = pandas.read_csv('telemetry.csv')\n{block}\nassert len(result.incidents) > 0\n"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "fleet.html").is_file() or page == "README.md"
