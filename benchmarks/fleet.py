"""A whole scan from the store to the files: how much of its CPU time is spent in the scoring kernel."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from anomscan.cli.app import run
from anomscan.detectors.rcf import Forest
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.store import Store

DAYS = 1096
MARK = 80
CONFIG = """
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7"] }
"""


def fill(folder: Path, assets: int) -> None:
    rng = np.random.default_rng(0)
    layout = Layout(Cadence.parse("1D"), ("prt7",))
    days = np.datetime64("2016-01-01", "us") + np.arange(DAYS) * np.timedelta64(1, "D")
    store = Store.create(folder / "anomscan-data")
    with store.writer("fleet", layout, arrived_at=np.datetime64("2019-01-01", "us")) as writer:
        for asset in range(assets):
            values = 0.8 + 0.05 * np.sin(np.arange(DAYS) / 58) + rng.normal(0, 0.03, DAYS)
            columns = [
                pa.array([f"asset-{asset:06d}"] * DAYS),
                pa.array(days),
                pa.array(values),
                pa.nulls(DAYS, pa.string()),
            ]
            writer.append(pa.table(columns, schema=layout.schema))
        writer.commit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=1000)
    assets = parser.parse_args().assets
    kernel_s = 0.0
    plain = Forest.score

    def timed(forest, points, **options):
        nonlocal kernel_s
        start = time.thread_time()
        scores = plain(forest, points, **options)
        kernel_s += time.thread_time() - start
        return scores

    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        Path("anomscan.toml").write_text(CONFIG)
        fill(Path(name), assets)
        assert run(["-q", "train", "--through", "2016-12-31"]) == 0
        Forest.score = timed
        start = time.process_time()
        assert run(["-q", "scan", "--all", "--workers", "1", "-o", "results.jsonl"]) == 0
        total_s = time.process_time() - start
        os.chdir("/")
    print(f"{assets:,} assets x {DAYS:,} days: {kernel_s / total_s:.0%} of the CPU time in the kernel (mark {MARK} %)")
    print(f"  {total_s / assets * 1e3:.2f} ms an asset, {kernel_s / assets * 1e3:.2f} of them in the kernel")


if __name__ == "__main__":
    main()
