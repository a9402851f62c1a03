"""Which rows of a fetch are stored, the slow, obvious way: one asset and one row at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: A timestamp in seconds, a value and a health.
Row = tuple[int, float | None, str | None]
Content = tuple[float | None, str | None]


@dataclass
class Settled:
    """What is stored of an asset after a fetch, and which of the fetched rows are not."""

    stored: dict[int, Content]
    kept: int = 0
    rejects: list[Row] = field(default_factory=list)
    failed: bool = False
    off: int = 0
    samples: int = 0


def settle(stored: Mapping[int, Content], rows: Sequence[Row], step: int, tolerance: int, how: str) -> Settled:
    """``rows`` of one asset in the order in which they came; ``stored`` lies on one grid."""
    samples = sorted({row[0] for row in rows})
    old = min(stored, default=None)
    anchor = _most(samples, step, tolerance)
    if old is not None and len(_taken(samples, anchor, step, tolerance)) <= len(
        stored.keys() | _taken(samples, old, step, tolerance)
    ):
        anchor = old
    off = [row for row in rows if _moved(row[0], anchor, step, tolerance) is None]
    off_samples = {row[0] for row in off}
    if len(off_samples) >= 10 and 3 * len(off_samples) > len(samples):
        return Settled(dict(stored), 0, [], True, len(off_samples), len(samples))
    groups: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row[0]):
        moved = _moved(row[0], anchor, step, tolerance)
        if moved is not None:
            groups.setdefault(moved, []).append((moved, *row[1:]))
    result: dict[int, Content] = {}
    for moved, group in groups.items():
        distinct = list(dict.fromkeys(row[1:] for row in group))
        if len(distinct) == 1 or how == "first":
            result[moved] = distinct[0]
        elif how == "last":
            result[moved] = group[-1][1:]
        elif how == "mean":
            values = [value for value, _ in distinct if value is not None]
            result[moved] = (math.fsum(values) / len(values) if values else None), group[-1][2]
        else:
            off += group
    if not result:
        return Settled(dict(stored), 0, off, False, len(off_samples), len(samples))
    on_old_grid = old is None or (old - anchor) % step == 0
    kept = {**(stored if on_old_grid else {}), **result}
    return Settled(kept, len(result), off, False, len(off_samples), len(samples))


def _moved(t: int, anchor: int, step: int, tolerance: int) -> int | None:
    """The instant of the grid that ``t`` stands for."""
    for distance in range(tolerance + 1):
        for moved in (t - distance, t + distance):
            if (moved - anchor) % step == 0:
                return moved
    return None


def _taken(samples: Sequence[int], anchor: int, step: int, tolerance: int) -> set[int]:
    return {moved for t in samples if (moved := _moved(t, anchor, step, tolerance)) is not None}


def _most(samples: Sequence[int], step: int, tolerance: int) -> int:
    """The grid that takes most samples: of equals, that of the sample that came first, and then the roundest."""
    if tolerance and 2 * sum(_moved(t, 0, step, tolerance) is not None for t in samples) > len(samples):
        return 0
    best = max(sum((t - low) % step <= 2 * tolerance for t in samples) for low in samples)
    for first in samples:
        # Stretches of offsets, each beginning with a sample, that hold the first of all samples that any of them holds.
        lows = [low for low in samples if sum((t - low) % step <= 2 * tolerance for t in samples) == best]
        held = [low for low in lows if (first - low) % step <= 2 * tolerance]
        if held:
            low = min(held, key=lambda low: low % step)
            high = max((t - low) % step for t in samples if (t - low) % step <= 2 * tolerance) + low % step
            return _roundest(high - tolerance, low % step + tolerance, step) % step
    raise AssertionError


def _roundest(low: int, high: int, step: int) -> int:
    for unit in (step, 43_200, 21_600, 3_600, 1_800, 900, 600, 300, 60, 30, 15, 10, 5, 1):
        if unit <= step:
            for candidate in range(low, high + 1):
                if candidate % unit == 0:
                    return candidate
    raise AssertionError
