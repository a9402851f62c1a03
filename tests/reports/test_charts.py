import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from anomscan.incidents.incident import Incident
from anomscan.reports.chartdata import chart_data
from anomscan.reports.charts import asset_chart
from anomscan.reports.records import SCAN_SCHEMA, VERDICTS, Anomaly, Record
from anomscan.reports.scores import ScoreTable
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Series

DAY = np.timedelta64(1, "D")
START = np.datetime64("2017-01-01", "us")


def series(days: list[int], variables: tuple[str, ...] = ("prt7",), cadence: str = "1D") -> Series:
    step = Cadence.parse(cadence)
    values = np.array([[day + 100.0 * i for i in range(len(variables))] for day in days], dtype=float)
    return Series("a", step, variables, START + np.array(days) * step.step, values)


def scores(days: list[int], verdicts: list[str]) -> ScoreTable:
    n = len(days)
    return ScoreTable("a", START + np.array(days) * DAY, np.arange(n) + 1.0, np.full(n, 2.5), tuple(verdicts))


def record(**changes: object) -> Record:
    anomaly = Anomaly("2017-01-04", {"prt7": 3.0}, "<b>Bad</b>", 4.0, 2.5, 5.125, True, [("prt7", 3.0), ("<i>", 1.0)])
    fields = {
        "schema": SCAN_SCHEMA,
        "asset": "a",
        "detector": "rcf",
        "from_": "2017-01-01",
        "to": "2017-01-09",
        "spans": [("2017-01-03", "2017-01-04")],
        "anomalies": [anomaly],
        "verdicts": dict.fromkeys(VERDICTS, 0),
        "error": None,
    }
    return Record(**{**fields, **changes})


def incident(**changes: object) -> Incident:
    dropped = Incident(
        *(None, "dropped", "2017-01-03", "2017-01-04", "2017-01-05", False, 2, None),
        *({}, {}, {}, {}, (("<i>", 1.0),), None),
    )
    return replace(dropped, **changes)


def named(figure, name: str) -> list:
    return [trace for trace in figure.data if trace.name == name]


def test_a_line_breaks_where_samples_are_missing() -> None:
    data = chart_data(series([0, 1, 4]), None, record())
    np.testing.assert_array_equal(data.values["prt7"].y, [0, 1, np.nan, np.nan, 4])
    assert data.values["prt7"].x is None
    assert data.values["prt7"].step_ms == 86_400_000


def test_a_sparse_series_is_broken_without_filling_its_calendar() -> None:
    line = chart_data(series([0, 1, 1_000_000]), None, record()).values["prt7"]
    np.testing.assert_array_equal(line.y, [0, 1, np.nan, 1_000_000])
    assert line.x is not None
    assert (np.diff(line.x) >= 0).all()


def test_a_line_between_the_largest_floats_keeps_them() -> None:
    wide = series(list(range(50)))
    wide.values[:2, 0] = -1.7e308, 1.7e308
    np.testing.assert_array_equal(chart_data(wide, None, record()).values["prt7"].y, wide.values[:, 0])


@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_narrowing_a_line_changes_nothing_to_see(offset: float) -> None:
    wide = series(list(range(50)))
    wide.values[:, 0] = offset + np.sin(np.arange(50))
    line = chart_data(wide, None, record()).values["prt7"].y
    np.testing.assert_allclose(line.astype(float) - offset, np.sin(np.arange(50)), atol=2e-5)
    assert line.dtype == (np.float32 if offset == 0 else np.float64)


def test_runs_of_verdicts_join_over_consecutive_days_alone() -> None:
    table = scores([2, 3, 4, 6, 7], ["skipped", "skipped", "ok", "no-data", "no-data"])
    runs = chart_data(None, table, record()).runs
    assert {verdict: [(str(run.start)[:10], str(run.end)[:10]) for run in found]
            for verdict, found in runs.items()} == {
        "warming-up": [("2017-01-01", "2017-01-02")],
        "skipped": [("2017-01-03", "2017-01-04")],
        "no-data": [("2017-01-07", "2017-01-08")],
    }  # fmt: skip


def test_a_run_without_data_reaches_through_a_long_gap_of_which_the_file_lists_the_beginning() -> None:
    table = scores([2, 3, 4, 900], ["ok", "no-data", "no-data", "ok"])
    runs = chart_data(None, table, record(verdicts={"warming-up": 2, "ok": 2, "no-data": 896})).runs
    assert [(str(run.start)[:10], str(run.end)[:10]) for run in runs["no-data"]] == [("2017-01-04", "2019-06-19")]
    runs = chart_data(None, scores([900], ["ok"]), record(verdicts={"ok": 1, "no-data": 900})).runs
    assert [str(run.start)[:10] for run in runs["no-data"]] == ["2017-01-01"]


def test_the_chart_has_a_panel_a_variable_and_one_time_axis() -> None:
    figure = asset_chart(series([0, 1, 2, 3], ("u", "v")), scores([1, 2, 3], ["ok", "ok", "anomalous"]), record())
    assert {trace.yaxis for trace in figure.data} >= {"y", "y2", "y3"}
    assert {trace.xaxis or "x" for trace in figure.data} == {"x"}
    assert [note.text for note in figure.layout.annotations] == ["<b>u</b>", "<b>v</b>", "<b>score and cut-off</b>"]
    domains = [figure.layout[axis].domain for axis in ("yaxis3", "yaxis2", "yaxis")]
    assert all(below[1] < above[0] for below, above in itertools.pairwise(domains))


def test_a_span_is_shaded_with_both_its_ends() -> None:
    (shape,) = asset_chart(series([0, 1]), None, record()).layout.shapes
    assert (shape.x0, shape.x1) == ("2017-01-02T12:00:00.000000", "2017-01-04T12:00:00.000000")


def test_an_anomaly_tells_on_hover_what_is_known_without_markup_of_its_own() -> None:
    figure = asset_chart(series([0, 1]), None, record())
    (text,) = next(trace.text for trace in named(figure, "anomalous") if trace.text is not None)
    for part in ("&lt;b&gt;Bad&lt;/b&gt;", "5.12 sigma", "score 4", "prt7 contributes 75%", "&lt;i&gt;", "training"):
        assert part in text


def test_without_series_and_scores_the_anomalies_still_stand() -> None:
    figure = asset_chart(None, None, record())
    marks = named(figure, "anomalous")
    assert [list(trace.y) for trace in marks] == [[3.0], [4.0]]
    assert [list(trace.y) for trace in named(figure, "cut-off")] == [[2.5]]
    assert not named(figure, "score")


def test_what_was_expected_lies_under_the_values_of_its_variable() -> None:
    table = scores([1, 2, 3], ["ok"] * 3)
    levels = {"expected_v": 2.0, "low_v": 1.0, "high_v": 3.0, "median_v": 2.5, "test": 1.0, "expected_u": np.nan}
    table = replace(table, columns={name: np.full(3, level) for name, level in levels.items()})
    figure = asset_chart(series([0, 1, 2, 3], ("u", "v")), table, record())
    under = [(trace.name, trace.y[0]) for trace in figure.data if trace.yaxis == "y2" and trace.mode == "lines"]
    assert under == [("band", 1.0), ("band", 3.0), ("cohort median", 2.5), ("expected", 2.0), ("v", 100.0)]
    low, high = named(figure, "band")
    assert (low.fill, high.fill) == (None, "tonexty")
    assert sorted(trace.name for trace in figure.data if trace.showlegend and trace.yaxis == "y2") == [
        "band",
        "cohort median",
        "expected",
    ]


def test_incidents_are_marked_where_they_began_and_ended() -> None:
    found = [incident(), incident(since="2016-12-20", last="2017-01-09", open=True)]
    figure = asset_chart(series([0, 1, 2, 3]), None, record(incidents=found))
    (since,), (last,) = named(figure, "since"), named(figure, "last")
    assert list(since.x) == ["2017-01-03", "2016-12-20"]
    assert list(last.x) == ["2017-01-05", "2017-01-09"]
    assert list(last.text) == ["over", "still so"]
    assert since.text[0].startswith("dropped: ")
    assert "<i>" not in "".join(since.text)
    lines = [(shape.x0[:10], shape.line.dash) for shape in figure.layout.shapes if shape.type == "line"]
    assert lines == [("2017-01-03", "solid"), ("2017-01-05", "dot"), ("2016-12-20", "solid"), ("2017-01-09", "dot")]
    assert figure.layout.xaxis.range[0] < "2016-12-20"
    many = asset_chart(None, None, record(incidents=[incident()] * 61))
    assert not [shape for shape in many.layout.shapes if shape.type == "line"]


def test_the_score_panel_shows_when_the_cut_off_was_inflated() -> None:
    table = replace(scores([1, 2, 3, 4], ["ok"] * 4), cutoff=np.array([1.0, 2.5, 2.5, 1.5]))
    figure = asset_chart(series([0, 1]), table, record())
    (shape,) = (shape for shape in figure.layout.shapes if shape.yref == "y2 domain")
    assert (shape.x0[:13], shape.x1[:13]) == ("2017-01-02T12", "2017-01-04T12")
    assert len(named(figure, "hardly watched")) == 1
    assert not named(asset_chart(series([0, 1]), scores([1, 2], ["ok"] * 2), record()), "hardly watched")


def test_a_series_of_nan_draws() -> None:
    nothing = series([0, 1])
    nothing.values[:] = np.nan
    assert "NaN" not in asset_chart(nothing, None, record()).to_json()


def test_three_years_of_ten_minutes_stay_a_small_page() -> None:
    days = np.arange(157_824)
    long = Series("a", Cadence.parse("10min"), ("u", "v"), START + days * np.timedelta64(10, "m"),
                  np.random.default_rng(0).normal(size=(len(days), 2)))  # fmt: skip
    text = asset_chart(long, None, record()).to_json()
    assert len(text) < 2_500_000
    assert json.loads(text)["data"][0]["dx"] == 600_000
