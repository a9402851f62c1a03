"""Daily photovoltaic series as their owners published them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomscan.config import Columns
from anomscan.jobs.fetch.fetching import fetch_into
from anomscan.sources.base import Request, Source
from anomscan.store.store import Store

PV = Path(os.environ.get("ANOMSCAN_FIXTURES", Path(__file__).parents[2] / "../shared/fixtures")) / "pv"
NOW = np.datetime64("2022-01-01", "us")

pytestmark = pytest.mark.skipif(not PV.is_dir(), reason=f"no shared fixtures at {PV}; set ANOMSCAN_FIXTURES")


def test_one_file_of_one_asset_with_american_dates(tmp_path: Path, files: Callable[..., Source]) -> None:
    source = files(PV / "pvlib_data_shift.csv", columns=Columns(values=("value",)), timestamp_format="%m/%d/%Y")
    store = Store.create(tmp_path)
    report = fetch_into(store, source, Request(), now=NOW)
    assert (report.assets, report.new) == (1, 2190)
    assert len(report.warnings) == 1
    series = store.read("fleet", "pvlib_data_shift")
    assert [str(series.timestamps[row].astype("datetime64[D]")) for row in (0, -1)] == ["2015-01-01", "2020-12-31"]
    assert series.values[[0, -1], 0].tolist() == [9895.31433, 1635.206888]


def test_a_long_table_of_two_sites(tmp_path: Path, files: Callable[..., Source], parts: Any) -> None:
    columns = Columns(asset="randid", timestamp="day", values=("pr", "generated_kW"))
    store = Store.create(tmp_path)
    report = fetch_into(store, files(PV / "pvops_daily_pr_2_sites.csv", columns=columns), Request(), now=NOW)
    assert report.warnings == ()
    assert store.assets("fleet") == ["R10", "R15"]
    assert store.read("fleet", "R10").values[0].tolist() == [0.8372623761885154, 147928.0]
