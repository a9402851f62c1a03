"""Random Cut Forest in this process: grown once, frozen, then asked."""

from anomscan.detectors.rcf.forest import Forest

__all__ = ["Forest"]
