"""Exemplars to a saved forest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomscan.config import RcfSettings, TrainSettings
from anomscan.detectors.exemplars import Criteria, Exemplars, choose
from anomscan.detectors.rcf.forest import Forest
from anomscan.detectors.rcf.severity import Severity
from anomscan.detectors.stretches import Fleet, View, as_it_is
from anomscan.memory import require
from anomscan.telemetry.cadence import instant_text
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.series import Floats

#: Training points used to calibrate severity; they are spread evenly.
_CALIBRATION = 20_000


def train(
    fleet: Fleet,
    layout: Layout,
    settings: RcfSettings,
    criteria: TrainSettings,
    *,
    shingle: int,
    through: np.datetime64 | None,
    view: View = as_it_is,
) -> Exemplars:
    """Choose exemplars, fit a forest on their shingles and save it where the settings say.

    The fleet is gone through twice: to choose, and for the points that the forest sees. Their number is bounded, so
    of a larger fleet only the names take more memory (with ``sagemaker`` sampling, 4 bytes a shingle, too).

    Returns
    -------
    What was taken and left, and why.

    Raises
    ------
    NoExemplarsError
        If no asset is fit.
    InputError
        If the forest takes more memory than there is.
    OutputError
        If the model cannot be written; the old one stays.
    """
    limits = Criteria(criteria.samples, criteria.min_std, criteria.max_std)
    exemplars = choose(fleet, limits, shingle=shingle, through=through, view=view)
    n = len(exemplars.points)
    _check_room(n, shingle * len(layout.variables), settings)
    spread = np.arange(0, n, max(-(-n // _CALIBRATION), 1)) if len(layout.variables) > 1 else np.empty(0, np.int64)
    calibration: list[Floats] = []

    def gather(rows: NDArray[np.int64]) -> Floats:
        points = exemplars.points[np.concatenate([rows, spread])]
        calibration.append(points[len(rows) :])
        return points[: len(rows)]

    forest = Forest.fit_drawn(
        n,
        gather,
        trees=settings.trees,
        sample_size=settings.sample_size,
        seed=settings.seed,
        sampling=settings.sampling,
    )
    if len(layout.variables) > 1:
        forest = forest.with_facts(severity=Severity.of(forest.score(calibration[0])).facts())
    forest = forest.with_facts(
        shingle=shingle,
        variables=list(layout.variables),
        cadence=layout.cadence.name,
        trained_through=instant_text(exemplars.trained_through),
        exemplars=exemplars.assets,
        **({} if settings.view == "own" else {"view": f"{settings.peers} to peers"}),
    )
    forest.save(settings.model)
    return exemplars


def _check_room(n: int, dimension: int, settings: RcfSettings) -> None:
    """See that there is room for the points that are drawn and, twice while it grows, for the boxes of a forest.

    Raises
    ------
    InputError
        If there is not.
    """
    size = min(settings.sample_size, n)
    points = min(settings.trees * size, n) + min(_CALIBRATION, n)
    boxes = settings.trees * (2 * size - 1) * 2
    require(
        (points * 12 + boxes * 2 * 4) * dimension,
        f"a forest of {settings.trees} trees of {size} points with {dimension:,} numbers each",
        "lower trees or sample_size, or take fewer variables",
    )
