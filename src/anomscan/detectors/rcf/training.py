"""Exemplars to a saved forest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from anomscan.config import RcfDetector as RcfSettings
from anomscan.config import TrainSettings
from anomscan.detectors.rcf.exemplars import Criteria, Exemplars, choose
from anomscan.detectors.rcf.forest import Forest
from anomscan.detectors.rcf.severity import Severity
from anomscan.telemetry.cadence import instant_text
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.series import Series

#: Training points that severity is calibrated by; they are spread evenly.
_CALIBRATION = 20_000


def train(
    chunks: Iterable[Sequence[Series]],
    layout: Layout,
    settings: RcfSettings,
    criteria: TrainSettings,
    *,
    shingle: int,
    through: np.datetime64 | None,
) -> Exemplars:
    """Choose exemplars, fit a forest on their shingles and save it where the settings say.

    Returns
    -------
    What was taken and left, and why.

    Raises
    ------
    NoExemplarsError
        If no asset is fit.
    OutputError
        If the model cannot be written; the old one stays.
    """
    limits = Criteria(criteria.samples, criteria.min_std, criteria.max_std)
    exemplars = choose(chunks, limits, shingle=shingle, through=through)
    forest = Forest.fit(
        exemplars.points,
        trees=settings.trees,
        sample_size=settings.sample_size,
        seed=settings.seed,
        sampling=settings.sampling,
    )
    if len(layout.variables) > 1:
        sample = exemplars.points[:: -(-len(exemplars.points) // _CALIBRATION)]
        forest = forest.with_facts(severity=Severity.of(forest.score(sample)).facts())
    forest = forest.with_facts(
        shingle=shingle,
        variables=list(layout.variables),
        cadence=layout.cadence.name,
        trained_through=instant_text(exemplars.trained_through),
        exemplars=[asset for asset, _ in exemplars.taken],
    )
    settings.model.parent.mkdir(parents=True, exist_ok=True)
    forest.save(settings.model)
    return exemplars
