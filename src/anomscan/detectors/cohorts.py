"""The middles of each cohort, made by going through the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from anomscan.errors import InputError
from anomscan.store.snapshot import Snapshot
from anomscan.telemetry.cohorts import Cohorts, Middles, middles_of, shared_variation
from anomscan.telemetry.names import FLEET, PREFIX
from anomscan.telemetry.series import Series

#: The most values held at a time: beyond, the store is gone through again for each part of the time.
MOST_VALUES = 1 << 25
#: So many members of a cohort, over the first part of the time, tell how much of their variation it shares.
_SAMPLED = 5


def cohorts_of(
    snapshot: Snapshot,
    members: Mapping[str, str] | None,
    *,
    as_of: np.datetime64 | None = None,
    through: np.datetime64 | None = None,
) -> Cohorts:
    """The cohorts, exactly, in memory for ``MOST_VALUES`` values.

    Parameters
    ----------
    members
        Asset -> its cohort; None if all are one.
    as_of, through
        Only what had arrived by then, and samples up to then; None for all.

    Raises
    ------
    InputError
        If an asset has a name that cohorts have.
    StoreError
        If the store is damaged.
    """
    cut = snapshot.cut(as_of=as_of)
    named = next((asset for asset in cut.assets if asset.startswith(PREFIX)), None)
    if named is not None:
        raise InputError(f"an asset cannot be called '{named}': records of cohorts have such names", hint="rename it")
    span = snapshot.span()
    if span is None or not len(cut):
        return Cohorts(members, {})
    earliest, latest = span
    passes = -(-cut.rows * len(snapshot.layout.variables) // MOST_VALUES)
    if passes == 1:
        edges = np.array([earliest, latest + 1])
    else:
        # Parts of the time with about as many rows each, told by the timestamps of some of the assets.
        sample = np.sort(np.concatenate([s.timestamps for s in next(iter(snapshot.stream(as_of=as_of)))]))
        inner = sample[np.arange(1, passes) * len(sample) // passes].astype(np.int64)
        edges = np.unique(np.concatenate([[earliest], np.clip(inner, earliest, latest), [latest + 1]]))
    parts: defaultdict[str, list[Middles]] = defaultdict(list)
    shared: dict[str, float] = {}
    for low, high in pairwise(edges):
        by_cohort: defaultdict[str, list[Series]] = defaultdict(list)
        for batch in snapshot.stream(as_of=as_of):
            for series in _between(batch, low, high, through):
                name = FLEET if members is None else members.get(series.asset)
                if name is not None:
                    by_cohort[name].append(series)
        for name, group in by_cohort.items():
            parts[name].append(middles_of(group))
            if name not in shared:
                shared[name] = shared_variation(group[:: len(group) // _SAMPLED + 1], parts[name][0])
    return Cohorts(members, {name: Middles.joined(each) for name, each in sorted(parts.items())}, shared)


def _between(batch: Sequence[Series], low: np.int64, high: np.int64, through: np.datetime64 | None) -> Iterable[Series]:
    """The rows of a batch in a part of the time, without what a cohort does not need."""
    last = None if through is None else through.astype("datetime64[us]").astype(np.int64)
    stop = high if last is None else min(high, last + 1)
    for series in batch:
        instants = series.timestamps.view(np.int64)
        first, last = np.searchsorted(instants, (low, stop))
        if first < last:
            yield replace(
                series,
                timestamps=series.timestamps[first:last],
                values=series.values[first:last].copy(),
                health_codes=np.empty(0, np.int32),
                health_names=(),
                arrived_at=None,
            )
