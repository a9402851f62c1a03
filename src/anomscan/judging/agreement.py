"""What set-ups have in common: incidents at the same time on the same asset, or on many assets."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from anomscan.judging.found import JudgedAsset

#: Incidents of so large a share of a cohort, of at least so many assets, at the same time have a common cause.
SHARE, FEWEST = 0.25, 3


def agreement(one: Sequence[JudgedAsset], other: Sequence[JudgedAsset]) -> float:
    """The share of the incidents of two set-ups that meet one of the other on the same asset; NaN if there is none.

    Parameters
    ----------
    one, other
        The same assets in the same order.
    """
    met = there = 0
    for a, b in zip(one, other, strict=True):
        there += len(a.found) + len(b.found)
        if a.found and b.found:
            met += sum(any(x.flagged.meets(y.flagged) for y in b.found) for x in a.found)
            met += sum(any(x.flagged.meets(y.flagged) for x in a.found) for y in b.found)
    return met / there if there else math.nan


def with_common_cause(assets: Sequence[JudgedAsset], cohort: Callable[[str], str | None], slack_us: int) -> int:
    """How many incidents begin when those of many others of the cohort do.

    Parameters
    ----------
    cohort
        Of an asset; None if it has none.
    slack_us
        How far apart the first flagged samples may be.
    """
    members: defaultdict[str, int] = defaultdict(int)
    starts: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for each in assets:
        name = cohort(each.asset)
        if name is not None:
            members[name] += 1
            starts[name] += [(found.flagged.start, each.asset) for found in each.found]
    common = 0
    for name, begun in starts.items():
        begun.sort()
        times = np.array([time for time, _ in begun])
        low, high = (times.searchsorted(times - slack_us), times.searchsorted(times + slack_us, "right"))
        least = max(math.ceil(SHARE * members[name]), FEWEST)
        for first, last in zip(low.tolist(), high.tolist(), strict=True):
            if last - first >= least:
                common += len({asset for _, asset in begun[first:last]}) >= least
    return common
