"""Days on which an asset came near its cut-off."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from anomscan.reports.scores import ScoreTable

#: From such a share of the cut-off on it was near, and so many are told.
_NEAR, _TOLD = 0.9, 5


class NearMiss(NamedTuple):
    """A sample that was not anomalous."""

    at: np.datetime64
    score: float
    cutoff: float
    share: float


def near_misses(scores: ScoreTable | None) -> list[NearMiss]:
    """The samples that came nearest to their cut-off, the nearest first."""
    if scores is None:
        return []
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.where(scores.cutoff > 0, scores.score / scores.cutoff, np.nan)
    share[np.array(scores.verdicts) != "ok"] = np.nan
    places = np.flatnonzero(share >= _NEAR)
    nearest = places[np.argsort(-share[places], kind="stable")][:_TOLD]
    return [
        NearMiss(scores.timestamps[each], *(float(line[each]) for line in (scores.score, scores.cutoff, share)))
        for each in nearest
    ]
