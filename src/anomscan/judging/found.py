"""What one set-up found about one asset, and the stretch on which several can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anomscan.telemetry.series import Floats, Instants


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time.

    Parameters
    ----------
    start, end
        Microseconds since 1970, UTC, both inclusive.
    kind
        What it is; empty if nobody says.
    """

    start: int
    end: int
    kind: str = ""

    def meets(self, other: Span) -> bool:
        """Whether the two have an instant in common."""
        return self.start <= other.end and other.start <= self.end


@dataclass(frozen=True, slots=True)
class Found:
    """An incident.

    Parameters
    ----------
    since
        Its onset, microseconds since 1970, UTC.
    flagged
        From its first flagged sample to its last, and its kind.
    """

    since: int
    flagged: Span


@dataclass(frozen=True, slots=True, eq=False)
class JudgedAsset:
    """One asset under one set-up.

    Parameters
    ----------
    asset
        Its id.
    watched
        From the first judged sample to the last; None if none was judged.
    found
        Its incidents, in time order.
    timestamps, score
        (n,) each; None where nobody asks how well scores tell bad samples from good ones.
    """

    asset: str
    watched: Span | None
    found: tuple[Found, ...]
    timestamps: Instants | None = None
    score: Floats | None = None

    def within(self, stretch: Span) -> JudgedAsset:
        """What of it falls into a stretch."""
        timestamps, score = self.timestamps, self.score
        if timestamps is not None and score is not None:
            inside = slice(*np.searchsorted(timestamps.view(np.int64), (stretch.start, stretch.end + 1)))
            timestamps, score = timestamps[inside], score[inside]
        found = tuple(each for each in self.found if each.flagged.meets(stretch))
        return replace(self, watched=stretch, found=found, timestamps=timestamps, score=score)


def common_stretches(setups: Iterable[Sequence[JudgedAsset]]) -> dict[str, Span]:
    """Of each asset the stretch on which every set-up judged it; assets that one of them never judged are left out."""
    shared: dict[str, Span] = {}
    for place, assets in enumerate(setups):
        own = {each.asset: each.watched for each in assets if each.watched is not None}
        if place == 0:
            shared = own
            continue
        both = {
            asset: Span(max(shared[asset].start, one.start), min(shared[asset].end, one.end))
            for asset, one in own.items()
            if asset in shared
        }
        shared = {asset: span for asset, span in both.items() if span.start <= span.end}
    return shared
