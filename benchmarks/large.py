"""A large fleet: memory, and whether an asset costs what it costs in a small one.

The scores come from a small forest, or with ``--recorded`` from a file of one line a score: what is measured is all
that is done beside scoring.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from benchmarks import fleets


def recorded(folder: Path, assets: int) -> None:
    """A score for each shingle of each asset."""
    rng = np.random.default_rng(0)
    dates = (fleets.FIRST + np.arange(6, fleets.DAYS) * fleets.DAY).astype("datetime64[D]").astype(str).tolist()
    with (folder / "scores.csv").open("w") as file:
        file.write("asset,timestamp,score\n")
        for asset in range(assets):
            scores = rng.gamma(4.0, 0.2, len(dates)).round(6).tolist()
            file.writelines(f"asset-{asset:06d},{date},{score}\n" for date, score in zip(dates, scores, strict=True))


def one(folder: Path, assets: int, detector: str) -> None:
    """In a process of its own: scan the fleet and say what it took."""
    with fleets.place(folder):
        cpu, wall = fleets.command("scan", "--all", "--detector", detector, "-o", "results.jsonl")
    print(f"{assets} {cpu} {wall} {fleets.peak_mb()}")


def measured(assets: int, detector: str) -> tuple[float, float, float]:
    """Microseconds of CPU an asset, assets a second, and peak memory in MB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with fleets.place(folder) as store:
            fleets.fill(store, assets)
            if detector == "replay":
                recorded(folder, assets)
            else:
                with (folder / "anomscan.toml").open("a") as file:
                    file.write('[detectors.rcf]\nkind = "rcf"\ntrees = 4\nsample_size = 64\n')
                fleets.command("train", "--through", "2016-12-31")
        arguments = [sys.executable, "-m", "benchmarks.large", "--one", name, str(assets), detector]
        done = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True)
    _, cpu, wall, peak = map(float, done.stdout.split())
    return cpu / assets * 1e6, assets / wall, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=100_000)
    parser.add_argument("--recorded", action="store_true")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        folder, assets, detector = options.one
        one(Path(folder), int(assets), detector)
        return
    detector = "replay" if options.recorded else "rcf"
    print(f"scores: {detector}; assets, CPU an asset in us, assets a second, peak MB (mark 1,000)")
    base = 0.0
    for assets in (1_000, options.assets, 1_000):
        cpu, speed, peak = measured(assets, detector)
        base = base or speed
        print(f"{assets:>9,} {cpu:8.0f} {speed:8.0f} {peak:6.0f}   speed {speed / base:.2f} of the first (mark 0.90)")


if __name__ == "__main__":
    main()
