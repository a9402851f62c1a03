"""Settings and series for tests of the azure detector."""

from __future__ import annotations

import numpy as np

from anomscan.config import AzureSettings
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Series

KEY = "0123456789abcdef-the-key-of-the-service"


def settings(url: str, **changes: object) -> AzureSettings:
    """Settings of a service that may be asked as often as one likes."""
    quick = {"calls_per_minute": 1e6, "poll_s": 0.01, "model_id": "m"}
    return AzureSettings.model_validate({"kind": "azure", "endpoint": url, "key": KEY, **quick, **changes})


def series_of(values: np.ndarray, variables: tuple[str, ...] | None = None, start: str = "2021-01-01") -> Series:
    """One asset, a sample a minute; ``values`` (n, d)."""
    cadence = Cadence.parse("1min")
    names = variables or tuple(f"v{column}" for column in range(values.shape[1]))
    timestamps = np.datetime64(start, "us") + np.arange(len(values)) * cadence.step
    return Series("pump", cadence, names, timestamps, np.asarray(values, np.float64))
