"""The nearest past beside the forest, in turns: an asset of three years of days; and a long series by itself."""

from __future__ import annotations

import statistics
import time

import numpy as np
from benchmarks.forest import daily_ratio, fit, points, seconds

from anomscan.config import NearestSettings
from anomscan.detectors.nearest.detector import NearestPast
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Series
from anomscan.telemetry.shingles import shingles

DAYS, ROWS, TURNS = 1096, 100_000, 5


def series(rows: int, cadence: str) -> Series:
    values = daily_ratio(rows, np.random.default_rng(1))[:, None]
    every = Cadence.parse(cadence)
    at = np.datetime64("2000-01-01", "us") + np.arange(rows) * every.step
    return Series("asset", every, ("prt7",), at, values)


def main() -> None:
    detector = NearestPast("nearest", NearestSettings(kind="nearest"))
    forest, asset = fit(points(10_000, 7, seed=0)), series(DAYS, "1D")
    queries = shingles(asset.values, 7)
    own, other = [], []
    for _ in range(TURNS):
        own.append(seconds(lambda batch: detector.score(batch, 1), [asset] * 10, time.process_time) / 10)
        other.append(seconds(forest.score, queries, time.process_time))
    own_s, other_s = statistics.median(own), statistics.median(other)
    print(
        f"{DAYS:,} days: {own_s * 1e3:.2f} ms of CPU an asset, the forest {other_s * 1e3:.1f} ms: "
        f"1/{other_s / own_s:.0f} of it (mark 1/10)"
    )
    spent = min(
        seconds(lambda one: detector.score([one], 1), series(ROWS, "10min"), time.process_time) for _ in range(2)
    )
    print(f"{ROWS:,} rows of 10 minutes: {spent:.2f} s of CPU (mark 2)")


if __name__ == "__main__":
    main()
