"""The choice of a set-up on one part of history, and what it is worth on the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from anomscan.judging.comparison import Comparison, Figure
from anomscan.judging.intervals import wilson


@dataclass(frozen=True, slots=True)
class Worth:
    """What a set-up is worth on some days.

    Parameters
    ----------
    caught, of
        How many faults it caught of how many.
    chance
        The share that it would catch by chance.
    per_week
        Incidents a week of the whole fleet.
    """

    caught: int
    of: int
    chance: float
    per_week: float

    @property
    def gain(self) -> float:
        """The share caught beyond chance; 0 of no faults."""
        return self.caught / self.of - self.chance if self.of else 0.0

    @property
    def share(self) -> Figure:
        """The share caught."""
        return Figure(self.caught / self.of if self.of else None, wilson(self.caught, self.of), self.chance)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A set-up and what it is worth on the part of history on which one is chosen, and on the rest."""

    detector: str
    view: str
    cutoff: str
    first: Worth
    rest: Worth

    @property
    def key(self) -> tuple[str, str, str]:
        """The set-up."""
        return self.detector, self.view, self.cutoff

    @property
    def name(self) -> str:
        """The set-up in one text."""
        return ", ".join(self.key)


@dataclass(frozen=True, slots=True)
class Tuned:
    """A choice and what it rests on.

    Parameters
    ----------
    candidates
        All set-ups that could be compared on both parts. Where faults are made up, only those within the budget and the
        current one are tried on them.
    chosen, current
        The best within the budget, and what the settings have; None if that is not among them.
    split
        Microseconds since 1970: the first instant of the rest.
    first, rest
        Each part: how many assets were watched, and its outermost samples.
    labelled
        Whether the faults are known ones; else they are made up.
    alerts
        Incidents a week that the choice may tell of.
    """

    candidates: Sequence[Candidate]
    chosen: Candidate
    current: Candidate | None
    split: int
    first: Comparison
    rest: Comparison
    labelled: bool
    alerts: float


def best_of(candidates: Sequence[Candidate], alerts: float) -> Candidate | None:
    """The one that catches most beyond chance on the first part, with the fewest incidents among equals.

    Parameters
    ----------
    alerts
        How many incidents a week of the whole fleet it may tell of.

    Returns
    -------
    None if none tells of so few. What is known of the rest has no say.
    """
    fit = [each for each in candidates if each.first.per_week <= alerts]
    return max(fit, key=lambda each: (each.first.gain, -each.first.per_week), default=None)


def is_noise(one: Worth, other: Worth) -> bool:
    """Whether so few faults cannot tell which of two set-ups catches more (with 90 % confidence).

    The intervals of two shares are put together as those of independent ones are; of the same faults that is careful.
    """
    spread = [each.share.interval for each in (one, other)]
    halves = [math.inf if each is None else (each[1] - each[0]) / 2 for each in spread]
    return abs(one.gain - other.gain) <= math.hypot(*halves)
