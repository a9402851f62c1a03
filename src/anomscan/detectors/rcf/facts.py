"""What ``train`` writes into a model beside the forest, and what may be read from one that somebody changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomscan.detectors.rcf.forest import Forest
from anomscan.errors import ConfigError, ModelError
from anomscan.telemetry.cadence import Cadence, parse_instant


def load_trained(path: Path) -> Forest:
    """Read a model that ``train`` wrote.

    Raises
    ------
    ModelError
        If there is none, or it cannot be used.
    """
    forest = Forest.load(path)
    wrong = next(
        (name for name, check in _CHECKS.items() if name in forest.facts and not _passes(check, forest.facts[name])),
        None,
    )
    if wrong is not None:
        raise ModelError(f"model {path} has an invalid {wrong}", hint="run anomscan train")
    return forest


def _passes(check: Any, value: Any) -> bool:
    try:
        return bool(check(value))
    except (ValueError, TypeError, KeyError, OverflowError, ConfigError):
        return False


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _severity(value: Mapping[str, Any]) -> bool:
    return all(type(value[name]) in (int, float) and math.isfinite(value[name]) for name in ("median", "q99"))


_CHECKS = {
    "shingle": lambda value: type(value) is int,
    "variables": _texts,
    "cadence": Cadence.parse,
    "trained_through": lambda value: parse_instant(value) is not None,
    "severity": _severity,
    "exemplars": _texts,
}
