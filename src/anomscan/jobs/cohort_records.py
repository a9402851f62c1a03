"""What is wrong with a cohort as a whole: its median is a series that is judged by its own past."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from anomscan.backtest.asset import AssetScan
from anomscan.backtest.failures import Failure
from anomscan.backtest.fleet import Backtest
from anomscan.config import ControlChartSettings, ScanSettings
from anomscan.detectors.control_chart.detector import ControlChart
from anomscan.incidents.explained import Explained, explained
from anomscan.incidents.joining import Joining
from anomscan.jobs.job import rules_of
from anomscan.telemetry.cohorts import Cohorts
from anomscan.telemetry.names import PREFIX
from anomscan.telemetry.rows import Layout


def cohort_results(
    backtest: Backtest,
    joining: Joining,
    cohorts: Cohorts,
    layout: Layout,
    scan: ScanSettings,
    chosen: object,
    assets: Collection[str] | None,
) -> list[Explained]:
    """The results of the cohorts, or of those of some assets.

    Parameters
    ----------
    backtest
        Of the assets: the days reported are the same.
    chosen
        The detector's settings; where they are those of control charts, the cohorts are charted by them, too.
    """
    config = chosen if isinstance(chosen, ControlChartSettings) else ControlChartSettings(kind="control-chart")
    own_view = config.model_copy(update={"view": "own"})
    chart = ControlChart(backtest.detector.name, own_view, None, scan.skip_health, backtest.baseline)
    wanted = (
        None if assets is None else {PREFIX + name for each in assets if (name := cohorts.cohort(each)) is not None}
    )
    series = [
        each for each in cohorts.series(layout.cadence, layout.variables) if wanted is None or each.asset in wanted
    ]
    rules = rules_of(scan, layout.cadence, chart.capabilities)
    own = replace(backtest, detector=chart, rules=rules, min_severity=None)
    results = [_with_columns(each, backtest.detector.capabilities.columns) for each in own.scan(series)]
    return explained(own, results, replace(joining, shingle=rules.shingle))


def _with_columns(result: AssetScan | Failure, names: Sequence[str]) -> AssetScan | Failure:
    """A result with the columns of the run, which may lack some that another detector would give."""
    if isinstance(result, Failure):
        return result
    none = np.full(len(result.score), np.nan)
    return replace(result, columns={name: result.columns.get(name, none) for name in names})
