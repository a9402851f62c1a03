"""Scores read from a file: for smoke tests, and for scores computed elsewhere."""

from anomscan.detectors.recorded.detector import Recorded

__all__ = ["Recorded"]
