"""anomscan finds the bad days of a fleet: fetch telemetry, score it, merge anomalous days into spans, report."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anomscan.api.reading import read
    from anomscan.api.result import Result
    from anomscan.api.running import detect, scan, train
    from anomscan.api.scoring import score
    from anomscan.detectors.rcf.forest import Forest
    from anomscan.errors import AnomscanError

__version__ = "0.2.0"
__all__ = ["AnomscanError", "Forest", "Result", "detect", "read", "scan", "score", "train"]

#: Imported when they are asked for: the command line starts without them.
_HOMES = {
    "AnomscanError": "anomscan.errors",
    "Forest": "anomscan.detectors.rcf.forest",
    "Result": "anomscan.api.result",
    "detect": "anomscan.api.running",
    "read": "anomscan.api.reading",
    "scan": "anomscan.api.running",
    "score": "anomscan.api.scoring",
    "train": "anomscan.api.running",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'anomscan' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
