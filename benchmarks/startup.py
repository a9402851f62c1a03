"""Start-up: `anomscan --help`, and `scan` of one stored asset, against `python -c pass`."""

from __future__ import annotations

import csv
import datetime as dt
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 15
CONFIG = """
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7"] }
[train]
max_std = 1.0
[defaults]
source = "fleet"
"""


def clock(command, folder):
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    program = str(Path(sys.executable).with_name("anomscan"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "anomscan.toml").write_text(CONFIG)
        with (folder / "telemetry.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["asset_id", "date", "prt7"])
            for asset in range(20):
                for day in range(1096):
                    date = dt.date(2016, 1, 1) + dt.timedelta(days=day)
                    rows.writerow([f"asset-{asset}", date, 0.8 + 0.01 * ((day * (asset + 3)) % 7)])
        clock([program, "fetch"], folder)
        clock([program, "train"], folder)
        commands = {
            "--help": ([program, "--help"], 7),
            "scan of one stored asset": ([program, "-q", "scan", "--asset", "asset-1", "-o", "-"], 30),
        }
        bare = [sys.executable, "-c", "pass"]
        for label, (command, mark) in commands.items():
            ratios = []
            for _ in range(RUNS):
                base = clock(bare, folder)
                ratios.append(clock(command, folder) / base)
            print(f"anomscan {label}: {statistics.median(ratios):.1f} times python -c pass (mark at most {mark})")


if __name__ == "__main__":
    main()
