"""What is known of a fleet beside the records of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from anomscan.reports.fleet.payload import AssetVerdicts
from anomscan.reports.fleet.told import Memory
from anomscan.telemetry.series import Series


@dataclass(frozen=True, slots=True)
class FleetFacts:
    """Whatever there is; all of it may be missing.

    Parameters
    ----------
    memory
        What the ledger says.
    who
        By asset, what the list of assets says of it.
    begin
        The first sample that is known of, as timestamps are written; None for the first one reported.
    every_series, judged
        The values of all assets, and their verdicts, each asset once, in any order; None to look them up one by one.
    """

    memory: Memory | None = None
    who: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    begin: str | None = None
    every_series: Callable[[], Iterable[Series]] | None = None
    judged: Callable[[], Iterable[AssetVerdicts]] | None = None
