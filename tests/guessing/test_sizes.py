"""Whether assets are compared by their ratio."""

from __future__ import annotations

import numpy as np
import pytest

from anomscan.guessing.guess import guess
from anomscan.guessing.said import Said
from anomscan.guessing.sample import Sample, column_of

DAYS = np.datetime64("2025-01-01") + np.arange(200)
RANDOM = np.random.default_rng(3)
#: Less than half of all samples.
WEEKDAY = np.where(np.arange(200) % 7 < 2, 1.0, 0.15)


def shops(size: float = 1.0) -> np.ndarray:
    """(8, 200) values of assets of which some are much larger than others."""
    sizes = 1 + size * np.arange(8)
    return sizes[:, None] * WEEKDAY * RANDOM.normal(1, 0.03, (8, 200))


def sites(level: float) -> np.ndarray:
    """(8, 200) values with weather in common, each with a level of its own."""
    weather = RANDOM.normal(0, 0.05, 200)
    return level + RANDOM.normal(0, 0.03, (8, 1)) + weather + RANDOM.normal(0, 0.012, (8, 200))


def columns(values: np.ndarray, layout: str) -> dict[str, object]:
    days = DAYS.astype(object).tolist()
    if layout == "wide":
        return {"day": days, **{f"S{k}": line.tolist() for k, line in enumerate(values)}}
    return {
        "asset": [f"S{k}" for k in range(len(values)) for _ in days],
        "day": days * len(values),
        "y": values.ravel().tolist(),
    }


@pytest.mark.parametrize("layout", ["long", "wide"])
@pytest.mark.parametrize(
    ("values", "ratio"),
    [
        (shops(), True),
        (shops(size=0.0), False),
        (sites(0.8), False),
        (sites(0.0), False),
        (shops() * (WEEKDAY == 1), False),
        (-shops(), False),
        (np.where(RANDOM.random((8, 200)) < 0.002, -5.0, shops()), True),
    ],
    ids=["sizes", "alike", "levels", "around zero", "often zero", "negative", "faults"],
)
def test_assets_that_differ_in_size_are_compared_by_their_ratio(values, ratio, layout):
    table = {name: column_of(name, cells) for name, cells in columns(values, layout).items()}
    choice = guess(Sample("t.csv", table), Said(layout=layout)).choice
    assert choice.kind == "control-chart"
    assert (choice.settings.get("peers") == "ratio", "ratio" in choice.why) == (ratio, ratio)
