"""Which assets a forest learns from: those with a complete, calm year."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from anomscan.errors import NoExemplarsError
from anomscan.telemetry.series import Floats, Series
from anomscan.telemetry.shingles import shingles


@dataclass(frozen=True, slots=True)
class Criteria:
    """What makes an exemplar.

    Parameters
    ----------
    samples
        Consecutive finite samples wanted: a year of days by default.
    min_std, max_std
        Both exclusive: the std (ddof = 1) of every variable over those samples lies between them.
    """

    samples: int = 365
    min_std: float = 0.0
    max_std: float = 0.10


@dataclass(frozen=True, slots=True, eq=False)
class Exemplars:
    """What was chosen.

    Parameters
    ----------
    taken
        Asset and the std of each variable, sorted by asset.
    left
        Asset and why it was left, sorted by asset.
    points
        (m, L * d) float64: the shingles of the exemplars' stretches, asset after asset.
    trained_through
        The last sample that had a say, chosen or not.
    """

    taken: list[tuple[str, tuple[float, ...]]]
    left: list[tuple[str, str]]
    points: Floats
    trained_through: np.datetime64


def choose(
    chunks: Iterable[Sequence[Series]], criteria: Criteria, *, shingle: int, through: np.datetime64 | None
) -> Exemplars:
    """Choose the exemplars of a fleet.

    An asset is judged by its last run of ``criteria.samples`` consecutive finite samples up to ``through``.

    Raises
    ------
    NoExemplarsError
        If none is fit; the hint says which limit stood most in the way.
    """
    stretches: dict[str, Floats] = {}
    stds: dict[str, tuple[float, ...]] = {}
    left: list[tuple[str, str]] = []
    last: np.datetime64 | None = None
    for chunk in chunks:
        for series in chunk:
            rows = len(series) if through is None else int(np.searchsorted(series.timestamps, through, "right"))
            if rows:
                last = series.timestamps[rows - 1] if last is None else max(last, series.timestamps[rows - 1])
            stretch = _last_run(series, rows, criteria.samples)
            std = None if stretch is None else stretch.std(axis=0, ddof=1)
            reason = _reason(series, rows, std, criteria)
            if reason or stretch is None or std is None:
                left.append((series.asset, reason))
            else:
                stretches[series.asset] = stretch
                stds[series.asset] = tuple(map(float, std))
    left.sort()
    if not stretches or last is None:
        raise _nobody(left, criteria)
    order = sorted(stretches)
    points = np.concatenate([shingles(stretches[asset], shingle) for asset in order])
    return Exemplars([(asset, stds[asset]) for asset in order], left, points, last)


def _last_run(series: Series, rows: int, samples: int) -> Floats | None:
    """(samples, d): the values of the last so many consecutive finite samples among the first rows, None if none."""
    finite = np.flatnonzero(np.isfinite(series.values[:rows]).all(axis=1))
    if len(finite) < samples:
        return None
    # samples rows are consecutive where the first and the last lie samples - 1 steps apart
    spread = series.timestamps[finite[samples - 1 :]] - series.timestamps[finite[: len(finite) - samples + 1]]
    ends = np.flatnonzero(spread == (samples - 1) * series.cadence.step)
    if len(ends) == 0:
        return None
    end = int(ends[-1])
    return series.values[finite[end : end + samples]]


def _reason(series: Series, rows: int, std: Floats | None, criteria: Criteria) -> str:
    if std is None:
        return f"no {criteria.samples} consecutive finite samples among its {rows}"
    for variable, spread in zip(series.variables, std, strict=True):
        if spread <= criteria.min_std:
            return f"std of {variable} is {spread:.4g}, not above {criteria.min_std:g}"
        if spread >= criteria.max_std:
            return f"std of {variable} is {spread:.4g}, not below {criteria.max_std:g}"
    return ""


def _nobody(left: Sequence[tuple[str, str]], criteria: Criteria) -> NoExemplarsError:
    if not left:
        return NoExemplarsError("there is no asset to train on", hint="run anomscan fetch")
    kinds = {
        "[train] samples": sum("consecutive" in reason for _, reason in left),
        "[train] max_std": sum("not below" in reason for _, reason in left),
        "[train] min_std": sum("not above" in reason for _, reason in left),
    }
    setting = max(kinds, key=lambda kind: kinds[kind])
    asset, reason = left[0]
    verb = "raise" if setting.endswith("max_std") else "lower"
    return NoExemplarsError(
        f"none of {len(left)} assets is fit to train on; '{asset}': {reason}",
        hint=f"{verb} {setting} (it stood in the way of {kinds[setting]})",
    )
