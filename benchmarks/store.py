"""The store beside plain pyarrow: the same rows in one Parquet file, written and read whole."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from anomscan.store.store import Store
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout

ASSETS, DAYS, NIGHTS = 1000, 1096, 30
LAYOUT = Layout(Cadence.parse("1D"), ("x",))
START = np.datetime64("2020-01-01", "us")


def rows(first: int, stop: int, chance: np.random.Generator) -> pa.Table:
    """All assets on the days ``first`` to ``stop`` (exclusive)."""
    days = stop - first
    ids = pa.DictionaryArray.from_arrays(
        np.repeat(np.arange(ASSETS, dtype=np.int32), days), [f"asset-{n:05d}" for n in range(ASSETS)]
    )
    columns = [
        ids.cast(pa.string()),
        pa.array(np.tile(np.arange(first, stop) * LAYOUT.cadence.step_us, ASSETS), pa.timestamp("us")),
        pa.array(chance.normal(0.8, 0.05, ASSETS * days)),
        pa.array(np.where(chance.random(ASSETS * days) < 0.99, "Normal", "Unknown"), pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=LAYOUT.schema)


def cpu_s(work: Callable[[], object], times: int) -> float:
    """The least CPU time of some runs."""
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    chance = np.random.default_rng(0)
    history = rows(0, DAYS, chance)
    nights = [rows(DAYS + night, DAYS + night + 1, chance) for night in range(NIGHTS)]
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder) / "store")

        def append(table: pa.Table, night: int) -> None:
            with store.writer("fleet", LAYOUT, arrived_at=START + np.timedelta64(night, "D")) as writer:
                writer.append(table)
                writer.commit()

        def measure(name: str, work: Callable[[], object], times: int = 3) -> None:
            seconds = cpu_s(work, times)
            print(f"{name:38s} {seconds / whole:7.3f} of reading the file ({seconds * 1000:.1f} ms)", flush=True)

        file = Path(folder) / "rows.parquet"
        write = cpu_s(lambda: parquet.write_table(history, file, compression="zstd"), 1)
        whole = cpu_s(lambda: parquet.read_table(file), 3)
        print(f"{ASSETS:,} assets x {DAYS:,} days; pyarrow: write {write * 1000:.0f} ms, read {whole * 1000:.0f} ms")

        measure("write all", lambda: append(history, 0), 1)
        measure("read one asset", lambda: store.read("fleet", "asset-00500"))
        measure("stream all", lambda: list(store.snapshot("fleet").stream()))
        measure("fetch all again, nothing new", lambda: append(history, 1), 1)
        start = time.process_time()
        for night, table in enumerate(nights[:-1]):
            append(table, night + 2)
        print(f"{'append a night (mean)':38s} {(time.process_time() - start) / (NIGHTS - 1) * 1000:7.1f} ms")
        measure(f"read one asset, {NIGHTS} batch files", lambda: store.read("fleet", "asset-00500"))
        measure(f"stream all, {NIGHTS} batch files", lambda: list(store.snapshot("fleet").stream()))
        measure("compact", lambda: store.compact("fleet"), 1)
        measure("read one asset, compacted", lambda: store.read("fleet", "asset-00500"))
        measure("stream all, compacted", lambda: list(store.snapshot("fleet").stream()))


if __name__ == "__main__":
    main()
