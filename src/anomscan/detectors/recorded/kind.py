"""The kind ``recorded``: scores computed elsewhere, read from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from anomscan.config import RecordedSettings as Settings
from anomscan.detectors.base import Detector
from anomscan.detectors.kind import Kind


class RecordedKind(Kind):
    """Has no model."""

    words = "scores that were computed elsewhere and read from a file"
    recorded = True

    @contextmanager
    def opened(self, name: str, settings: Settings, warn: Callable[[str], None]) -> Iterator[Detector]:
        """Open the file."""
        from anomscan.detectors.recorded import Recorded

        with closing(Recorded(name, settings.path)) as detector:
            yield detector

    def lacking(self, settings: Settings) -> str | None:
        """Say which file is not there."""
        return None if settings.path.exists() else f"there is no {settings.path}"


KIND = RecordedKind()
