"""A Ray cluster of this machine against threads: the CPU time of all processes, without what starting costs."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from benchmarks import fleets

SCAN = ("-q", "scan", "--rescore", "--workers", "2")
_TICKS = os.sysconf("SC_CLK_TCK")
_MARK = "ANOMSCAN_BENCHMARK"


def tree_cpu(arguments: tuple[str, ...]) -> float:
    """The CPU seconds of a command line and of every process that comes of it."""
    token = uuid.uuid4().hex
    with subprocess.Popen([sys.executable, "-m", "anomscan", *arguments], env=os.environ | {_MARK: token}) as process:
        spent: dict[int, int] = {}
        mine: dict[int, bool] = {}
        while process.poll() is None:
            for folder in Path("/proc").glob("[0-9]*"):
                pid = int(folder.name)
                try:
                    if pid not in mine:
                        mine[pid] = f"{_MARK}={token}".encode() in (folder / "environ").read_bytes().split(b"\0")
                    if mine[pid]:
                        fields = (folder / "stat").read_text().rpartition(")")[2].split()
                        spent[pid] = int(fields[11]) + int(fields[12])
                except OSError:  # it has just ended
                    continue
            time.sleep(0.2)
        assert process.returncode == 0
    return sum(spent.values()) / _TICKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=10_000)
    assets = parser.parse_args().assets
    with tempfile.TemporaryDirectory() as name, fleets.place(Path(name)) as store:
        fleets.fill(store, assets)
        fleets.command("train", "--through", "2016-12-31")
        cpu = {}
        for engine in ("threads", "ray"):
            way = (*SCAN, "--engine", engine)
            start = tree_cpu((*way, "--asset", "asset-000000", "-o", "start.jsonl"))
            cpu[engine] = tree_cpu((*way, "--all", "-o", f"{engine}.jsonl")) - start
            print(f"{engine}: {cpu[engine]:.1f} s of CPU beside {start:.1f} s of starting")
        assert fleets.same_bytes("threads.jsonl", "ray.jsonl")
    print(f"{assets:,} assets: CPU overhead of Ray over threads {cpu['ray'] / cpu['threads'] - 1:+.1%} (mark +15 %)")


if __name__ == "__main__":
    main()
