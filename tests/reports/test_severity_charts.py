"""What changes in a report where the detector gives a severity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anomscan.reports.charts import asset_chart
from anomscan.reports.records import DETECT_SCHEMA, SCAN_SCHEMA, VERDICTS, Anomaly, Record
from anomscan.reports.scores import ScoreTable
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Series

NAN = float("nan")
NAMES = ("temperature", "humidity", "prediction")


def parts(schema: str) -> tuple[Series, ScoreTable, Record]:
    n = 20
    cadence = Cadence.parse("10min")
    timestamps = np.datetime64("2026-01-01", "us") + np.arange(n) * cadence.step
    values = np.arange(3.0 * n).reshape(n, 3)
    series = Series("pump", cadence, NAMES, timestamps, values)
    severity = np.where(np.arange(n) == 12, 0.9, 0.0)
    table = ScoreTable("pump", timestamps, severity * 1.7, np.full(n, NAN), ("ok",) * n, {"severity": severity})

    def anomaly(row: int, *ranked: str) -> Anomaly:
        shares = [(name, 1 / (1 + rank)) for rank, name in enumerate(ranked)]
        at = cadence.text(timestamps[row])
        return Anomaly(at, dict(zip(NAMES, values[row], strict=True)), None, 1.5, NAN, None, False, shares)

    found = [anomaly(12, "humidity", "prediction", "temperature"), anomaly(15, "prediction")]
    ends = (cadence.text(timestamps[0]), cadence.text(timestamps[-1]))
    counts = dict.fromkeys(VERDICTS, 0)
    return series, table, Record(schema, "pump", "azure", *ends, [], found, counts, None)


def test_detect_has_three_rows_with_the_contributors_in_three_greys():
    figure = asset_chart(*parts(DETECT_SCHEMA))
    axes = {trace.name: trace.yaxis for trace in figure.data}
    assert [axes[name] for name in (*NAMES, "score", "severity")] == ["y", "y", "y", "y2", "y3"]
    assert [note.text for note in figure.layout.annotations] == ["<b>values</b>", "<b>score</b>", "<b>severity</b>"]
    assert all(figure.layout[f"yaxis{n}"].anchor in (None, "x") for n in ("", 2, 3))
    marks = [trace for trace in figure.data if "contributor" in (trace.name or "")]
    assert [(trace.name, list(trace.y)) for trace in marks] == [
        ("top 1 contributor", [37.0, 47.0]),
        ("top 2 contributor", [38.0]),
        ("top 3 contributor", [36.0]),
    ]
    greys = [trace.marker.color for trace in marks]
    assert len(set(greys)) == 3
    assert all(grey[1:3] == grey[3:5] == grey[5:7] for grey in greys)
    assert not [trace for trace in figure.data if trace.name == "cut-off"]


def test_scan_keeps_its_panels_and_adds_one():
    series, table, record = parts(SCAN_SCHEMA)
    figure = asset_chart(series, replace(table, cutoff=np.full(20, 1.0)), record)
    texts = [note.text for note in figure.layout.annotations]
    assert texts == [*(f"<b>{name}</b>" for name in NAMES), "<b>score and cut-off</b>", "<b>severity</b>"]


@pytest.mark.parametrize("schema", [SCAN_SCHEMA, DETECT_SCHEMA])
def test_without_scores_or_series_there_is_a_chart_still(schema):
    series, table, record = parts(schema)
    for figure in (
        asset_chart(series, None, record),
        asset_chart(None, table, record),
        asset_chart(None, None, record),
    ):
        assert "nan" not in str([trace.text for trace in figure.data])
