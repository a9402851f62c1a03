"""All benchmarks, each a ratio of two things measured side by side in one run."""

from __future__ import annotations

import runpy
import sys

NAMES = (
    "startup",
    "forest",
    "nearest",
    "backtest",
    "store",
    "ledger",
    "fleet",
    "cohorts",
    "report",
    "cluster",
    "mysql",
)


def main() -> None:
    for name in NAMES:
        print(f"--- {name} ---", flush=True)
        sys.argv = [name]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")


if __name__ == "__main__":
    main()
