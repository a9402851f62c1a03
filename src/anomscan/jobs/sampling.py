"""A random sample of what a run says, with those days in it that matter most."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.backtest.verdicts import Verdict
from anomscan.reports.records import read_records
from anomscan.reports.results import EncodedRecord, is_expected
from anomscan.telemetry.names import PREFIX

#: Days of a sample.
SAMPLE = 100

#: Days of a sample where each takes going through the fleet.
DAYS = 12

#: Which part of a sample are anomalous days, an asset's first and its last judged day, and all others.
_SHARES = (0.5, 0.125, 0.125, 0.25)
_ANOMALOUS, _FIRST, _LAST, _OTHER = range(4)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a run says of one asset on one day.

    Parameters
    ----------
    asset
        Its id.
    at
        datetime64[us], UTC: the day.
    verdict
        Of that day.
    parts
        By name: score, cutoff and what else the detector gives, NaN where there is none; of an anomalous day what its
        record says, expected values among it.
    """

    asset: str
    at: np.datetime64
    verdict: Verdict
    parts: dict[str, object]

    @classmethod
    def of(cls, result: EncodedRecord, place: int) -> Claim:
        """What a result says of one of its judged days."""
        days = result.judged
        day, verdict = days[place], Verdict(days["verdict"][place])
        # Whether the expected values of an ordinary day are told depends on what came after it.
        names = ("score", "cutoff", *(name for name in result.columns if not is_expected(name)))
        parts: dict[str, object] = {name: float(day[name]) for name in names}
        if verdict is Verdict.ANOMALOUS:
            (record,) = read_records([result.line.decode()])
            anomaly = record.anomalies[int((days["verdict"][:place] == Verdict.ANOMALOUS).sum())]
            told = ("values", "health", "sigma", "in_sample", "contributions", "expected", "band")
            parts |= {name: getattr(anomaly, name) for name in told}
        return cls(result.asset, np.datetime64(int(day["timestamp"]), "us"), verdict, parts)


def draw(results: Iterable[EncodedRecord], most: int, seed: int) -> list[Claim]:
    """A random sample of the judged days of a run; all of them, if there are no more.

    Half of it are anomalous days, an eighth each the first and the last judged day of an asset; where there are too few
    of a kind, the others fill up. Memory holds a few times the sample, however long the results.

    Parameters
    ----------
    results
        Those of all assets.
    most
        The size of the sample.
    seed
        The same seed draws the same days of the same results.

    Returns
    -------
    Sorted by asset and by day.
    """
    random = np.random.default_rng(seed)
    parts: list[list[tuple[float, Claim]]] = [[] for _ in _SHARES]
    bounds = np.ones(len(parts))
    for result in results:
        if result.asset.startswith(PREFIX):
            continue  # a cohort has no rows of its own
        kinds = _kinds(result.judged["verdict"])
        # Each day draws a number; those with the smallest are the sample.
        numbers = random.random(len(kinds))
        for place in np.flatnonzero(numbers < bounds[kinds]).tolist():
            part, kind = parts[kinds[place]], kinds[place]
            if numbers[place] < bounds[kind]:
                insort(part, (float(numbers[place]), Claim.of(result, place)), key=_number)
                del part[most:]
                if len(part) == most:
                    bounds[kind] = part[-1][0]
    sizes = [math.ceil(most * share) for share in _SHARES]
    chosen = [entry for part, size in zip(parts, sizes, strict=True) for entry in part[:size]]
    chosen += sorted((entry for part, size in zip(parts, sizes, strict=True) for entry in part[size:]), key=_number)
    return sorted((claim for _, claim in chosen[:most]), key=lambda claim: (claim.asset, claim.at))


def of_few_days(claims: Sequence[Claim]) -> list[Claim]:
    """The claims on a few of their days, far apart: the peers of each day are computed again from the whole fleet."""
    days = sorted({claim.at for claim in claims})
    kept = {days[place * (len(days) - 1) // max(DAYS - 1, 1)] for place in range(DAYS)} if days else set()
    return [claim for claim in claims if claim.at in kept]


def _kinds(verdicts: NDArray[np.int8]) -> NDArray[np.intp]:
    """(n,) intp: of which kind each judged day of an asset is."""
    kinds = np.full(len(verdicts), _OTHER, np.intp)
    kinds[-1:], kinds[:1] = _LAST, _FIRST
    kinds[verdicts == Verdict.ANOMALOUS] = _ANOMALOUS
    return kinds


def _number(entry: tuple[float, Claim]) -> float:
    return entry[0]
