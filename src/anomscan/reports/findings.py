"""What a scan found, as records."""

from __future__ import annotations

import math

import numpy as np

from anomscan.backtest.asset import AssetScan
from anomscan.backtest.fleet import Failure
from anomscan.explain.expected import Expected
from anomscan.incidents.explained import Explained
from anomscan.reports.records import VERDICTS, Anomaly, Record
from anomscan.telemetry.series import Floats

#: Lower limits of severity to suggest when a higher one left nothing.
_BOUNDS = (0.5, 0.3, 0.2, 0.1, 0.0)
#: From so many times on something is worth calling farther.
_FARTHER = 1.1


def record_of(explained: Explained, *, schema: str, detector: str, shingle: int) -> Record:
    """One asset's result as its record.

    Parameters
    ----------
    explained
        A scan, or the failure that stands for it, and what is wrong.
    schema
        ``SCAN_SCHEMA`` or ``DETECT_SCHEMA``.
    detector
        The detector's name in the settings.
    shingle
        L, to which anomalous days are widened.
    """
    result = explained.result
    if isinstance(result, Failure):
        none = dict.fromkeys(VERDICTS, 0)
        return Record(schema, result.asset, detector, None, None, [], [], none, str(result.error))
    series = result.series
    text = series.cadence.text
    first, last = (None, None) if result.ends is None else map(text, result.ends)
    after = result.afterwards
    if after is not None and after.count:
        first = first or text(after.first)
        last = text(after.first + (after.count - 1) * series.cadence.step)
    return Record(
        schema=schema,
        asset=series.asset,
        detector=detector,
        from_=first,
        to=last,
        spans=[(text(start), text(end)) for start, end in result.spans(shingle)],
        anomalies=[_anomaly(result, explained.expected, place, row) for place, row in enumerate(result.anomalous)],
        verdicts=result.counts,
        error=None,
        incidents=list(explained.incidents),
    )


def notes_of(result: AssetScan | Failure, least: float | None) -> list[str]:
    """What a person should know about one asset beside its record, a sentence each.

    Parameters
    ----------
    least
        The bound that anomalies' severity had to exceed, None where there was none.
    """
    if isinstance(result, Failure):
        return []
    notes = [f"asset '{result.series.asset}': {note}" for note in result.notes]
    if least is not None and result.severity is not None and len(result.too_mild) and not len(result.anomalous):
        notes.append(_too_mild(result, result.severity[result.too_mild - result.rows.start], least))
    return notes


def likeness_of(result: AssetScan | Failure) -> tuple[str, str] | None:
    """The reported anomaly that surprises most, and in words what it resembles; None if the detector cannot say."""
    back = None if isinstance(result, Failure) else result.columns.get("steps_back")
    if isinstance(result, Failure) or back is None or len(result.anomalous) == 0:
        return None
    places = result.anomalous - result.rows.start
    times = np.nan_to_num(result.columns["times"], nan=0.0)
    # The highest score of a fault comes later, and resembles its first days.
    worst = int(places[times[places].argmax()])
    if not np.isfinite(back[worst]):
        return None
    series = result.series
    at = series.timestamps[result.rows.start + worst]
    text = f"most like {series.cadence.text(at - int(back[worst]) * series.cadence.step)}"
    if times[worst] >= _FARTHER:
        text += f", still {times[worst]:.2g} times farther than anything before"
    return series.cadence.text(at), text


def _too_mild(result: AssetScan, severity: Floats, least: float) -> str:
    count, known = len(severity), severity[np.isfinite(severity)]
    are = "sample is" if count == 1 else "samples are"
    text = f"asset '{result.series.asset}': {count} {are} called anomalous, none with a severity above {least:g}"
    if len(known) == 0:
        return f"{text}: none has a severity"
    worst = int(np.nanargmax(severity))
    at = result.series.cadence.text(result.series.timestamps[result.too_mild[worst]])
    text += f"; the highest is {known.max():.3f}, at {at}"
    lower = next((bound for bound in _BOUNDS if bound < least and (known > bound).any()), None)
    return text if lower is None else f"{text}; --min-severity {lower:g} would keep {int((known > lower).sum())}"


def _anomaly(result: AssetScan, due: Expected | None, place: int, row: np.intp) -> Anomaly:
    series, judged = result.series, result.judged
    contributions: list[tuple[str, float]] = []
    if result.contributions is not None:
        shares = result.contributions[place]
        # the largest first; a stable sort keeps equal ones in the order of the variables
        order = np.argsort(-shares, kind="stable")
        # a variable without a share is not a contributor
        given = [column for column in order if not math.isnan(shares[column])]
        contributions = [(series.variables[column], float(shares[column])) for column in given]
    reported = row - result.rows.start
    sigma = float(judged.sigma[reported])
    return Anomaly(
        timestamp=series.cadence.text(series.timestamps[row]),
        values=dict(zip(series.variables, map(float, series.values[row]), strict=True)),
        health=series.health(int(row)),
        score=float(result.score[reported]),
        cutoff=float(judged.cutoff[reported]),
        sigma=sigma if math.isfinite(sigma) else None,
        in_sample=result.in_sample(int(row)),
        contributions=contributions,
        expected={} if due is None else dict(zip(series.variables, map(float, due.expected[row]), strict=True)),
        band={}
        if due is None
        else {
            variable: (float(low), float(high))
            for variable, low, high in zip(series.variables, due.low[row], due.high[row], strict=True)
        },
    )
