"""The kind ``nearest``: the nearest past, in this process, without training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anomscan.config import NearestSettings as Settings
from anomscan.detectors.base import Detector
from anomscan.detectors.kind import Kind


class NearestKind(Kind):
    """Has no model."""

    words = "the distance to the most similar stretch of the asset's own past"

    @contextmanager
    def opened(self, name: str, settings: Settings, warn: Callable[[str], None]) -> Iterator[Detector]:
        """Take the settings."""
        from anomscan.detectors.nearest.detector import NearestPast

        yield NearestPast(name, settings)


KIND = NearestKind()
