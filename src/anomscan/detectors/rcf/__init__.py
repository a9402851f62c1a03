"""A Random Cut Forest in this process: grown once, then frozen."""

from anomscan.detectors.rcf.forest import Forest

__all__ = ["Forest"]
