"""Charts of many series at once with NumPy: the reference of the compiled kernel, which gives the same bits."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.control_chart.normal import LastNormal, Overall, level_and_scale
from anomscan.detectors.control_chart.season import Fit
from anomscan.detectors.control_chart.settings import (
    CALM,
    CAP,
    LASTING,
    MOST,
    MOST_EXCESS,
    MOST_SQUARE,
    SLACK,
    SUSPECT,
    VARIANCE,
    Charted,
    Settings,
)
from anomscan.telemetry.baseline import LEFT_OUT, NORMAL
from anomscan.telemetry.robust import MAD_TO_STD
from anomscan.telemetry.series import Floats


def chart(
    raw: Floats,
    values: Floats,
    usable: NDArray[np.bool_],
    years: Floats,
    waves: Floats,
    settings: Settings,
    told: NDArray[np.uint8] | NDArray[np.bool_] | None = None,
) -> Charted:
    """See :func:`anomscan.detectors.control_chart.chart.chart`."""
    series, n = values.shape
    last, fit = LastNormal(series, settings.memory), Fit.none(series, waves.shape[2])
    state, overall = _State(series, settings), Overall(series)
    score, level, scale = (np.full((series, n), np.nan) for _ in range(3))
    test = np.zeros((series, n), np.int8)
    flagged_in_row = np.zeros(series, np.int64)
    for start in range(0, n, settings.block):
        part = slice(start, min(start + settings.block, n))
        used = usable[:, part]
        seasonal = (fit.squares[:, 0, 0] >= settings.season_fewest) & ~state.repeats
        heights = fit.waves_of(seasonal)
        middle, one, lasting = _normal(last, overall, heights, waves, settings.fewest)
        level[:, part] = middle[:, None] + (heights[:, None, :] * waves[:, part]).sum(axis=2)
        scale[:, part] = one[:, None]
        with np.errstate(invalid="ignore"):
            z = (values[:, part] - level[:, part]) / scale[:, part]
        z[~used] = np.nan
        score[:, part], test[:, part], calm = state.step(z, raw[:, part], used, lasting, seasonal)
        flagged = score[:, part] > 1
        clean = used & ~flagged & (calm | np.isnan(z))
        left_out = forced = np.zeros(used.shape, bool)
        if told is not None:
            left_out, forced = told[:, part] == LEFT_OUT, told[:, part] == NORMAL
            clean = used & np.where(left_out | forced, forced, clean)
        last.add(values[:, part], clean, start)
        overall.add(values[:, part], used)
        fit.add(values[:, part], clean, years[:, part], waves[:, part])
        if settings.forget_after is None:
            continue
        for column in range(flagged.shape[1]):
            judged = np.isfinite(z[:, column]) & ~left_out[:, column]
            counted = flagged[:, column] & ~forced[:, column]
            flagged_in_row = np.where(judged, np.where(counted, flagged_in_row + 1, 0), flagged_in_row)
        for line in np.flatnonzero(flagged_in_row >= settings.forget_after).tolist():
            kept = usable[line, : part.stop]
            if told is not None:
                kept = kept & (told[line, : part.stop] != LEFT_OUT)
            rows = np.flatnonzero(kept)[-settings.forget_after :]
            last.restart(line, values[line, rows], rows)
            state.restart(line)
            flagged_in_row[line] = 0
    return Charted(score, test, level, scale)


def _normal(
    last: LastNormal, overall: Overall, heights: Floats, waves: Floats, fewest: int
) -> tuple[Floats, Floats, Floats]:
    """Level and scale (r,) without the season, NaN where they are not known yet; and how much deviations last."""
    count = last.count
    line = np.arange(len(count))[:, None]
    values = last.values
    if heights.any():
        values = values - (heights[:, None, :] * waves[line, last.rows]).sum(axis=2)
    level, scale = level_and_scale(values, count, overall)
    unknown = count < fewest
    level[unknown] = scale[unknown] = np.nan
    return level, scale, _lasting((values - level[:, None]) / scale[:, None], last)


def _lasting(deviations: Floats, last: LastNormal) -> Floats:
    """(r,) float64, 1 or more: how much wider means of some samples scatter than those of independent ones."""
    count, size = last.count, deviations.shape[1]
    # From the oldest on: the memory is a ring.
    order = (np.arange(size) + np.where(last.seen > size, last.seen % size, 0)[:, None]) % size
    ordered = np.take_along_axis(deviations, order, axis=1)
    sums = np.where(np.isfinite(ordered), ordered, 0.0).cumsum(axis=1)
    means = np.abs(sums[:, LASTING:] - sums[:, :-LASTING]) / LASTING
    means[np.arange(LASTING, size)[None, :] >= count[:, None]] = np.nan
    many = np.maximum(count - LASTING, 1)
    middle = np.sort(means, axis=1)[np.arange(len(means)), (many - 1) // 2]
    lasting = middle * MAD_TO_STD * math.sqrt(LASTING)
    return np.where(lasting > 1.0, lasting, 1.0)


class _State:
    """The sums of r series as they are after the last sample."""

    def __init__(self, series: int, settings: Settings) -> None:
        self._thresholds = settings.thresholds
        self._up, self._down, self._wide, self._before = (np.zeros(series) for _ in range(4))
        self._calm_up, self._calm_down, self._calm_wide = (np.zeros(series, np.int64) for _ in range(3))
        self._last, self._equal = np.full(series, np.nan), np.zeros(series, np.int64)
        self._pairs, self._equal_pairs = np.zeros(series, np.int64), np.zeros(series, np.int64)
        self._judged, self._far = np.zeros(series, np.int64), np.zeros(series, np.int64)
        self._excess, self._pending = np.zeros(series), np.zeros(series)
        self._near_in_row = np.full(series, LASTING)

    @property
    def repeats(self) -> NDArray[np.bool_]:
        """(r,) bool: more than a quarter of the values are those before them; they are levels, and have no season."""
        repeats: NDArray[np.bool_] = 4 * self._equal_pairs > self._pairs
        return repeats

    def restart(self, line: int) -> None:
        """Begin one series again."""
        for each in (self._up, self._down, self._wide):
            each[line] = 0.0

    def step(
        self, z: Floats, raw: Floats, used: NDArray[np.bool_], lasting: Floats, seasonal: NDArray[np.bool_]
    ) -> tuple[Floats, NDArray[np.int8], NDArray[np.bool_]]:
        """Go on by k samples: score and test of each, and whether no sum is on its way, (r, k) each."""
        limits = self._thresholds
        live = np.isfinite(z)
        known = np.where(live, z, 0.0)
        tails = zip(self._far.tolist(), self._excess.tolist(), self._judged.tolist(), strict=True)
        heavy = np.array([limits.heavy(*each) for each in tails])
        jump = np.abs(known) / (limits.jump * heavy)[:, None]
        jumps = jump > 1
        bounded = np.clip(known / lasting[:, None], -MOST, MOST)
        limit = np.where(seasonal, limits.shift, limits.unseasonal_shift)
        wide_limit = limits.spread * heavy
        shift, spread, stuck = (np.zeros(z.shape) for _ in range(3))
        equal_limit = np.array(list(map(limits.equal, self._equal_pairs.tolist(), self._pairs.tolist())))
        for column in range(z.shape[1]):
            on, now = live[:, column], known[:, column]
            self._look_at_tails(on, np.abs(now) / limits.far)
            self._up, self._calm_up = _summed(self._up, self._calm_up, bounded[:, column] - SLACK, limit, on)
            self._down, self._calm_down = _summed(self._down, self._calm_down, -bounded[:, column] - SLACK, limit, on)
            shift[:, column] = np.maximum(self._up, self._down) / limit
            # From one sample to the next, so that a level that is off adds nothing; and a jump is not noise.
            calm = on & ~jumps[:, column]
            square = np.minimum(np.square(now - self._before) / 2, MOST_SQUARE)
            self._before = np.where(calm, now, self._before)
            self._wide, self._calm_wide = _summed(self._wide, self._calm_wide, square - VARIANCE, wide_limit, calm)
            spread[:, column] = self._wide / wide_limit
            there, value = used[:, column], raw[:, column]
            same = there & (value == self._last)
            self._equal = np.where(there, np.where(same, self._equal + 1, 0), self._equal)
            self._last = np.where(there, value, self._last)
            stuck[:, column] = self._equal / equal_limit
            # What repeats because it is stuck says nothing about how often values repeat by chance.
            counted = there & (self._equal <= equal_limit)
            self._pairs += counted
            self._equal_pairs += counted & same
        tests = np.stack([jump, shift, spread, stuck])
        score = np.where(live, tests.max(axis=0), np.nan)
        which = np.where(live, tests.argmax(axis=0) + 1, 0).astype(np.int8)
        return score, which, (shift < SUSPECT) & (spread < SUSPECT)

    def _look_at_tails(self, on: NDArray[np.bool_], far: Floats) -> None:
        """Count samples that are far off and alone: those beside others are a fault, and say nothing about tails."""
        self._judged += on
        beyond = on & (far > 1)
        alone = on & ~beyond & (self._pending > 0)
        self._far += alone
        self._excess += np.where(alone, self._pending, 0.0)
        self._pending = np.where(on, 0.0, self._pending)
        for line in np.flatnonzero(beyond & (self._near_in_row >= LASTING)).tolist():
            self._pending[line] = math.log(min(far[line], MOST_EXCESS))
        self._near_in_row = np.where(beyond, 0, self._near_in_row + on)


def _summed(
    total: Floats, calm: NDArray[np.int64], step: Floats, limit: Floats | float, on: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.int64]]:
    """A one-sided cumulative sum one sample on, and how many calm samples it has seen in a row."""
    grown = np.maximum(np.minimum(total, CAP * limit) + step, 0.0)
    calm = np.where(on, np.where(step < 0, calm + 1, 0), calm)
    return np.where(on, np.where(calm >= CALM, 0.0, grown), total), calm
