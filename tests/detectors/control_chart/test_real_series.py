"""A series that nobody here made: the daily energy of a solar plant with a labelled shift."""

from __future__ import annotations

import csv
import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from anomscan.config import ControlChartSettings
from anomscan.detectors.control_chart.detector import ControlChart
from fleets import daily

SHIFT = Path(os.environ.get("ANOMSCAN_FIXTURES", "../shared/fixtures")) / "pv" / "pvlib_data_shift.csv"


@pytest.mark.skipif(not SHIFT.parent.is_dir(), reason="the recordings are not here")
def test_the_labelled_shift_is_found_within_two_weeks():
    with SHIFT.open() as file:
        rows = list(csv.DictReader(file))
    days = [datetime.strptime(row["timestamp"], "%m/%d/%Y") for row in rows]
    (label,) = (place for place, row in enumerate(rows) if row["label"] == "1")
    places = np.array([(day - days[0]).days for day in days])
    values = np.full(places[-1] + 1, np.nan)
    values[places] = [float(row["value"] or "nan") for row in rows]
    detector = ControlChart("chart", ControlChartSettings(kind="control-chart", view="own"))
    (found,) = detector.score([daily("plant", values)], 1)
    flagged = np.flatnonzero(found.score > 1)
    after = flagged[flagged >= places[label]]
    assert after[0] - places[label] <= 14
    assert not len(flagged[flagged < places[label]])
