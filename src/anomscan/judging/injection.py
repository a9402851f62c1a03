"""What became of faults that were put into calm history: how many were caught, how late, and from what size on."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anomscan.judging.intervals import Interval, bootstrap, middle, wilson

#: A size is caught if so many of ten are.
RELIABLE = 0.9


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault under one set-up.

    Parameters
    ----------
    setup
        The place of the set-up.
    kind, size
        Of the fault.
    cohort
        Of the asset; None if it has none.
    caught
        Whether an incident met it.
    delay
        Samples from its start to the first flagged one; NaN if it was missed.
    share
        Its size as a share of the level of the values; NaN where that means nothing.
    start
        Microseconds since 1970: its first sample.
    """

    setup: int
    kind: str
    size: float
    cohort: str | None
    caught: bool
    delay: float
    share: float
    start: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """All faults of one kind and size under one set-up.

    Parameters
    ----------
    caught, tried
        How many.
    interval
        Of the share caught, 90 %.
    delay, delay_interval
        The median of those caught; None of none.
    share
        The median size as a share of the level; None where that means nothing.
    """

    kind: str
    size: float
    caught: int
    tried: int
    interval: Interval | None
    delay: float | None
    delay_interval: Interval | None
    share: float | None

    @property
    def recall(self) -> float:
        """The share caught."""
        return self.caught / self.tried


@dataclass(frozen=True, slots=True)
class Smallest:
    """From what size on faults of a kind are caught nine times of ten.

    Parameters
    ----------
    size
        By what was seen; None if no size that was tried is.
    interval
        The smallest sizes of which that may be true, and is sure; None for a size beyond those that were tried.
    share
        The size as a share of the level; None where that means nothing.
    """

    size: float | None
    interval: tuple[float | None, float | None]
    share: float | None


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What one set-up catches.

    Parameters
    ----------
    cells
        By kind, in the order of the sizes.
    smallest
        By kind.
    cohorts
        By cohort how many of all faults were caught, and how many there were.
    """

    cells: Mapping[str, Sequence[Cell]]
    smallest: Mapping[str, Smallest]
    cohorts: Mapping[str, tuple[int, int]]


def sensitivity(trials: Iterable[Trial]) -> Sensitivity:
    """Sum up the trials of one set-up."""
    by_cell: defaultdict[tuple[str, float], list[Trial]] = defaultdict(list)
    by_cohort: defaultdict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_cell[trial.kind, trial.size].append(trial)
        if trial.cohort is not None:
            by_cohort[trial.cohort].append(trial)
    cells: defaultdict[str, list[Cell]] = defaultdict(list)
    for (kind, size), group in sorted(by_cell.items()):
        cells[kind].append(_cell(kind, size, group))
    return Sensitivity(
        dict(cells),
        {kind: _smallest(each) for kind, each in cells.items()},
        {name: (sum(each.caught for each in group), len(group)) for name, group in sorted(by_cohort.items())},
    )


def _cell(kind: str, size: float, group: Sequence[Trial]) -> Cell:
    hits = sum(each.caught for each in group)
    delays = np.array([each.delay for each in group if each.caught])
    shares = np.array([each.share for each in group if math.isfinite(each.share)])
    return Cell(
        kind,
        size,
        hits,
        len(group),
        wilson(hits, len(group)),
        middle(delays) if hits else None,
        bootstrap(delays, middle),
        middle(shares) if len(shares) * 2 > len(group) else None,
    )


def _smallest(cells: Sequence[Cell]) -> Smallest:
    """A size counts if all larger ones do, too."""

    def first(good: Sequence[bool]) -> int | None:
        beyond = len(good) - next((n for n, each in enumerate(reversed(good)) if not each), len(good))
        return beyond if beyond < len(good) else None

    def size(place: int | None) -> float | None:
        return None if place is None else cells[place].size

    seen = first([each.recall >= RELIABLE for each in cells])
    may = first([each.interval is not None and each.interval[1] >= RELIABLE for each in cells])
    sure = first([each.interval is not None and each.interval[0] >= RELIABLE for each in cells])
    return Smallest(size(seen), (size(may), size(sure)), None if seen is None else cells[seen].share)
