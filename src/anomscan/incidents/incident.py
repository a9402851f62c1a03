"""One thing that went wrong with one asset, over however many days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: What an incident may be, the first that holds.
KINDS = (
    "silent",
    "missing",
    "stuck",
    "zero",
    "noisy",
    "drifting-down",
    "drifting-up",
    "dropped",
    "raised",
    "pattern",
)
#: Those of an asset that sends nothing.
SILENT_KINDS = ("silent", "missing")


@dataclass(frozen=True, slots=True)
class Peak:
    """The sample with the largest score."""

    timestamp: str
    score: float
    sigma: float | None = None


@dataclass(frozen=True, slots=True)
class Common:
    """The incident of a cohort that an asset's incident is part of."""

    asset: str
    since: str


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that went wrong.

    Parameters
    ----------
    id
        None without a ledger.
    kind
        One of ``KINDS``.
    since, first_flagged, last
        As timestamps are written: the onset, the first and the last of its days.
    open
        Whether it was not over at the run's end.
    days
        How many of its samples are anomalous, or missing.
    peak
        None where no sample has a score.
    observed, expected
        By variable: means over the judged samples from since to last.
    deviation
        By variable: the share of the expected value by which the observed one is off.
    loss
        By variable: the sum of expected less observed, in the variable's unit times steps.
    variables
        The share of each variable in it, the largest first.
    common
        What it has in common with its cohort; None if nothing.
    against_peers
        Whether the peers say what was expected. Records do not hold it.
    """

    id: str | None
    kind: str
    since: str
    first_flagged: str
    last: str
    open: bool
    days: int
    peak: Peak | None
    observed: Mapping[str, float]
    expected: Mapping[str, float]
    deviation: Mapping[str, float]
    loss: Mapping[str, float]
    variables: tuple[tuple[str, float], ...]
    common: Common | None
    against_peers: bool = field(default=False, compare=False)
