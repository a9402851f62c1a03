"""A fleet from the store to the files: beside the bare kernel, with one worker and with two, and night by night."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import fleets

SCAN = ("scan", "--all")


def whole(assets: int) -> float:
    """The whole scan with two workers; its CPU seconds."""
    with fleets.kernel_clock() as kernel:
        cpu, wall = fleets.command(*SCAN, "--workers", "2", "-o", "whole.jsonl")
    print(
        f"{assets:,} assets x {fleets.DAYS:,} days, 2 workers: CPU {cpu / sum(kernel):.3f} times the bare kernel's "
        f"(mark 1.25); {cpu / assets * 1e3:.2f} ms an asset, {assets / wall:,.0f} assets a second"
    )
    print(f"  {sum(kernel) / cpu:.0%} of the CPU time in the kernel (mark 80 %); peak {fleets.peak_mb():.0f} MB")
    return cpu


def nights(store: fleets.Store, assets: int, full: float) -> None:
    """One new day at a time with two workers, scores kept."""
    for night in range(3):
        fleets.fill(store, assets, fleets.FIRST + (fleets.DAYS + night) * fleets.DAY, 1)
        start = time.process_time()
        rows = sum(len(series) for chunk in store.snapshot("fleet").stream() for series in chunk)
        reading = time.process_time() - start
        assert rows == assets * (fleets.DAYS + night + 1)
        with fleets.kernel_clock() as kernel:
            cpu, _ = fleets.command(*SCAN, "--days", "1", "--workers", "2", "-o", "night.jsonl")
        print(
            f"night {night + 1}: 1/{full / cpu:.0f} of the whole scan's CPU (mark 1/100), {cpu / reading:.2f} times "
            f"reading the data once (mark 3); {cpu:.2f} s, the kernel {sum(kernel):.2f} s of it"
        )


def throughput() -> None:
    """One worker against two, in turns."""
    ratios = []
    for _ in range(3):
        single, double = (
            fleets.command(*SCAN, "--rescore", "--workers", str(workers), "-o", f"{workers}.jsonl")[1]
            for workers in (1, 2)
        )
        ratios.append(single / double)
    fleets.command(*SCAN, "-o", "kept.jsonl")
    assert fleets.same_bytes("1.jsonl", "2.jsonl")
    assert fleets.same_bytes("1.jsonl", "kept.jsonl")
    print(
        f"throughput of 2 workers: {max(ratios):.2f} times that of 1, median {statistics.median(ratios):.2f} (mark 1.8)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=10_000)
    assets = parser.parse_args().assets
    with tempfile.TemporaryDirectory() as name, fleets.place(Path(name)) as store:
        fleets.fill(store, assets)
        fleets.command("train", "--through", "2016-12-31")
        nights(store, assets, whole(assets))
    with tempfile.TemporaryDirectory() as name, fleets.place(Path(name)) as store:
        fleets.fill(store, min(assets, 500))
        fleets.command("train", "--through", "2016-12-31")
        throughput()


if __name__ == "__main__":
    main()
