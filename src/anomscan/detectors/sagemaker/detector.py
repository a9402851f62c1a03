"""The endpoint as a detector: each request carries shingles of many assets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anomscan.config import SageMakerSettings as Settings
from anomscan.detectors.base import Capabilities, Scores
from anomscan.detectors.batches import Points
from anomscan.detectors.recording import Scorer
from anomscan.errors import AnomscanError, ModelError
from anomscan.telemetry.cadence import last_instant
from anomscan.telemetry.series import Floats, Series


class SageMakerDetector:
    """A forest behind an endpoint.

    Parameters
    ----------
    name
        Its name in the settings.
    settings
        Its section, which may say what the model was trained on.
    scorer
        The endpoint's runtime, or a recording of it.
    """

    capabilities = Capabilities(remote=True)

    def __init__(self, name: str, settings: Settings, scorer: Scorer) -> None:
        self.name = name
        self._settings = settings
        self._scorer = scorer
        through = settings.trained_through
        self.trained_through = None if through is None else last_instant(through)

    @property
    def fingerprint(self) -> str:
        """The name of the endpoint; which model it serves is not known here."""
        return self._settings.endpoint

    def score(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[slice] | None = None
    ) -> list[Scores | AnomscanError]:
        """Score all shingles of a batch; see :meth:`anomscan.detectors.base.Detector.score`.

        An asset gets an AssetError unless all of its points were scored by the deadline.

        Raises
        ------
        ModelError
            If the model was trained on other variables or another shingle.
        InputError, ServiceError
            As :meth:`anomscan.detectors.recording.Scorer.score` raises them.
        """
        for series in batch:
            self._check(series, shingle)
        gathered = [Points.of(series, shingle) for series in batch]
        asked = [one for one in gathered if len(one.points)]
        found = self._scorer.score([one.points.astype("<f4") for one in asked]) if asked else []
        answers = dict(zip(map(id, asked), found, strict=True))
        results: list[Scores | AnomscanError] = []
        for one in gathered:
            answer = answers.get(id(one), np.empty(0))
            results.append(answer if isinstance(answer, AnomscanError) else one.placed(answer))
        return results

    def contributions(self, series: Series, rows: NDArray[np.intp], shingle: int) -> Floats | None:
        """None: the endpoint returns only scores."""
        return None

    def _check(self, series: Series, shingle: int) -> None:
        asked = {"shingle": shingle, "variables": series.variables}
        for fact, value in asked.items():
            trained = getattr(self._settings, fact)
            if trained not in (None, value):
                raise ModelError(
                    f"the model of endpoint '{self._settings.endpoint}' was trained with {fact} {_said(trained)}, "
                    f"this run has {_said(value)}",
                    hint=f"name another endpoint, or correct {fact} of the detector '{self.name}'",
                )


def _said(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
