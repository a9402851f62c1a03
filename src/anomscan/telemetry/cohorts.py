"""Cohorts: assets that should behave alike, and the median of the others at each timestamp."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.names import FLEET, PREFIX
from anomscan.telemetry.series import Floats, Instants, Series

How = Literal["difference", "ratio"]
#: With fewer others their median says nothing.
FEWEST_OTHERS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Middles:
    """The middle of a cohort's values at each timestamp: what the median without any one member takes.

    Parameters
    ----------
    timestamps
        (m,) datetime64[us], strictly increasing: those at which any member has a sample.
    count
        (m, d) int64: members with a finite value.
    below, middle, above
        (m, d) float64: of the c sorted values those at places c // 2 - 1, c // 2 and c // 2 + 1; NaN where there is
        none.
    """

    timestamps: Instants
    count: np.ndarray
    below: Floats
    middle: Floats
    above: Floats

    @classmethod
    def of(cls, timestamps: Instants, values: Floats) -> Middles:
        """The middles of (m, d, a) values of a members; NaN where a member has none."""
        ordered = np.sort(values, axis=2)
        count = np.isfinite(values).sum(axis=2)
        half = count // 2

        def at(place: np.ndarray) -> Floats:
            inside = (place >= 0) & (place < count)
            picked = np.take_along_axis(ordered, np.clip(place, 0, ordered.shape[2] - 1)[..., None], axis=2)[..., 0]
            return np.where(inside, picked, np.nan)

        return cls(timestamps, count, at(half - 1), at(half), at(half + 1))

    @classmethod
    def joined(cls, parts: Sequence[Middles]) -> Middles:
        """Those of later and later timestamps as one."""
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("timestamps", "count", "below", "middle", "above")
            )
        )

    def median(self) -> Floats:
        """(m, d) float64: the median of all members; NaN where none has a value."""
        return np.where(self.count % 2 == 1, self.middle, (self.below + self.middle) / 2)

    def others(self, timestamps: Instants, values: Floats) -> Floats:
        """The median of the other members, exactly, from a member's own values.

        Parameters
        ----------
        timestamps, values
            (n,) datetime64[us] and (n, d) float64: the member's samples. One without a value has no part in ``count``.

        Returns
        -------
        (n, d) float64; NaN where fewer than three others have a value.
        """
        peers = np.full(values.shape, np.nan)
        if len(self.timestamps) == 0:
            return peers
        place = np.minimum(np.searchsorted(self.timestamps, timestamps), len(self.timestamps) - 1)
        there = self.timestamps[place] == timestamps
        count, below, middle, above = (each[place] for each in (self.count, self.below, self.middle, self.above))
        own = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            # An odd count leaves two in the middle, an even one a single value; which, tells the side of the member.
            odd = (
                np.where(values < middle, middle + above, np.where(values > middle, below + middle, below + above)) / 2
            )
            even = np.where(values < middle, middle, below)
            without = np.where(count % 2 == 1, odd, even)
            whole = np.where(count % 2 == 1, middle, (below + middle) / 2)
        enough = (count - own >= FEWEST_OTHERS) & there[:, None]
        np.copyto(peers, np.where(own, without, whole), where=enough)
        return peers


@dataclass(frozen=True, slots=True, eq=False)
class Cohorts:
    """Who belongs together, and the middles of each cohort.

    Parameters
    ----------
    members
        Asset -> its cohort; None where all assets are one cohort.
    middles
        Cohort -> its middles.
    shared
        Cohort -> what share of the variation of its members it shares, 0 to 1.
    how
        A member is compared with the others.
    """

    members: Mapping[str, str] | None
    middles: Mapping[str, Middles]
    shared: Mapping[str, float] = field(default_factory=dict)
    how: How = "difference"

    def cohort(self, asset: str) -> str | None:
        """The cohort of an asset; None if nothing says so."""
        return FLEET if self.members is None else self.members.get(asset)

    def others(self, series: Series) -> Floats:
        """(n, d) float64: the median of the other members of its cohort at each sample; NaN where there is none."""
        name = self.cohort(series.asset)
        if name is None or name not in self.middles:
            return np.full(series.values.shape, np.nan)
        return self.middles[name].others(series.timestamps, series.measured().values)

    def series(self, cadence: Cadence, variables: tuple[str, ...]) -> Iterator[Series]:
        """The median of each cohort as a series of its own, named ``cohort:NAME``, in order."""
        for name in sorted(self.middles):
            middles = self.middles[name]
            # A cohort that never has more members than that has no series of its own.
            if (middles.count > FEWEST_OTHERS).any():
                yield Series(PREFIX + name, cadence, variables, middles.timestamps, middles.median())


def shared_variation(members: Sequence[Series], middles: Middles) -> float:
    """What share of the variation of some members goes away against their peers: 0 if none, 1 if all.

    Variation is the median of absolute deviations, squared; of the members and their variables the median counts.

    Returns
    -------
    NaN where none of them has peers.
    """
    shares = []
    for series in members:
        own_values = series.measured().values
        against = own_values - middles.others(series.timestamps, own_values)
        for own, difference in zip(own_values.T, against.T, strict=True):
            both = np.isfinite(difference)
            whole, left = _scatter(own[both]), _scatter(difference[both])
            if whole > 0:
                shares.append(max(1 - (left / whole) ** 2, 0.0))
    return float(np.median(shares)) if shares else math.nan


def _scatter(values: Floats) -> float:
    return float(np.median(np.abs(values - np.median(values)))) if len(values) else 0.0


def middles_of(batch: Iterable[Series]) -> Middles:
    """The middles of some members, each with all of its samples."""
    members = list(batch)
    timestamps = np.unique(np.concatenate([series.timestamps for series in members]))
    values = np.full((len(timestamps), len(members[0].variables), len(members)), np.nan)
    for place, series in enumerate(members):
        values[np.searchsorted(timestamps, series.timestamps), :, place] = series.measured().values
    return Middles.of(timestamps, values)
