"""The results of a scan with what was expected and what is wrong with each asset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomscan.backtest.asset import AssetScan, Stretch
from anomscan.backtest.failures import Failure, surviving
from anomscan.backtest.fleet import Backtest
from anomscan.backtest.verdicts import Verdict
from anomscan.explain.expected import Expected, expected
from anomscan.incidents.incident import Incident
from anomscan.incidents.joining import Joining, incidents_of, with_common
from anomscan.telemetry.baseline import NORMAL, UNTOLD, Baseline
from anomscan.telemetry.cohorts import Cohorts
from anomscan.telemetry.names import PREFIX
from anomscan.telemetry.series import Series

_NOT_NORMAL = (int(Verdict.ANOMALOUS), int(Verdict.SKIPPED))


@dataclass(frozen=True, slots=True)
class Explained:
    """One asset.

    Parameters
    ----------
    result
        Its scan, or the failure that stands for it.
    expected
        What was expected of it; None where nothing is wrong with it.
    incidents
        What is wrong with it: all that touches the days reported, or is still open.
    """

    result: AssetScan | Failure
    expected: Expected | None = None
    incidents: Sequence[Incident] = ()

    @property
    def asset(self) -> str:
        """Its id."""
        return self.result.asset


def explained(
    backtest: Backtest,
    results: Sequence[AssetScan | Failure],
    joining: Joining,
    cohorts: Cohorts | None = None,
    common: Mapping[str, Sequence[Incident]] | None = None,
) -> list[Explained]:
    """Explain results; whatever cannot be explained is the failure of that asset.

    Parameters
    ----------
    backtest
        That gave them.
    joining
        What makes one incident of several days.
    cohorts
        The peers; None where they play no part.
    common
        By the name of a cohort's record, its incidents.
    """

    def told(batch: Sequence[AssetScan]) -> list[Explained]:
        return _explained(backtest, batch, joining, cohorts, common or {})

    return [Explained(each) if isinstance(each, Failure) else each for each in surviving(told, results)]


def _explained(
    backtest: Backtest,
    results: Sequence[AssetScan],
    joining: Joining,
    cohorts: Cohorts | None,
    common: Mapping[str, Sequence[Incident]],
) -> list[Explained]:
    gaps = {result.asset: incidents_of(result, None, joining, backtest.baseline.outages) for result in results}
    # What is expected costs a chart of the whole history, so only what is wrong is explained.
    ill = [each for each in results if len(each.anomalous) or (len(each.score) and _reported(each, gaps[each.asset]))]
    stories = dict(zip([each.asset for each in ill], _stories(backtest, ill, joining, cohorts), strict=True))
    found = []
    for result in results:
        due, incidents = stories.get(result.asset, (None, gaps[result.asset]))
        name = None if cohorts is None or not incidents else cohorts.cohort(result.asset)
        if name is not None:
            incidents = with_common(incidents, PREFIX + name, common.get(PREFIX + name, ()))
        found.append(Explained(result, due, _reported(result, incidents)))
    return found


def _stories(
    backtest: Backtest, ill: Sequence[AssetScan], joining: Joining, cohorts: Cohorts | None
) -> list[tuple[Expected, list[Incident]]]:
    """What was expected of some assets, and all of their incidents."""
    if not ill:
        return []
    scans: Sequence[AssetScan | Failure] = ill
    # A service is not asked, and paid, twice: of its assets only the days reported are known.
    partly = backtest.stretch.start is not None or backtest.stretch.days is not None
    if partly and not backtest.detector.capabilities.remote:
        scans = replace(backtest, stretch=Stretch(None, backtest.stretch.end)).scan([each.series for each in ill])
    normal, whole = [], []
    for scan in scans:
        if isinstance(scan, Failure):
            raise scan.error
        mask = ~scan.series.health_in(backtest.rules.skip_health)
        mask[scan.rows] = ~np.isin(scan.judged.verdict, _NOT_NORMAL)
        normal.append(mask)
        whole.append(scan)
    due = _expected([scan.series for scan in whole], normal, backtest.baseline, cohorts)
    outages = backtest.baseline.outages
    return [(one, incidents_of(scan, one, joining, outages)) for scan, one in zip(whole, due, strict=True)]


def _expected(
    batch: Sequence[Series], normal: Sequence[NDArray[np.bool_]], baseline: Baseline, cohorts: Cohorts | None
) -> list[Expected]:
    """What is expected of series, as what people say of what is normal changes."""
    versions = [baseline.versions(series) for series in batch]
    again = [series for series, own in zip(batch, versions, strict=True) for _ in own]
    masks = [
        mask if told is None else np.where(told == UNTOLD, mask, told == NORMAL)
        for mask, own in zip(normal, versions, strict=True)
        for _, told in own
    ]
    due = iter(expected(again, masks, cohorts))
    return [Expected.joined([(first, next(due)) for first, _ in own]) for own in versions]


def _reported(result: AssetScan, incidents: Sequence[Incident]) -> list[Incident]:
    """Those that touch the days reported, or are open."""
    rows, text = result.rows, result.series.cadence.text
    first = None
    if rows.start < rows.stop:
        first = text(result.series.timestamps[rows.start])
    elif result.afterwards is not None and result.afterwards.count:
        first = text(result.afterwards.first)
    return [each for each in incidents if each.open or (first is not None and each.last >= first)]
