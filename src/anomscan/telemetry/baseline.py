"""Which samples are normal by what people say: planned outages are not, and labels tell of others.

A label acts on what is judged after it was made: what is said of a sample depends on labels made before it ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from anomscan.telemetry.outages import Outages
from anomscan.telemetry.series import Series

#: What is told of a sample: it is left out of what is normal, it is normal, or nothing is told and tests decide.
LEFT_OUT, NORMAL, UNTOLD = np.uint8(0), np.uint8(1), np.uint8(2)

#: (n,) uint8 of them; None where nothing is told at all.
Told = NDArray[np.uint8] | None

_Row = TypeVar("_Row", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Samples of an asset of which somebody has said what they are.

    Parameters
    ----------
    at
        datetime64[us]: when it was said.
    stretches
        (first, last) datetime64[us] of the samples, both inclusive.
    normal
        Whether they are normal, rather than left out.
    until
        datetime64[us]: when it was taken back; None if it still holds.
    """

    at: np.datetime64
    stretches: tuple[tuple[np.datetime64, np.datetime64], ...]
    normal: bool
    until: np.datetime64 | None = None

    def holds(self, instant: np.datetime64) -> bool:
        """Whether it was made by then, and not taken back."""
        return bool(self.at <= instant) and (self.until is None or bool(instant < self.until))


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is told of all assets; times are those of the samples, as :mod:`anomscan.telemetry.outages` has them.

    Parameters
    ----------
    outages
        Planned; they are left out, whatever labels say.
    labels
        By asset.
    """

    outages: Outages = field(default_factory=Outages)
    labels: Mapping[str, Sequence[Labelled]] = field(default_factory=dict)

    def versions(self, series: Series) -> list[tuple[int, Told]]:
        """What is told of a series as time goes on: from which row on what of all its samples is known.

        The first begins with row 0; each holds until the next.
        """
        out = None
        if series.asset in self.outages.by_asset:
            mask = self.outages.mask(series.asset, series.timestamps, series.cadence)
            out = mask if mask.any() else None
        found = [(0, _told(series, (), out))]
        labels = sorted(self.labels.get(series.asset, ()), key=lambda each: each.at)
        for instant in sorted({each.at for each in labels} | {each.until for each in labels if each.until is not None}):
            # Of a sample that ends before the label nothing changes.
            first = int(series.timestamps.searchsorted(instant - series.cadence.step))
            if first == len(series):
                break
            if found[-1][0] == first:
                found.pop()
            found.append((first, _told(series, [each for each in labels if each.holds(instant)], out)))
        return found


def _told(series: Series, labels: Sequence[Labelled], out: NDArray[np.bool_] | None) -> Told:
    """What labels tell of a series, the last word counting, and outages whatever they say."""
    if not labels and out is None:
        return None
    told = np.full(len(series), UNTOLD)
    for label in labels:
        for start, end in label.stretches:
            low, high = series.timestamps.searchsorted(start), series.timestamps.searchsorted(end, "right")
            told[low:high] = NORMAL if label.normal else LEFT_OUT
    if out is not None:
        told[out] = LEFT_OUT
    return told


def stitched(parts: Sequence[tuple[int, NDArray[_Row]]]) -> NDArray[_Row]:
    """Arrays of one shape as one: of each the rows from its own first one on, until the next begins."""
    whole = parts[0][1]
    if len(parts) > 1:
        whole = whole.copy()
        for first, part in parts[1:]:
            whole[max(first, 0) :] = part[max(first, 0) :]
    return whole
