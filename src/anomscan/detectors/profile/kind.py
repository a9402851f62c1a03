"""The kind ``profile``: the matrix profile, in this process, without training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anomscan.config import ProfileSettings as Settings
from anomscan.detectors.base import Detector
from anomscan.detectors.kind import Kind


class ProfileKind(Kind):
    """Has no model."""

    words = "the distance to the most similar other stretch of the asset's own history"

    @contextmanager
    def opened(self, name: str, settings: Settings, warn: Callable[[str], None]) -> Iterator[Detector]:
        """Take the settings."""
        from anomscan.detectors.profile.detector import MatrixProfile

        yield MatrixProfile(name, settings)


KIND = ProfileKind()
