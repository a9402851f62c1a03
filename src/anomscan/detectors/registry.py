"""Settings to detectors: the one table of kinds."""

from __future__ import annotations

from anomscan.config import RcfDetector as RcfSettings
from anomscan.config import RecordedDetector as RecordedSettings
from anomscan.detectors.base import Detector


def build(name: str, settings: RcfSettings | RecordedSettings) -> Detector:
    """Make the detector that a section of the settings describes, ready to score.

    Raises
    ------
    InputError
        If its model or file cannot be used.
    """
    if isinstance(settings, RcfSettings):
        from anomscan.detectors.rcf.detector import RcfDetector

        return RcfDetector.load(name, settings.model)
    from anomscan.detectors.recorded import Recorded

    return Recorded(name, settings.path)
