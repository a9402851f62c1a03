"""Which assets a forest learns from: those with a complete, calm year."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.points import beyond
from anomscan.detectors.stretches import Fleet, StretchPoints, View, as_it_is, known, last_run
from anomscan.errors import NoExemplarsError
from anomscan.telemetry.robust import MAD_TO_STD
from anomscan.telemetry.series import LARGEST, Floats
from anomscan.wording import counted

_FAR_OUT = "far from all others"
_FROZEN = "is 0, not above"


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
    assets
        Those taken, sorted by code point.
    stds
        (number of assets, d) float64: the std of each variable of each.
    left
        Asset and why it was left, sorted by asset.
    points
        (m, L * d) float64: the shingles of the exemplars' stretches, asset after asset; ``points[rows]`` reads some.
    trained_through
        The last sample that had a say, chosen or not.
    """

    assets: list[str]
    stds: Floats
    left: list[tuple[str, str]]
    points: StretchPoints | Floats
    trained_through: np.datetime64


def choose(
    fleet: Fleet, criteria: Criteria, *, shingle: int, through: np.datetime64 | None, view: View = as_it_is
) -> Exemplars:
    """Choose the exemplars of a fleet.

    An asset is judged by its last run of ``criteria.samples`` consecutive finite samples up to ``through``, in the
    view of the detector; but frozen is what was measured. Of each no more is kept than its name and what speaks for or
    against it: the fleet is gone through again for the points.

    Raises
    ------
    NoExemplarsError
        If none is fit; the hint says which limit stood most in the way.
    """
    taken: list[str] = []
    spreads = array("d")
    left: list[tuple[str, str]] = []
    last: np.datetime64 | None = None
    for chunk in fleet():
        for series in chunk:
            rows = known(series, through)
            if rows:
                last = series.timestamps[rows - 1] if last is None else max(last, series.timestamps[rows - 1])
            seen = view(series)
            run = last_run(seen, rows, criteria.samples)
            if run is None:
                # Thousands may be left out for the same reason, which need not be stored as often.
                left.append((series.asset, sys.intern(_too_few(rows, criteria))))
                continue
            stretch = seen.values[run]
            if np.abs(stretch).max() > LARGEST:
                left.append((series.asset, beyond(seen, slice(rows))[-1]))
                continue
            std = np.where(_frozen(stretch) | _frozen(series.values[run]), 0.0, _spread(stretch))
            reason = _reason(series.variables, stretch, std, criteria)
            if reason:
                left.append((series.asset, sys.intern(reason)))
            else:
                taken.append(series.asset)
                spreads.extend(std.tolist())
    left.sort()
    if not taken or last is None:
        raise _nobody(left, criteria)
    order = sorted(range(len(taken)), key=taken.__getitem__)
    stds = np.frombuffer(spreads).reshape(len(taken), -1)[order]
    assets = [taken[place] for place in order]
    points = StretchPoints(fleet, view, assets, stds.shape[1], criteria.samples, shingle, through)
    return Exemplars(assets, stds, left, points, last)


def _spread(stretch: Floats) -> Floats:
    """(d,) float64: the std (ddof = 1) of each variable."""
    with np.errstate(over="ignore", invalid="ignore"):  # of values near the largest float it is infinite
        return np.asarray(stretch.std(axis=0, ddof=1))


def _frozen(stretch: Floats) -> NDArray[np.bool_]:
    """(d,) bool: the variables of which all values are equal; their std may be a little above 0, by rounding."""
    return np.asarray(stretch.max(axis=0) == stretch.min(axis=0))


def _too_few(rows: int, criteria: Criteria) -> str:
    return f"no {criteria.samples} consecutive finite samples among its {rows}"


def _reason(variables: Sequence[str], stretch: Floats, std: Floats, criteria: Criteria) -> str:
    for place, (variable, spread) in enumerate(zip(variables, std, strict=True)):
        if spread <= criteria.min_std:
            return f"std of {variable} is {spread:.4g}, not above {criteria.min_std:g}"
        if spread >= criteria.max_std:
            far = _far_out(stretch[:, place])
            where = "" if far is None else f": {far:g} is {_FAR_OUT}"
            return f"std of {variable} is {spread:.4g}, not below {criteria.max_std:g}{where}"
    return ""


def _far_out(values: Floats) -> float | None:
    """The value that lies 1,000 stds of the other values away from them, if one does: as a rule it stands for none."""
    distance = np.abs(values - np.median(values))
    worst = int(distance.argmax())
    return float(values[worst]) if distance[worst] > 1000 * MAD_TO_STD * np.median(distance) > 0 else None


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
    if not kinds[setting]:
        remedy = "name it in missing of the source, or set plausible, and fetch again with --from"
        return NoExemplarsError(
            f"none of {counted(len(left), 'asset')} is fit to train on; '{asset}': {reason}", hint=remedy
        )
    if setting.endswith("max_std") and 2 * sum(_FAR_OUT in reason for _, reason in left) > kinds[setting]:
        return NoExemplarsError(
            f"none of {counted(len(left), 'asset')} is fit to train on; '{asset}': {reason}",
            hint="does it stand for a missing value? name it in missing of the source, and fetch again with --from",
        )
    if setting.endswith("min_std") and 2 * sum(_FROZEN in reason for _, reason in left) > kinds[setting]:
        return NoExemplarsError(
            f"none of {counted(len(left), 'asset')} is fit to train on; '{asset}': {reason}",
            hint="a variable that never changes teaches nothing: leave it out of columns.values of the source",
        )
    verb = "raise" if setting.endswith("max_std") else "lower"
    return NoExemplarsError(
        f"none of {counted(len(left), 'asset')} is fit to train on; '{asset}': {reason}",
        hint=f"{verb} {setting} (it excluded {kinds[setting]})",
    )
