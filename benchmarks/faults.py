"""Fleets with known faults: what is found with the settings that ``init`` writes, and by a forest against peers, set as
docs/how-to/fleet.md tells.

The fleets, and how a scan of one is scored, are read in place from the folder that ANOMSCAN_BENCH names (by default
../shared/bench), where there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import runpy
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from benchmarks.fleets import command

JUDGE = Path(os.environ.get("ANOMSCAN_BENCH", "../shared/bench")) / "fleet" / "fleet_faults.py"
#: The last day before the faults.
TRAINED = "2022-12-31"
FOREST = """
[detectors.rcf]
kind = "rcf"
view = "peers"

[scan]
baseline_days = "clean"
sigma = 5
"""
#: By set-up and profile: the fewest faults found and the most false incidents, as means over the seeds.
MARKS = {
    ("chart", "dev"): "mark 32, 2",
    ("chart", "hard"): "mark 30, 4",
    ("rcf", "dev"): "mark 26, 5",
}
#: False incidents are per 100 asset-years, ``told`` is incidents a found fault, the error of since and delays are days.
COLUMNS = ("found", "false", "regional", "told", "since", "delay", "CPU-s")


def scans(
    judge: SimpleNamespace, seed: int, sites: int, profile: str, setups: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """Make a fleet, scan it, and score the results, by set-up."""
    scored = {}
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        judge.make(Path(), seed, sites, judge.PROFILES[profile])
        command("init", "telemetry.csv", "--yes")
        command("fetch")
        for setup in setups:
            config = Path("anomscan.toml")
            if setup == "rcf":
                config = Path("forest.toml")
                config.write_text(Path("anomscan.toml").read_text() + FOREST)
                command("--config", str(config), "train", "--detector", setup, "--through", TRAINED)
            cpu, _ = command("--config", str(config), "scan", "--all", "--detector", setup, "-o", f"{setup}.jsonl")
            scored[setup] = judge.score(Path(), Path(f"{setup}.jsonl")) | {"cpu": cpu}
    return scored


def row(judged: dict[str, Any]) -> list[float]:
    """The numbers of ``COLUMNS``."""
    found = float(judged["recall"].partition("/")[0])
    numbers = [
        judged[name]
        for name in (
            "false_incidents_per_100_asset_years",
            "incidents_of_regional_events",
            "incidents_per_found_fault",
            "median_since_error_days",
            "median_delay_days",
            "cpu",
        )
    ]
    return [found, *(float("nan") if each is None else float(each) for each in numbers)]


def missed(judged: dict[str, Any]) -> str:
    """The kinds of which some were not found."""
    kinds = ((kind, *map(int, found.split("/"))) for kind, found in judged["by_kind"].items())
    return ", ".join(f"{kind} {found}/{of}" for kind, found, of in kinds if found < of)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fleets with known faults.")
    parser.add_argument("--profiles", nargs="+", default=["dev", "hard"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--sites", type=int, default=200)
    parser.add_argument("--setups", nargs="+", choices=("chart", "rcf"), default=["chart", "rcf"])
    chosen = parser.parse_args()
    if not JUDGE.exists():
        print(f"no fleets with faults in {JUDGE.parent}: name the folder above it in ANOMSCAN_BENCH")
        return
    judge = SimpleNamespace(**runpy.run_path(str(JUDGE)))
    heading = "{:<7} {:<8} {:<5}" + " {:>8}" * 7 + "  {}"
    print(heading.format("set-up", "profile", "seed", *COLUMNS, "missed"))
    for profile in chosen.profiles:
        rows: dict[str, list[list[float]]] = {setup: [] for setup in chosen.setups}
        for seed in chosen.seeds:
            for setup, judged in scans(judge, seed, chosen.sites, profile, chosen.setups).items():
                rows[setup].append(row(judged))
                numbers = [f"{number:.4g}" for number in rows[setup][-1]]
                print(heading.format(setup, profile, seed, *numbers, missed(judged)), flush=True)
        for setup, each in rows.items():
            means = [f"{number:.3g}" for number in np.nanmean(each, axis=0)]
            print(heading.format(setup, profile, "mean", *means, MARKS.get((setup, profile), "")), flush=True)


if __name__ == "__main__":
    main()
