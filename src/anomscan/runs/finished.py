"""What became of a unit of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from anomscan.detectors.kept import Kept
from anomscan.reports.results import Packed
from anomscan.runs.tally import Tally


@dataclass(frozen=True, slots=True)
class Finished:
    """The results of the assets of a unit.

    Parameters
    ----------
    results
        One entry an asset, in any order.
    tally
        Their counts.
    known
        Scores to keep, by asset; None where the worker has kept them, or there are none.
    """

    results: list[Packed]
    tally: Tally
    known: Mapping[str, Kept] | None = None
