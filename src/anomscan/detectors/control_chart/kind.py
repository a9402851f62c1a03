"""The kind ``control-chart``: statistical process control, in this process, without training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anomscan.config import ControlChartSettings as Settings
from anomscan.detectors.base import Detector
from anomscan.detectors.kind import Kind


class ControlChartKind(Kind):
    """Has no model."""

    words = "a control chart of what is left of a value after what was expected: jump, drift, spread, stuck"

    @contextmanager
    def opened(self, name: str, settings: Settings, warn: Callable[[str], None]) -> Iterator[Detector]:
        """Take the settings."""
        from anomscan.detectors.control_chart.detector import ControlChart, check

        check(settings)
        yield ControlChart(name, settings)


KIND = ControlChartKind()
