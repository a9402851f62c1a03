"""Changes one file of a small installation again and again, and runs the commands that read it.

``python attack.py KIND FIRST COUNT SEED FOLDER`` prints a JSON line for each change: its number before, and its outcome
after it, so that whoever started the process knows at which one it ended. What uses too much of the CPU ends it, too.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

import mutations
from anomscan.cli import app
from anomscan.jobs.checkpoint import Checkpoint

#: Seconds of CPU, and bytes of memory, that no command needs here.
CPU_S, MEMORY = 120, 4 << 30

CONFIG = """
[defaults]
source = "fleet"
detector = "rcf"
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset", timestamp = "day", values = ["x", "y"], health = "health" }
[sources.lines]
kind = "files"
path = "telemetry.jsonl"
cadence = "1D"
columns = { asset = "asset", timestamp = "day", values = ["x", "y"], health = "health" }
[sources.parquet]
kind = "files"
path = "telemetry.parquet"
cadence = "1D"
columns = { asset = "asset", timestamp = "day", values = ["x", "y"], health = "health" }
[detectors.rcf]
kind = "rcf"
trees = 4
sample_size = 16
model = "rcf.forest"
[detectors.csv]
kind = "recorded"
path = "scores.csv"
[detectors.lines]
kind = "recorded"
path = "scores.jsonl"
[detectors.parquet]
kind = "recorded"
path = "scores.parquet"
[train]
samples = 40
min_std = 0
max_std = 99
[report]
asset_url = "https://example.com/{asset}"
[scan]
window = 40
shingle = 2
sigma = 3
"""
SCAN = ["scan", "--all", "-o", "r.jsonl"]
REPORTS = [
    ["report", "r.jsonl", "-o", "pages"],
    *(["report", "r.jsonl", "--format", name] for name in ("csv", "markdown", "links")),
]


def install() -> None:
    """Telemetry, store, model, results with their side files, a checkpoint and a score cache, in the working folder."""
    rng = random.Random(1)
    rows = []
    for asset in ("A1", "A2", "Ä3"):
        for day in range(70):
            x = 9.0 if (asset, day) == ("A2", 60) else rng.random()
            date = str(dt.date(2016, 1, 1) + dt.timedelta(day))
            rows.append(
                {"asset": asset, "day": date, "x": x, "y": rng.random(), "health": rng.choice(["Ok", "Unknown"])}
            )
    Path("anomscan.toml").write_text(CONFIG)
    _write("telemetry", rows)
    _write("scores", [{"asset": row["asset"], "timestamp": row["day"], "score": row["x"]} for row in rows])
    for source in ("fleet", "lines", "parquet"):
        _good("fetch", "--source", source)
    with Path("telemetry.csv").open("a") as more:
        more.write("A1,2016-03-11,0.5,0.5,Ok\n")
    _good("fetch")
    _good("train")
    remove, Checkpoint.remove = Checkpoint.remove, lambda self: None
    _good(*SCAN)
    Checkpoint.remove = remove


def _write(name: str, rows: list[dict[str, object]]) -> None:
    import pyarrow as pa

    Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path(f"{name}.csv").write_text(
        "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]) + "\n"
    )
    pq.write_table(pa.Table.from_pylist(rows), f"{name}.parquet")


def _good(*arguments: str) -> None:
    outcome = _run(list(arguments))
    assert outcome["code"] == 0, outcome


@dataclass(frozen=True)
class Kind:
    """Which file is changed how, what reads it, and how that may end."""

    pattern: str
    change: Callable[[random.Random, bytes], bytes]
    commands: list[list[str]]
    codes: tuple[int, ...] = (0, 2)


def _recorded(name: str) -> list[list[str]]:
    return [["scan", "--all", "--detector", name, "-o", "s.jsonl"]]


def _csv(rng: random.Random, content: bytes) -> bytes:
    if rng.randrange(2):
        return mutations.flipped(rng, content)
    lines = content.splitlines()
    place = rng.randrange(len(lines))
    cells = lines[place].split(b",")
    words = [
        b"",
        b"nan",
        b"inf",
        b"1e999",
        b"-1",
        b'"',
        b"\xed\xa0\x80",
        b"\0",
        b"=1+1",
        b"9" * 70_000,
        b"a\xc2\x85b",
        b"2016-02-30",
    ]
    cells[rng.randrange(len(cells))] = rng.choice(words)
    lines[place] = b",".join(cells * rng.choice((1, 1, 1, 50)))
    return b"\n".join(lines) + b"\n"


KINDS = {
    "model": Kind("rcf.forest", mutations.forest, [SCAN, ["models", "list"], ["models", "show", "rcf"]], (0, 2, 4)),
    "manifest": Kind(
        "anomscan-data/fleet/manifest.json",
        mutations.document,
        [SCAN, ["fetch"], ["report", "r.jsonl", "-o", "pages"]],
        (0, 2, 4),
    ),
    "roster": Kind("anomscan-data/fleet/roster/*", mutations.table, [SCAN, ["fetch"]], (0, 2, 4)),
    "rows": Kind(
        "anomscan-data/fleet/b*.parquet",
        mutations.table,
        [SCAN, ["train"], ["fetch"], ["report", "r.jsonl", "-o", "pages"]],
        (0, 2, 4),
    ),
    "checkpoint": Kind("r.jsonl.parts/*.jsonl", mutations.lines, [[*SCAN, "--resume"]]),
    "checkpoint-days": Kind("r.jsonl.parts/*.parquet", mutations.table, [[*SCAN, "--resume"]]),
    "score-cache": Kind(
        "anomscan-data/fleet/scores/*/*.scores", mutations.cached, [SCAN, ["scan", "--all", "--days", "1"]], (0,)
    ),
    "results": Kind("r.jsonl", mutations.lines, REPORTS),
    "run-facts": Kind("r.jsonl.run.json", mutations.document, [REPORTS[0], [*SCAN, "--resume"]]),
    "scores": Kind("r.jsonl.scores.parquet", mutations.table, REPORTS[:1]),
    "recorded-csv": Kind("scores.csv", _csv, _recorded("csv"), (0, 2, 4)),
    "recorded-lines": Kind("scores.jsonl", mutations.lines, _recorded("lines"), (0, 2, 4)),
    "recorded-parquet": Kind("scores.parquet", mutations.table, _recorded("parquet"), (0, 2, 4)),
    "source-csv": Kind("telemetry.csv", _csv, [["fetch", "--from", "2016-01-01"]], (0, 2, 4)),
    "source-lines": Kind(
        "telemetry.jsonl", mutations.lines, [["fetch", "--source", "lines", "--from", "2016-01-01"]], (0, 2, 4)
    ),
    "source-parquet": Kind(
        "telemetry.parquet", mutations.table, [["fetch", "--source", "parquet", "--from", "2016-01-01"]], (0, 2, 4)
    ),
}


def attack(kind: Kind, rng: random.Random, place: Path) -> list[str]:
    """Change a file and run the commands; what is wrong with how they end."""
    victim = rng.choice(sorted(place.glob(kind.pattern)))
    content = victim.read_bytes()
    if "parts/" in kind.pattern:
        lines = victim.with_suffix(".jsonl")
        key = json.loads((victim.parent / "checkpoint.json").read_bytes())["run"]
        changed = content if victim == lines else kind.change(rng, content)
        days = victim.with_suffix(".parquet")
        if victim != lines:
            days.write_bytes(changed)
        lines.write_bytes(
            mutations.finished(
                rng,
                lines.read_bytes(),
                days.read_bytes(),
                f"{key} {victim.stem}",
                kind.change if victim == lines else lambda _, same: same,
            )
        )
    else:
        victim.write_bytes(kind.change(rng, content))
    problems = []
    for command in kind.commands:
        outcome = _run(command)
        said = outcome["err"].splitlines()
        errors = [line for line in said if line.startswith("error")]
        if outcome["code"] not in kind.codes:
            problems.append(f"{' '.join(command)}: exit {outcome['code']}: {outcome['err'][-3000:]}{outcome['trace']}")
        elif outcome["code"] == 2 and (len(errors) != 1 or any("\x1b" in line for line in said)):
            problems.append(f"{' '.join(command)}: not one line: {outcome['err'][-3000:]}")
    return problems


def _run(arguments: list[str]) -> dict[str, object]:
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = app.run(arguments)
    trace = ""
    if code == 1:
        log = Path(os.environ["XDG_STATE_HOME"]) / "anomscan" / "errors.log"
        trace = "\n" + log.read_text()[-2500:]
    return {"code": code, "err": err.buffer.getvalue().decode("utf-8", "backslashreplace"), "trace": trace}


def main(name: str, first: int, count: int, seed: str, folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    whole, place = folder / "whole", folder / f"work-{os.getpid()}"
    os.environ["XDG_STATE_HOME"] = str(folder / f"state-{os.getpid()}")
    if not whole.exists():
        whole.mkdir(parents=True)
        os.chdir(whole)
        install()
    shutil.copytree(whole, place)
    os.chdir(place)
    for command in KINDS[name].commands:
        _good(*command)
    _restore(whole, place)
    for number in range(first, first + count):
        print(json.dumps({"begins": number}), flush=True)
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        rng = random.Random(f"{seed} {name} {number}")
        try:
            problems = attack(KINDS[name], rng, place)
        except Exception:  # noqa: BLE001 - whatever it is, it is told
            problems = [traceback.format_exc()]
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps({"number": number, "problems": problems}), flush=True)
        _restore(whole, place)
    os.chdir("/")
    shutil.rmtree(place)


def _restore(whole: Path, place: Path) -> None:
    """The files as they were at first; a file that is still the same is left alone."""
    for path in sorted(place.rglob("*"), reverse=True):
        if not path.is_dir() and not (whole / path.relative_to(place)).is_file():
            path.unlink()
    for path in sorted(whole.rglob("*")):
        copy = place / path.relative_to(whole)
        if path.is_dir():
            copy.mkdir(exist_ok=True)
        elif (
            not copy.is_file()
            or copy.read_bytes() != path.read_bytes()
            or copy.stat().st_mtime_ns != path.stat().st_mtime_ns
        ):
            shutil.copy2(path, copy)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], Path(sys.argv[5]))
