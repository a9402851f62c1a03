"""From the verdicts of one asset to its incidents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anomscan.backtest.asset import AssetScan
from anomscan.backtest.verdicts import Verdict
from anomscan.explain.expected import BAND, Expected
from anomscan.explain.kinds import fewest_equal, kind_of
from anomscan.explain.onset import equal_since, onset
from anomscan.incidents.gaps import gaps
from anomscan.incidents.incident import Common, Incident, Peak
from anomscan.telemetry.outages import Outages
from anomscan.telemetry.series import Floats

Direction = Literal["both", "low", "high"]

#: From this one on, a test may flag samples that lie inside the band: of spread, and of stuck values.
_INSIDE = 3
#: An incident that deviates so many times as much as that of its cohort is not a part of it.
_LARGER = 1.5
#: So many repetitions of a value before a flagged sample belong to what is wrong with it, unless chance repeats more.
_STUCK = 3
#: What has the wrong side.
_LEFT_OUT: dict[Direction, tuple[str, ...]] = {
    "both": (),
    "low": ("raised", "drifting-up"),
    "high": ("dropped", "drifting-down", "zero"),
}
_JUDGED = (int(Verdict.OK), int(Verdict.ANOMALOUS))


@dataclass(frozen=True, slots=True)
class Joining:
    """What makes one incident of several days.

    Parameters
    ----------
    shingle
        L, in samples.
    close_after
        An incident is over after so many quiet judged samples.
    silent_after
        So many samples missing in a row are an incident.
    direction
        Which incidents there are: of what is too low, too high, or both. Noise, stuck values and gaps have no side.
    """

    shingle: int
    close_after: int
    silent_after: int
    direction: Direction = "both"


def incidents_of(result: AssetScan, explained: Expected | None, rules: Joining, outages: Outages) -> list[Incident]:
    """The incidents of one asset in the order of their first days.

    Parameters
    ----------
    result
        All its days, up to the run's end.
    explained
        What was expected; None if no day is anomalous.
    outages
        What lies in one is not an incident, and says nothing of whether another one is over.
    """
    found = [] if explained is None else _joined(result, explained, rules, outages)
    found += gaps(result, rules.silent_after, outages)
    return sorted(found, key=lambda each: (each.since, each.first_flagged, each.kind))


def with_common(incidents: Sequence[Incident], cohort: str | None, of_cohort: Sequence[Incident]) -> list[Incident]:
    """The incidents of an asset, each with the one of its cohort that it falls into, and is not much larger than.

    Parameters
    ----------
    cohort
        The name of the cohort's record; None without one.
    of_cohort
        The cohort's incidents.
    """
    if cohort is None or not of_cohort:
        return list(incidents)

    def shared(one: Incident) -> Common | None:
        for each in of_cohort:
            inside = each.since <= one.first_flagged <= each.last
            if one.kind not in ("silent", "missing") and inside and _no_larger(one, each):
                return Common(cohort, each.since)
        return None

    return [replace(each, common=shared(each)) for each in incidents]


def _no_larger(one: Incident, common: Incident) -> bool:
    """Whether an incident may be a part of its cohort's: a stop in a bad week is an incident of its own."""
    name = one.variables[0][0]
    # False if either is NaN: of noise and of stuck values a deviation says little.
    return not abs(one.deviation[name]) > _LARGER * abs(common.deviation[name])


def _joined(result: AssetScan, explained: Expected, rules: Joining, outages: Outages) -> list[Incident]:
    result = replace(result, series=result.series.measured())
    series, rows = result.series, result.rows
    verdict = np.full(len(series), -1, np.int64)
    verdict[rows] = result.judged.verdict
    verdict[outages.mask(result.asset, series.timestamps, series.cadence)] = -1
    flagged = verdict == int(Verdict.ANOMALOUS)
    judged = np.isin(verdict, _JUDGED)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        deviation = (series.values - explained.expected) / explained.scale
    ill = _ill(flagged, deviation, rules.shingle)
    found = []
    quiet_before = np.concatenate([[0], np.cumsum(judged & ~flagged)])
    free = 0
    for group in _groups(np.flatnonzero(flagged), quiet_before, rules.close_after):
        if rules.shingle == 1:
            last = _end(result, deviation, group)
        else:
            sick = group[ill[group]]
            last = int(sick[-1]) if len(sick) else int(group[-1])
        # Over if enough quiet samples followed, whatever came after them.
        is_open = bool(quiet_before[len(series)] - quiet_before[last + 1] < rules.close_after)
        incident = _incident(result, explained, deviation, judged, group, free, last, is_open, rules)
        if incident.kind not in _LEFT_OUT[rules.direction]:
            found.append(incident)
        free = last + 1
    return found


def _ill(flagged: NDArray[np.bool_], deviation: Floats, shingle: int) -> NDArray[np.bool_]:
    """(n,) bool: flagged samples that are themselves outside the band, or whose whole shingle is inside it."""
    with np.errstate(invalid="ignore"):
        outside: NDArray[np.bool_] = np.asarray((np.abs(deviation) > BAND).any(axis=1))
    ill: NDArray[np.bool_] = flagged & outside
    for row in np.flatnonzero(flagged & ~outside):
        if not outside[max(row - shingle + 1, 0) : row].any():
            ill[row] = True
    return ill


def _end(result: AssetScan, deviation: Floats, group: NDArray[np.intp]) -> int:
    """The last row of an incident of a detector that scores single samples.

    After its end a sum that is on its way down flags some samples that are well again: it ended where the sum of what
    lies outside the band was highest. What a test of noise or of stuck values flags may lie inside it.
    """
    rows = np.arange(group[0], group[-1] + 1)
    with np.errstate(invalid="ignore"):
        outside = np.nan_to_num(np.fmax.reduce(np.abs(deviation[rows]), axis=1) - BAND)
    evidence = np.clip(outside, -BAND, 3 * BAND)
    test = result.columns.get("test")
    if test is not None:
        noisy_or_stuck = test[rows - result.rows.start] >= _INSIDE
        evidence[noisy_or_stuck] = np.maximum(evidence[noisy_or_stuck], BAND)
    total = evidence.cumsum()
    end = rows[len(total) - 1 - int(total[::-1].argmax())] if total.max() > 0 else rows[-1]
    return int(group[group <= end][-1])


def _groups(rows: NDArray[np.intp], quiet_before: NDArray[np.int64], most: int) -> list[NDArray[np.intp]]:
    """Flagged rows, split where more than ``most`` quiet judged samples lie between two."""
    if len(rows) == 0:
        return []
    quiet = quiet_before[rows[1:]] - quiet_before[rows[:-1] + 1]
    return np.split(rows, np.flatnonzero(quiet > most) + 1)


def _incident(
    result: AssetScan,
    explained: Expected,
    deviation: Floats,
    judged: NDArray[np.bool_],
    group: NDArray[np.intp],
    free: int,
    last: int,
    is_open: bool,
    rules: Joining,
) -> Incident:
    series, text = result.series, result.series.cadence.text
    shares = _shares(result, deviation, group)
    main = int(np.argmax(shares))
    first = int(group[0])
    side = deviation[group, main]
    down = np.nansum(side) < 0 if np.isfinite(side).any() else False
    towards = -deviation[:, main] if down else deviation[:, main]
    # What is before belongs to another incident.
    since = free + onset(towards[free:], first - free, rules.shingle)
    stuck = equal_since(series.values[:, main], first)
    equal = fewest_equal(series.values[:stuck, main])
    if first - stuck >= max(_STUCK, equal - 2):
        since = max(stuck, free)
    stretch = slice(since, last + 1)
    flagged = np.zeros(len(series), bool)
    flagged[group] = True
    score = result.score[group - result.rows.start]
    top = int(np.nanargmax(score)) if np.isfinite(score).any() else None
    peak = None
    if top is not None:
        sigma = float(result.judged.sigma[group[top] - result.rows.start])
        peak = Peak(text(series.timestamps[group[top]]), float(score[top]), sigma if np.isfinite(sigma) else None)
    over = np.flatnonzero(judged[stretch]) + since
    observed, due = series.values[over], explained.expected[over]
    both = np.isfinite(observed) & np.isfinite(due)
    seen, should = _means(observed, both), _means(due, both)
    missing = np.where(both, due - observed, 0.0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (seen - should) / np.abs(should)
    names = series.variables
    order = np.argsort(-shares, kind="stable")
    return Incident(
        id=None,
        kind=kind_of(series.values[stretch, main], deviation[stretch, main], flagged[stretch], equal),
        since=text(series.timestamps[since]),
        first_flagged=text(series.timestamps[first]),
        last=text(series.timestamps[last]),
        open=is_open,
        days=int((group <= last).sum()),
        peak=peak,
        observed=_named(names, seen),
        expected=_named(names, should),
        deviation=_named(names, share),
        loss=_named(names, np.where(both.any(axis=0), missing, np.nan)),
        variables=tuple((names[place], float(shares[place])) for place in order),
        common=None,
        against_peers=explained.median is not None and bool(np.isfinite(explained.median[stretch, main]).any()),
    )


def _shares(result: AssetScan, deviation: Floats, group: NDArray[np.intp]) -> Floats:
    """(d,) float64: the share of each variable in some anomalous samples, by contributions or else by deviation."""
    d = deviation.shape[1]
    weights = np.zeros(d)
    if result.contributions is not None:
        place = np.searchsorted(result.anomalous, group)
        weights = np.nansum(result.contributions[place], axis=0)
    if not (weights > 0).any():
        with np.errstate(invalid="ignore"):
            weights = np.nan_to_num(np.abs(deviation[group])).sum(axis=0)
    weights = np.maximum(weights, 0.0)
    return weights / weights.sum() if weights.sum() > 0 else np.full(d, 1 / d)


def _means(values: Floats, there: NDArray[np.bool_]) -> Floats:
    count = there.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, np.where(there, values, 0.0).sum(axis=0) / count, np.nan)


def _named(names: Sequence[str], values: Floats) -> dict[str, float]:
    return {name: float(value) if np.isfinite(value) else np.nan for name, value in zip(names, values, strict=True)}
