"""Stores and models of made-up fleets, and what a command costs."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from anomscan.cli.app import run
from anomscan.store.store import Store
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout

DAYS = 1096
FIRST = np.datetime64("2016-01-01", "us")
DAY = np.timedelta64(1, "D")
LAYOUT = Layout(Cadence.parse("1D"), ("prt7",))
CONFIG = """
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7"] }
[detectors.replay]
kind = "recorded"
path = "scores.csv"
"""


@contextlib.contextmanager
def place(folder: Path) -> Iterator[Store]:
    """A folder with settings, in which commands run; and its store, still empty."""
    (folder / "anomscan.toml").write_text(CONFIG)
    with contextlib.chdir(folder):
        yield Store.create(folder / "anomscan-data")


def fill(store: Store, assets: int, first: np.datetime64 = FIRST, days: int = DAYS) -> None:
    """Store some days of each asset, as one fetch."""
    timestamps = first + np.arange(days) * DAY
    season = 0.8 + 0.05 * np.sin((timestamps - FIRST) / DAY / 58)
    rng = np.random.default_rng(int((first - FIRST) / DAY))
    with store.writer("fleet", LAYOUT, arrived_at=first + (days + 1) * DAY) as writer:
        for start in range(0, assets, 100):
            names = [f"asset-{asset:06d}" for asset in range(start, min(start + 100, assets))]
            rows = len(names) * days
            codes = pa.array(np.repeat(np.arange(len(names), dtype=np.int32), days))
            columns = [
                pa.DictionaryArray.from_arrays(codes, pa.array(names)).dictionary_decode(),
                pa.array(np.tile(timestamps, len(names))),
                pa.array(np.tile(season, len(names)) + rng.normal(0, 0.03, rows)),
                pa.nulls(rows, pa.string()),
            ]
            writer.append(pa.table(columns, schema=LAYOUT.schema))
        writer.commit()


def command(*arguments: str) -> tuple[float, float]:
    """Run a command line that succeeds; its CPU and wall time in seconds, without start-up."""
    cpu, wall = time.process_time(), time.perf_counter()
    assert run(["-q", *arguments]) == 0
    return time.process_time() - cpu, time.perf_counter() - wall


@contextlib.contextmanager
def kernel_clock() -> Iterator[list[float]]:
    """The CPU seconds of each call of the forest's scoring, while the block runs."""
    from anomscan.detectors.rcf import Forest

    plain, spent = Forest.score, []

    def timed(forest, points, **options):
        start = time.thread_time()
        scores = plain(forest, points, **options)
        spent.append(time.thread_time() - start)
        return scores

    Forest.score = timed
    try:
        yield spent
    finally:
        Forest.score = plain


def peak_mb() -> float:
    """The most memory that this process ever held; getrusage would count what its parent held when it began."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def same_bytes(one: str, other: str) -> bool:
    """Whether two runs left the same records and the same scores."""
    return all(
        Path(one + suffix).read_bytes() == Path(other + suffix).read_bytes() for suffix in ("", ".scores.parquet")
    )


os.environ.setdefault("OMP_NUM_THREADS", "1")
gc.set_threshold(50_000, 20, 100)  # as the program itself
