"""What became of a partition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from anomscan.detectors.score_cache import CachedScores
from anomscan.jobs.tally import Tally
from anomscan.reports.results import EncodedRecord


@dataclass(frozen=True, slots=True)
class Finished:
    """The results of the assets of a partition.

    Parameters
    ----------
    results
        One entry an asset, in any order.
    tally
        Their counts.
    known
        Scores to keep, by asset; None where the worker has kept them, or there are none.
    """

    results: list[EncodedRecord]
    tally: Tally
    known: Mapping[str, CachedScores] | None = None
