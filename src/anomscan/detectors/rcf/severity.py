"""A forest's score, which has no scale of its own, as a severity from 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from anomscan.telemetry.series import Floats


@dataclass(frozen=True, slots=True)
class Severity:
    """What the scores of the training points say about other scores.

    The severity is 0 up to the training's median score m, and 1 - exp(-(score - m) / (q - m)) above it, q being the
    99th percentile: 0.63 at q, 0.86 at twice its distance from the median, never falling, never above 1.

    Parameters
    ----------
    median, q99
        Of the training points' scores.

    Examples
    --------
    >>> Severity(1.0, 2.0)(np.array([0.5, 1.0, 2.0, 3.0, np.nan])).round(2)
    array([0.  , 0.  , 0.63, 0.86,  nan])
    """

    median: float
    q99: float

    @classmethod
    def of(cls, scores: Floats) -> Severity:
        """Calibrate with (n,) scores of training points, n >= 1."""
        median, q99 = np.quantile(scores, [0.5, 0.99])
        return cls(float(median), float(q99))

    @classmethod
    def from_facts(cls, facts: Mapping[str, object]) -> Severity | None:
        """Read what :meth:`facts` wrote into a model; None if there is nothing."""
        found = facts.get("severity")
        return cls(float(found["median"]), float(found["q99"])) if isinstance(found, dict) else None

    def facts(self) -> dict[str, float]:
        """The form in which a model stores it."""
        return asdict(self)

    def __call__(self, scores: Floats) -> Floats:
        """(n,) float64 between 0 and 1, NaN where the score is NaN."""
        above = np.maximum(scores - self.median, 0.0)
        # if all training scores were equal, anything above them is as strange as can be
        width = max(self.q99 - self.median, np.finfo(np.float64).tiny)
        with np.errstate(over="ignore"):
            return np.asarray(-np.expm1(-above / width), np.float64)
