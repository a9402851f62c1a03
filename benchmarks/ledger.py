"""The ledger: `incidents list` of 100,000 incidents, against Python that reads the same lines as JSON."""

from __future__ import annotations

import datetime as dt
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from anomscan.incidents.incident import Peak
from anomscan.incidents.ledger import Entry, Ledger, Spell, id_of
from anomscan.incidents.ledger_file import LedgerFile

INCIDENTS, RUNS = 100_000, 3
CONFIG = """
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7"] }
[detectors.chart]
kind = "control-chart"
[defaults]
detector = "chart"
"""
READ = "import json; [json.loads(line) for line in open('incidents/ledger.jsonl', encoding='utf-8')]"


def incident(rng: random.Random, number: int) -> Entry:
    """One of a day of ten years; four of five are over."""
    first = dt.date(2016, 1, 1) + dt.timedelta(days=rng.randrange(3650))
    asset, over = f"asset-{number % 20_000}", rng.random() < 0.8
    since, last, judged = (str(first + dt.timedelta(days=days)) for days in (-2, 9, 17))
    return Entry(
        id=id_of("fleet", asset, "chart", str(first), number),
        source="fleet",
        asset=asset,
        family="chart",
        first_flagged=str(first),
        state="closed" if over else "ongoing",
        kind=rng.choice(["dropped", "raised", "noisy"]),
        spells=(Spell(since, str(first), last, 8),),
        first_seen=str(first),
        cohort=f"R{number % 50}",
        peak=Peak(str(first), 1.5 + rng.random(), None),
        deviation={"prt7": -rng.random()},
        judged=None if over else judged,
        closed=judged if over else None,
        told=0.2,
    )


def cpu_s(command: list[str], folder: Path) -> float:
    """What a command takes of the processor, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    program = str(Path(sys.executable).with_name("anomscan"))
    rng = random.Random(0)  # noqa: S311
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "anomscan.toml").write_text(CONFIG)
        file = LedgerFile(folder / "incidents")
        with file.held():
            file.write(Ledger.of([incident(rng, number) for number in range(INCIDENTS)], {}))
        for options in ([], ["--json"]):
            command = [program, "incidents", "list", *options]
            pairs = [(cpu_s(command, folder), cpu_s([sys.executable, "-c", READ], folder)) for _ in range(RUNS)]
            took, ratio = min(pairs)[0], statistics.median(one / other for one, other in pairs)
            print(
                f"{' '.join(['incidents list', *options])} of {INCIDENTS:,}: {took:.1f} s of CPU (mark below 2), "
                f"{ratio:.1f} times reading its lines as JSON"
            )


if __name__ == "__main__":
    main()
