import numpy as np
import pytest

from anomscan.reports.chartdata import chart_data
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
