"""The scan's rules written the slow, obvious way, day by day, from the rules alone."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction


def reference_scan(
    rows: Mapping[dt.date, tuple[float, str | None]],
    scores: Mapping[dt.date, float],
    *,
    window: int,
    shingle: int,
    k: float,
    include_newest: bool = True,
    calendar: bool = True,
    skip_health: Sequence[str] = ("Unknown",),
    min_scores: float = 0.5,
) -> tuple[dict[dt.date, str], list[list[dt.date]]]:
    """Verdict of each day, and the spans.

    ``rows``: the value (NaN where empty) and health of each day there is; ``scores``: the score given for the shingle
    that ends on a day.
    """
    one = dt.timedelta(days=1)
    present = sorted(rows)
    if not present:
        return {}, []
    days = present
    if calendar:
        days = [present[0] + i * one for i in range((present[-1] - present[0]).days + 1)]
    fewest = 2
    while (fewest - 1) / math.sqrt(fewest) <= k:
        fewest += 1

    usable = []
    for t, day in enumerate(days):
        members = days[t - shingle + 1 : t + 1] if t >= shingle - 1 else []
        whole = bool(members) and all(d in rows and math.isfinite(rows[d][0]) for d in members)
        score = scores.get(day, math.nan)
        usable.append(score if whole and math.isfinite(score) else math.nan)

    verdicts = {}
    flagged = []
    for t, day in enumerate(days):
        health = rows[day][1] if day in rows else None
        entering = usable[max(t - (window - shingle), 0) : t + 1]
        if not include_newest:
            entering = entering[:-1]
        places = len(entering)
        entering = [score for score in entering if math.isfinite(score)]
        if t < window - 1:
            verdicts[day] = "warming-up"
        elif health in skip_health:
            verdicts[day] = "skipped"
        elif not math.isfinite(usable[t]):
            verdicts[day] = "no-data"
        elif len(entering) < fewest or len(entering) < Fraction(str(min_scores)) * places:
            verdicts[day] = "warming-up"
        elif above(usable[t], cutoff_of(entering, k)):
            verdicts[day] = "anomalous"
            flagged.append(day)
        else:
            verdicts[day] = "ok"

    touched = sorted({day - offset * one for day in flagged for offset in range(shingle)})
    spans: list[list[dt.date]] = []
    for day in touched:
        if spans and day == spans[-1][1] + one:
            spans[-1][1] = day
        else:
            spans.append([day, day])
    return verdicts, spans


def cutoff_of(entering: Sequence[float], k: float) -> float:
    if len(set(entering)) == 1:
        return entering[0]
    mean = math.fsum(entering) / len(entering)
    variance = math.fsum((score - mean) ** 2 for score in entering) / (len(entering) - 1)
    return mean + k * math.sqrt(variance)


def above(score: float, cutoff: float) -> bool:
    return score > cutoff and score - cutoff > 1e-12 * max(abs(score), abs(cutoff))
