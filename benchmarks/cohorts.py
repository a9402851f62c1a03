"""Peers and control charts on a fleet: beside the forest, and night by night."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks import fleets

from anomscan.config import ControlChartSettings
from anomscan.detectors.cohorts import cohorts_of
from anomscan.detectors.control_chart.detector import ControlChart
from anomscan.jobs.fetch.asset_list import keep_assets

COHORTS = 50
#: So many assets tell what the forest costs for each.
SAMPLE = 200
SCAN = ("scan", "--all", "--workers", "2")


def settings() -> None:
    """Add cohorts and detectors to the settings of a place; who belongs together is kept in the store."""
    with Path("anomscan.toml").open("a") as file:
        file.write(
            '[assets]\npath = "assets.csv"\ncolumns = { asset = "asset", cohort = "region" }\n'
            '[detectors.chart]\nkind = "control-chart"\n[detectors.rcf]\nkind = "rcf"\n'
        )


def alone() -> float:
    """CPU seconds of the forest for an asset, and how they compare with a control chart's."""
    with tempfile.TemporaryDirectory() as name, fleets.place(Path(name)) as store:
        fleets.fill(store, SAMPLE)
        fleets.command("train", "--through", "2016-12-31")
        with fleets.kernel_clock() as kernel:
            fleets.command(*SCAN, "-o", "forest.jsonl")
        chart = ControlChart("chart", ControlChartSettings(kind="control-chart", view="own"))
        series = [each for chunk in store.snapshot("fleet").stream() for each in chunk]
        start = time.process_time()
        chart.score(series, 1)
        charted = time.process_time() - start
        print(
            f"scores alone: control-chart {charted / SAMPLE * 1e3:.2f} ms of CPU an asset, "
            f"1/{sum(kernel) / charted:.0f} of the forest's {sum(kernel) / SAMPLE * 1e3:.1f} ms (mark 1/20)"
        )
        return sum(kernel) / SAMPLE


def reading(store: fleets.Store) -> float:
    """CPU seconds of reading everything once."""
    start = time.process_time()
    assert sum(len(series) for chunk in store.snapshot("fleet").stream() for series in chunk)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=10_000)
    assets = parser.parse_args().assets
    by_forest = alone() * assets
    with tempfile.TemporaryDirectory() as name, fleets.place(Path(name)) as store:
        settings()
        fleets.fill(store, assets)
        members = {f"asset-{asset:06d}": f"R{asset % COHORTS}" for asset in range(assets)}
        keep_assets(store, "fleet", {asset: {"cohort": cohort} for asset, cohort in members.items()})
        once = reading(store)
        start = time.process_time()
        assert len(cohorts_of(store.snapshot("fleet"), members).middles) == COHORTS
        medians = time.process_time() - start
        cpu, _ = fleets.command(*SCAN, "--detector", "chart", "-o", "chart.jsonl")
        print(
            f"{assets:,} assets x {fleets.DAYS:,} days: reading {once:.1f} s of CPU, medians of {COHORTS} cohorts "
            f"{medians:.1f} s, which is {medians / once:.1f} times reading the data once"
        )
        print(
            f"scan against peers, with these: {cpu:.1f} s of CPU, 1/{by_forest / cpu:.0f} of the {by_forest:.0f} s "
            f"of the forest alone; peak {fleets.peak_mb():.0f} MB"
        )
        for night in range(2):
            fleets.fill(store, assets, fleets.FIRST + (fleets.DAYS + night) * fleets.DAY, 1)
            night_cpu, _ = fleets.command(*SCAN, "--detector", "chart", "--days", "1", "-o", "night.jsonl")
            print(f"night {night + 1}: {night_cpu:.1f} s of CPU, {night_cpu / cpu:.2f} times the whole scan's")


if __name__ == "__main__":
    main()
