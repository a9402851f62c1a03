"""What a scan found, as records."""

from __future__ import annotations

import math

import numpy as np

from anomscan.backtest.asset import AssetScan
from anomscan.backtest.fleet import Failure
from anomscan.reports.records import VERDICTS, Anomaly, Record


def record_of(result: AssetScan | Failure, *, schema: str, detector: str, shingle: int) -> Record:
    """One asset's result as its record.

    Parameters
    ----------
    result
        A scan, or the failure that stands for it.
    schema
        ``SCAN_SCHEMA`` or ``DETECT_SCHEMA``.
    detector
        The detector's name in the settings.
    shingle
        L, to which anomalous days are widened.
    """
    if isinstance(result, Failure):
        none = dict.fromkeys(VERDICTS, 0)
        return Record(schema, result.asset, detector, None, None, [], [], none, str(result.error))
    series, rows = result.series, result.rows
    text = series.cadence.text
    return Record(
        schema=schema,
        asset=series.asset,
        detector=detector,
        from_=text(series.timestamps[rows.start]) if rows.start < rows.stop else None,
        to=text(series.timestamps[rows.stop - 1]) if rows.start < rows.stop else None,
        spans=[(text(start), text(end)) for start, end in result.spans(shingle)],
        anomalies=[_anomaly(result, place, row) for place, row in enumerate(result.anomalous)],
        verdicts=result.counts,
        error=None,
    )


def _anomaly(result: AssetScan, place: int, row: np.intp) -> Anomaly:
    series, judged = result.series, result.judged
    contributions: list[tuple[str, float]] = []
    if result.contributions is not None:
        shares = result.contributions[place]
        # the largest first; a stable sort keeps the order of the variables among equals
        order = np.argsort(-shares, kind="stable")
        contributions = [(series.variables[column], float(shares[column])) for column in order]
    sigma = float(judged.sigma[row])
    return Anomaly(
        timestamp=series.cadence.text(series.timestamps[row]),
        values=dict(zip(series.variables, map(float, series.values[row]), strict=True)),
        health=series.health(int(row)),
        score=float(result.score[row]),
        cutoff=float(judged.cutoff[row]),
        sigma=sigma if math.isfinite(sigma) else None,
        in_sample=bool(result.in_sample[row]),
        contributions=contributions,
    )
