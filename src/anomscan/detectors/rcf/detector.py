"""The forest as a detector: shingles of many assets are scored in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomscan.detectors.base import Capabilities, Scores
from anomscan.detectors.batches import Points, apart, together
from anomscan.detectors.rcf.facts import load_trained
from anomscan.detectors.rcf.forest import Forest
from anomscan.detectors.rcf.severity import Severity
from anomscan.errors import AnomscanError, ModelError
from anomscan.telemetry.cadence import parse_instant
from anomscan.telemetry.series import LARGEST, Floats, Series
from anomscan.telemetry.shingles import shingles_at, shingles_of


class RcfDetector:
    """A frozen forest.

    Parameters
    ----------
    name
        Its name in the settings.
    forest
        With the facts that ``train`` gave it: shingle, variables, cadence and trained_through.
    path
        Where it was read from, for errors.
    """

    def __init__(self, name: str, forest: Forest, path: Path) -> None:
        self.name = name
        self._forest = forest
        self._path = path
        self._severity = Severity.from_facts(forest.facts)
        self.capabilities = Capabilities(
            contribution=True, columns=() if self._severity is None else ("severity",), frozen=True
        )
        through = forest.facts.get("trained_through")
        self.trained_through = None if through is None else parse_instant(str(through))

    @property
    def fingerprint(self) -> str:
        """The forest's fingerprint."""
        return self._forest.fingerprint

    @classmethod
    def load(cls, name: str, path: Path) -> RcfDetector:
        """Read the model that ``train`` wrote.

        Raises
        ------
        ModelError
            If there is none, or it cannot be used.
        """
        return cls(name, load_trained(path), path)

    def check_view(self, view: str, peers: str) -> None:
        """Refuse a model that has learnt another view than the settings say.

        Raises
        ------
        ModelError
            Saying both.
        """
        wanted = "own" if view == "own" else f"{peers} to peers"
        learnt = str(self._forest.facts.get("view", "own"))
        if learnt != wanted:
            raise ModelError(
                f"model {self._path} was trained on view '{learnt}', the settings say '{wanted}'",
                hint=f"run anomscan train --detector {self.name}, or name another model",
            )

    def score(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[slice] | None = None
    ) -> list[Scores | AnomscanError]:
        """Score all shingles of a batch at once; see :meth:`anomscan.detectors.base.Detector.score`.

        Raises
        ------
        ModelError
            If the model was trained on other variables, another shingle or another cadence.
        """
        gathered = self._gathered(batch, [Points.of(series, shingle) for series in batch], shingle)
        return [self._with_severity(one.placed(score)) for one, score in gathered]

    def score_at(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[NDArray[np.intp]]
    ) -> list[Floats | AnomscanError]:
        """See :meth:`anomscan.detectors.base.FrozenDetector.score_at`.

        Raises
        ------
        ModelError
            As :meth:`score`.
        """
        if batch:
            points = shingles_of([series.values for series in batch], rows, shingle)
            if (np.abs(points) <= LARGEST).all():
                self._check_all(batch, shingle)
                scores = self._forest.score(points) if len(points) else np.empty(0)
                lines = self._lines(scores)
                edges = np.cumsum([0, *map(len, rows)]).tolist()
                return [lines[start:stop] for start, stop in pairwise(edges)]
        gathered = [Points.of(series, shingle, part) for series, part in zip(batch, rows, strict=True)]
        results: list[Floats | AnomscanError] = []
        for one, score in self._gathered(batch, gathered, shingle):
            every = np.full(len(one.scored), np.nan)
            every[one.scored] = score
            results.append(self._lines(every))
        return results

    def _lines(self, scores: Floats) -> Floats:
        """(m, 1 + c) float64: (m,) scores, with severity filled in, if the model is calibrated."""
        return scores[:, None] if self._severity is None else np.stack([scores, self._severity(scores)], axis=1)

    def _with_severity(self, scores: Scores) -> Scores:
        if self._severity is None:
            return scores
        return replace(scores, columns={"severity": self._severity(scores.score)})

    def _gathered(self, batch: Sequence[Series], points: Sequence[Points], shingle: int) -> list[tuple[Points, Floats]]:
        """The points of a batch, scored together, with the (m,) scores of each series."""
        self._check_all(batch, shingle)
        if not any(len(one.points) for one in points):
            return [(one, np.empty(0)) for one in points]
        return list(zip(points, apart(self._forest.score(together(points)), points), strict=True))

    def contributions(self, series: Series, rows: NDArray[np.intp], shingle: int) -> Floats | None:
        """(k, d) float64: the forest's attribution, summed over a variable's places in the shingle."""
        attribution = self._forest.attribution(shingles_at(series.values, rows, shingle))
        by_place: Floats = attribution.reshape(len(rows), shingle, len(series.variables))
        return np.asarray(by_place.sum(axis=1), np.float64)

    def _check_all(self, batch: Sequence[Series], shingle: int) -> None:
        checked = None
        for series in batch:
            layout = series.variables, series.cadence
            if layout != checked:
                self._check(series, shingle)
                checked = layout

    def _check(self, series: Series, shingle: int) -> None:
        asked = {"shingle": shingle, "variables": list(series.variables), "cadence": series.cadence.name}
        for fact, value in asked.items():
            trained = self._forest.facts.get(fact, value)
            if trained != value:
                raise ModelError(
                    f"model {self._path} was trained with {fact} {_said(trained)}, this run has {_said(value)}",
                    hint=f"run anomscan train --detector {self.name}, or name another model",
                )
        if self._forest.dimension != shingle * len(series.variables):
            raise ModelError(
                f"model {self._path} takes points of dimension {self._forest.dimension}, "
                f"a shingle of {shingle} x {len(series.variables)} variables has {shingle * len(series.variables)}",
                hint=f"run anomscan train --detector {self.name}",
            )


def _said(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
