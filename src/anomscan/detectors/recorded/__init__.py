"""Scores read from a file: for smoke runs, and for scores made elsewhere."""

from anomscan.detectors.recorded.detector import Recorded

__all__ = ["Recorded"]
