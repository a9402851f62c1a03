"""The step between samples, and the zone of the clock that stamped them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from anomscan.guessing.times import Stamps
from anomscan.guessing.unsure import UnsureError
from anomscan.tables.zones import Moments

_S, _DAY = 1_000_000, 86_400_000_000
#: Steps that loggers have, in microseconds.
_USUAL = [
    n * unit
    for unit, steps in (
        (_S, (1, 2, 5, 10, 15, 20, 30)),
        (60 * _S, (1, 2, 3, 5, 10, 15, 20, 30)),
        (3600 * _S, (1, 2, 3, 4, 6, 8, 12)),
    )
    for n in steps
] + [_DAY, 7 * _DAY]
#: So large a share of the steps must be whole ones.
_EVEN = 0.95
#: So large a share of the assets may not have another step, told from so many of their steps, most of them alike.
_SOME, _ENOUGH, _MOST = 0.1, 10, 0.8
#: Zones whose changes of clocks are looked for, by what they change.
_ZONES = (
    "Europe/Berlin",
    "Europe/London",
    "Europe/Helsinki",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "Australia/Sydney",
)


@dataclass(frozen=True)
class Step:
    """The step between samples.

    Parameters
    ----------
    text
        As ``cadence``.
    us
        In microseconds.
    tolerance_s
        How far the samples lie off the grid, in whole seconds; 0 where they lie on it.
    even
        The share of steps that are whole ones.
    """

    text: str
    us: int
    tolerance_s: int = 0
    even: float = 1.0


def step_of(codes: NDArray[np.int32], stamps: Stamps) -> Step:
    """The step between the samples of each asset.

    Parameters
    ----------
    codes
        (n,) the asset of each row.

    Raises
    ------
    UnsureError
        Where the samples have no even step.
    """
    moments = _evenly_written(stamps)
    steps = _steps(codes, moments)
    if len(steps) == 0:
        raise UnsureError(
            "no asset has two samples, so that the step between them is not known", "--cadence", ["1D", "1h", "10min"]
        )
    found, counts = np.unique(steps, return_counts=True)
    usual = int(found[np.argmax(counts)])
    even = float(counts[found % usual == 0].sum() / counts.sum())
    months = {28, 29, 30, 31}
    if (
        {int(each) // _DAY for each in found[counts > 0.02 * counts.sum()]} <= months
        and len(found) > 1
        and usual >= 28 * _DAY
    ):
        raise UnsureError("there is a row each month, and months differ in length: finer data are needed", "--cadence")
    if even >= _EVEN and counts.max() >= 0.3 * counts.sum():
        _refuse_other_steps(codes, moments, usual)
        if usual % _S:
            raise UnsureError(f"samples are {usual / _S:g} s apart, less than whole seconds", "--cadence", ["1s"])
        return Step(_text(usual), usual, 0, even)
    jittered = _jittered(codes, moments, steps)
    if jittered is not None:
        return jittered
    raise UnsureError(
        f"the samples have no even step: mostly {_text(max(_S, usual // _S * _S))}, "
        f"but {1 - even:.0%} of the steps are others",
        "--cadence",
        [_text(max(_S, usual // _S * _S))],
    )


def _refuse_other_steps(codes: NDArray[np.int32], moments: Moments, usual: int) -> None:
    """Ask where some assets have samples less often than the others.

    Raises
    ------
    UnsureError
        If one in ten has, or more.
    """
    known = ~np.isnat(moments) & (codes >= 0)
    order = np.lexsort((moments[known], codes[known]))
    assets, times = codes[known][order], moments[known][order].astype(np.int64)
    steps, own = np.diff(times), assets[1:]
    within = (np.diff(assets) == 0) & (steps > 0)
    steps, own = steps[within], own[within]
    bounds = np.flatnonzero(np.diff(own, prepend=-1, append=-1))
    middles = np.array([np.median(steps[low:high]) for low, high in pairwise(bounds.tolist())])
    evenly = np.add.reduceat(steps == np.repeat(middles, np.diff(bounds)), bounds[:-1]) >= _MOST * np.diff(bounds)
    other = middles[(middles >= 2 * usual) & evenly & (np.diff(bounds) >= _ENOUGH)]
    if len(other) >= max(1, _SOME * len(middles)) and len(middles) > 1:
        slow = int(np.median(other)) // _S * _S
        raise UnsureError(
            f"{len(other)} of {len(middles)} assets have a sample every {_text(slow)}, the others every "
            f"{_text(usual)}: a file for each kind would be better",
            "--cadence",
            [_text(usual), _text(slow)],
        )


def _evenly_written(stamps: Stamps) -> Moments:
    """What is written, where that is always the same time of day; else the instants."""
    wall = stamps.wall[~np.isnat(stamps.wall)]
    clock = wall - wall.astype("datetime64[D]")
    return stamps.wall if stamps.utc is None or (len(clock) and (clock == clock[0]).all()) else stamps.utc


def _steps(codes: NDArray[np.int32], moments: Moments) -> NDArray[np.int64]:
    known = ~np.isnat(moments) & (codes >= 0)
    order = np.lexsort((moments[known], codes[known]))
    assets, times = codes[known][order], moments[known][order].astype(np.int64)
    steps: NDArray[np.int64] = np.diff(times)[np.diff(assets) == 0]
    return steps[steps > 0]


def _jittered(codes: NDArray[np.int32], moments: Moments, steps: NDArray[np.int64]) -> Step | None:
    """A usual step that the samples lie near to, if they are not days; None where there is none."""
    middle = float(np.median(steps))
    usual = min(_USUAL, key=lambda each: abs(each - middle) / each)
    if abs(usual - middle) > 0.1 * usual or usual >= _DAY:
        return None
    off = (moments[~np.isnat(moments)].astype(np.int64) + usual // 2) % usual - usual // 2
    near = float(np.quantile(np.abs(off), 0.995))
    tolerance = int(-(-near // _S)) or 1
    if tolerance * _S * 4 > usual:
        return None
    return Step(_text(usual), usual, tolerance, 1.0)


def _text(us: int) -> str:
    for unit, size in (("D", _DAY), ("h", 3600 * _S), ("min", 60 * _S), ("s", _S)):
        if us % size == 0:
            return f"{us // size}{unit}"
    return f"{us // _S}s"


def changed_clocks(codes: NDArray[np.int32], wall: Moments, step_us: int) -> list[str]:
    """Zones by whose changes of clocks there are holes or doubled hours in times without an offset; none if none fits.

    Parameters
    ----------
    codes
        (n,) the asset of each row.
    """
    if step_us > 3600 * _S:
        return []
    known = ~np.isnat(wall) & (codes >= 0)
    times, assets = wall[known], codes[known]
    if not len(times):
        return []
    first, last = int(str(times.min())[:4]), int(str(times.max())[:4])
    found = []
    for zone in _ZONES:
        signs = [
            _sign(times, assets, gap, doubled)
            for year in range(first, last + 1)
            for gap, doubled in _changes(zone, year)
        ]
        told = [sign for sign in signs if sign is not None]
        if told and sum(told) > len(told) / 2:
            found.append(zone)
    return found


def _changes(zone: str, year: int) -> list[tuple[np.datetime64, bool]]:
    """The hours of a year that a zone leaves out (False) and has twice (True), by their beginning."""
    info = ZoneInfo(zone)
    found: list[tuple[np.datetime64, bool]] = []
    moment = datetime(year, 1, 1, tzinfo=UTC)
    while moment.year == year:
        later = moment + timedelta(days=1)
        before, after = moment.astimezone(info).utcoffset(), later.astimezone(info).utcoffset()
        if before != after and before is not None and after is not None:
            hours = [moment + timedelta(hours=hour) for hour in range(1, 25)]
            at = next(each for each in hours if each.astimezone(info).utcoffset() == after)
            local = (at + min(after, before)).replace(tzinfo=None)
            found.append((np.datetime64(local, "us"), after < before))
        moment = later
    return found


def _sign(times: Moments, assets: NDArray[np.int32], hour: np.datetime64, doubled: bool) -> bool | None:
    """Whether an hour is left out, or there twice; None where the data are not there around it."""
    one = np.timedelta64(1, "h")
    around = [times[(times >= hour + k * one) & (times < hour + (k + 1) * one)] for k in (-2, -1, 0, 1, 2)]
    usual = min(len(around[0]), len(around[1]), len(around[3]), len(around[4]))
    if usual == 0:
        return None
    return len(around[2]) >= 1.8 * usual if doubled else len(around[2]) == 0
