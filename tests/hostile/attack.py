"""Changes one file of a small installation again and again, and runs the commands that read it.

``python attack.py KIND FIRST COUNT SEED FOLDER`` prints a JSON line for each change: its number before, and its outcome
after it, so that whoever started the process knows at which one it ended. What uses too much of the CPU ends it, too.
"""

from __future__ import annotations

import bz2
import contextlib
import datetime as dt
import gzip
import io
import json
import lzma
import os
import random
import resource
import shutil
import signal
import sqlite3
import sys
import traceback
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import mutations
from anomscan.cli import app
from anomscan.detectors.sagemaker import runtime
from anomscan.incidents.archive import Archive
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.jobs.checkpoint import Checkpoint
from workbooks import write_xlsx

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
[sources.wide]
kind = "files"
path = "wide.csv"
layout = "wide"
cadence = "1D"
columns = { timestamp = "day", values = ["x"] }
[sources.tags]
kind = "files"
path = "tags.csv"
layout = "tags"
cadence = "1D"
columns = { asset = "asset", timestamp = "day", values = ["x", "y"], tag = "tag", value = "value" }
[sources.xlsx]
kind = "files"
path = "telemetry.xlsx"
cadence = "1D"
columns = { asset = "asset", timestamp = "day", values = ["x", "y"], health = "health" }
[sources.plant]
kind = "sql"
url = "sqlite:///plant.db"
query = "SELECT asset, day, x, y, health FROM samples WHERE day >= :start AND day <= :end"
cadence = "1D"
columns = { asset = "asset", timestamp = "day", values = ["x", "y"], health = "health" }
{packed}[assets]
path = "assets.csv"
columns = { asset = "asset", cohort = "cohort", commissioned = "from", retired = "to" }
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
[detectors.chart]
kind = "control-chart"
view = "peers"
min_history = 10
[detectors.sagemaker]
kind = "sagemaker"
endpoint = "forest"
[detectors.azure]
kind = "azure"
endpoint = "http://127.0.0.1:9"
model = "mvad.json"
deadline_s = 0.01
[train]
samples = 40
min_std = 0
max_std = 99
[report]
asset_url = "https://example.com/{asset}"
[incidents]
path = "incidents"
[scan]
window = 40
shingle = 2
sigma = 3
"""
PACKINGS = ("gz", "bz2", "xz", "zst", "zip")
_PACKED = """
[sources.{name}]
kind = "files"
path = "packed.csv.{name}"
cadence = "1D"
columns = { asset = "asset", timestamp = "day", values = ["x", "y"], health = "health" }
"""
CONFIG = CONFIG.replace("{packed}", "".join(_PACKED.replace("{name}", name) for name in PACKINGS))
#: The same, but a query says who the assets are.
QUERY = CONFIG.replace('path = "assets.csv"', 'source = "plant"\nquery = "SELECT * FROM assets"')
SCAN = ["scan", "--all", "-o", "r.jsonl"]
CHART = ["scan", "--all", "--detector", "chart", "-o", "c.jsonl"]
LEDGER = ["scan", "--all", "--detector", "chart", "--ledger", "-o", "l.jsonl"]
REPLAY = ["scan", "--all", "--detector", "sagemaker", "--replay", "recording.jsonl", "-o", "s.jsonl"]


def _reports(results: str) -> list[list[str]]:
    lists = (["report", results, "--format", name] for name in ("csv", "markdown", "links"))
    return [["report", results, "-o", "pages"], *lists]


REPORTS = _reports("r.jsonl")


ASSETS = ("A1", "A2", "Ä3", "B4", "B5")


def install() -> None:
    """Telemetry, stores, models, results with their side files, checkpoints and a score cache, in this folder."""
    rng = random.Random(1)
    rows = []
    for asset in ASSETS:
        for day in range(70):
            x = 9.0 if (asset, day) == ("A2", 60) else rng.random()
            date = str(dt.date(2016, 1, 1) + dt.timedelta(day))
            rows.append(
                {"asset": asset, "day": date, "x": x, "y": rng.random(), "health": rng.choice(["Ok", "Unknown"])}
            )
    Path("anomscan.toml").write_text(CONFIG)
    Path("query.toml").write_text(QUERY)
    _write("telemetry", rows)
    _write("scores", [{"asset": row["asset"], "timestamp": row["day"], "score": row["x"]} for row in rows])
    Path("assets.csv").write_text("asset,cohort,from,to\n" + "".join(f"{name},R1,2015-01-01,\n" for name in ASSETS))
    Path("faults.csv").write_text("asset,from,to,label\nA2,2016-02-28,2016-03-02,fault\nB4,2016-03-01,2016-03-01,\n")
    _fill("plant.db", rows)
    _lay_out(rows)
    _pack(Path("telemetry.csv").read_bytes())
    for source in ("fleet", "lines", "parquet", "wide", "tags", "xlsx", "plant", *PACKINGS):
        _good("fetch", "--source", source)
    Path("as-of").write_text(dt.datetime.now(dt.UTC).isoformat())
    _good("store", "drop", "--source", "lines", "--asset", "A1", "--from", "2016-02-01", "--to", "2016-02-05")
    with Path("telemetry.csv").open("a") as more:
        more.write("A1,2016-03-11,0.5,0.5,Ok\n")
    _good("fetch")
    _good("train")
    remove, Checkpoint.remove = Checkpoint.remove, lambda self: None
    _good(*SCAN)
    _good(*CHART)
    Checkpoint.remove = remove
    _good(*LEDGER)
    Archive(Path("incidents")).add(LedgerFile(Path("incidents")).read().entries.values())
    results = [_of_schema_1(json.loads(line)) for line in Path("r.jsonl").read_text().splitlines()]
    Path("old.jsonl").write_text("".join(json.dumps(each) + "\n" for each in results))
    Path("mvad.json").write_text('{"model_id": "7", "endpoint": "http://127.0.0.1:9"}')
    real, runtime.Runtime = runtime.Runtime, _Endpoint  # type: ignore[misc]
    _good(*("--record" if word == "--replay" else word for word in REPLAY))
    runtime.Runtime = real  # type: ignore[misc]


class _Endpoint:
    """In the place of SageMaker's."""

    def __init__(self, settings: object) -> None:
        pass

    def __enter__(self) -> _Endpoint:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def score(self, points: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [table.sum(axis=1, dtype=np.float64) for table in points]


def _of_schema_1(record: dict[str, Any]) -> dict[str, Any]:
    """A result as the first version wrote it."""
    later = {"expected", "band"}
    record |= {
        "schema": "anomscan.scan/1",
        "anomalies": [{key: day[key] for key in day if key not in later} for day in record["anomalies"]],
        "verdicts": {name: count for name, count in record["verdicts"].items() if name != "silent"},
    }
    return {key: record[key] for key in record if key != "incidents"}


def _fill(name: str, rows: list[dict[str, Any]]) -> None:
    with contextlib.closing(sqlite3.connect(name)) as database, database:
        database.execute("CREATE TABLE samples (asset TEXT, day TEXT, x REAL, y REAL, health TEXT)")
        database.executemany("INSERT INTO samples VALUES (:asset, :day, :x, :y, :health)", rows)
        database.execute("CREATE TABLE assets (asset TEXT, cohort TEXT, 'from' TEXT, 'to' TEXT)")
        database.executemany("INSERT INTO assets VALUES (?, 'R1', '2015-01-01', NULL)", [(name,) for name in ASSETS])


def _lay_out(rows: list[dict[str, Any]]) -> None:
    """The same as a column each asset, as a row each value, and as a workbook."""
    days = sorted({row["day"] for row in rows})
    x = {(row["asset"], row["day"]): row["x"] for row in rows}
    lines = [",".join(["day", *ASSETS]), *(",".join([day, *(str(x[asset, day]) for asset in ASSETS)]) for day in days)]
    Path("wide.csv").write_text("\n".join(lines) + "\n")
    lines = ["asset,day,tag,value", *(f"{row['asset']},{row['day']},{tag},{row[tag]}" for row in rows for tag in "xy")]
    Path("tags.csv").write_text("\n".join(lines) + "\n")
    write_xlsx(Path("telemetry.xlsx"), {"data": [list(rows[0]), *(list(row.values()) for row in rows)]})


def _pack(content: bytes) -> None:
    import pyarrow as pa

    for packing, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        Path(f"packed.csv.{packing}").write_bytes(pack(content))
    with pa.CompressedOutputStream("packed.csv.zst", "zstd") as out:
        out.write(content)
    with zipfile.ZipFile("packed.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("packed.csv", content)


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
    whole: int = 0  # the exit code before anything is changed


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


def _any(rng: random.Random, content: bytes) -> bytes:
    """As suits the format."""
    changes = {b"PAR1": mutations.table, b"PK\x03\x04": mutations.workbook, b'{"as': mutations.lines}
    return changes.get(content[:4], _csv)(rng, content)


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
    "results-of-schema-1": Kind("old.jsonl", mutations.lines, _reports("old.jsonl")),
    "run-facts": Kind("r.jsonl.run.json", mutations.document, [REPORTS[0], [*SCAN, "--resume"]]),
    "scores": Kind("r.jsonl.scores.parquet", mutations.table, REPORTS[:1]),
    "recorded-csv": Kind("scores.csv", _csv, _recorded("csv"), (0, 2, 4)),
    "recorded-lines": Kind("scores.jsonl", mutations.lines, _recorded("lines"), (0, 2, 4)),
    "recorded-parquet": Kind("scores.parquet", mutations.table, _recorded("parquet"), (0, 2, 4)),
    "source-csv": Kind("telemetry.csv", _csv, [["fetch", "--from", "2016-01-01"]], (0, 2, 4)),
    "source-lines": Kind(
        "telemetry.jsonl", mutations.lines, [["fetch", "--source", "lines", "--from", "2016-01-01"]], (0, 2, 4)
    ),
    "asset-list": Kind("anomscan-data/fleet/assets/*.parquet", mutations.listed, [CHART, SCAN, ["fetch"]], (0, 2, 4)),
    "assets-csv": Kind("assets.csv", _csv, [["fetch"], CHART], (0, 2, 4)),
    "chart-results": Kind("c.jsonl", mutations.lines, _reports("c.jsonl")),
    "chart-scores": Kind("c.jsonl.scores.parquet", mutations.table, _reports("c.jsonl")[:1]),
    "chart-checkpoint": Kind("c.jsonl.parts/*.jsonl", mutations.lines, [[*CHART, "--resume"]]),
    "dropped": Kind(
        "anomscan-data/lines/dropped/*.parquet",
        mutations.table,
        [["scan", "--all", "--source", "lines", "--as-of", "{as-of}", "-o", "s.jsonl"]],
        (0, 2, 4),
    ),
    "dropped-manifest": Kind(
        "anomscan-data/lines/manifest.json",
        mutations.document,
        [
            ["scan", "--all", "--source", "lines", "--as-of", "{as-of}", "-o", "s.jsonl"],
            ["store", "drop", "--source", "lines", "--asset", "A2", "--from", "2016-02-01"],
        ],
        (0, 2, 4),
    ),
    "ledger": Kind(
        "incidents/ledger.jsonl",
        mutations.lines,
        [["incidents", "list"], ["incidents", "list", "--json"], ["report", "l.jsonl", "-o", "pages"], LEDGER],
    ),
    "archive": Kind(
        "incidents/archive/*.jsonl",
        mutations.lines,
        [["incidents", "list", "--state", "closed"], ["incidents", "list", "--json"], LEDGER],
    ),
    "known-spans": Kind(
        "faults.csv",
        _csv,
        [["compare", "--detector", "chart", "--view", "own", "--labels", "faults.csv", "-o", "compared.jsonl"]],
    ),
    "database": Kind(
        "plant.db",
        mutations.flipped,
        [["fetch", "--source", "plant", "--from", "2016-01-01"], ["fetch", "--config", "query.toml"]],
        (0, 2, 4, 5),
    ),
    "guessed": Kind("telemetry.*", _any, [["init", "{victim}", "--yes", "-o", "guessed.toml"]]),
    "recording": Kind("recording.jsonl", mutations.lines, [REPLAY], (0, 2, 4)),
    "azure-model": Kind(
        "mvad.json",
        mutations.document,
        [["models", "show", "azure"], ["models", "delete", "azure"]],
        (2, 5),
        5,
    ),
    "wide": Kind("wide.csv", _csv, [["fetch", "--source", "wide", "--from", "2016-01-01"]], (0, 2, 4)),
    "tags": Kind("tags.csv", _csv, [["fetch", "--source", "tags", "--from", "2016-01-01"]], (0, 2, 4)),
    "excel": Kind(
        "telemetry.xlsx", mutations.workbook, [["fetch", "--source", "xlsx", "--from", "2016-01-01"]], (0, 2, 4)
    ),
    "packed": Kind(
        "packed.csv.*", mutations.flipped, [["fetch", "--source", "{packing}", "--from", "2016-01-01"]], (0, 2, 4)
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
    for each in kind.commands:
        command = _command(each, victim)
        outcome = _run(command)
        said = outcome["err"].splitlines()
        errors = [line for line in said if line.startswith("error")]
        if outcome["code"] not in kind.codes:
            problems.append(f"{' '.join(command)}: exit {outcome['code']}: {outcome['err'][-3000:]}{outcome['trace']}")
        elif outcome["code"] == 2 and (len(errors) != 1 or any("\x1b" in line for line in said)):
            problems.append(f"{' '.join(command)}: not one line: {outcome['err'][-3000:]}")
    return problems


def _command(command: list[str], victim: Path) -> list[str]:
    words = {"{packing}": victim.suffix[1:], "{victim}": victim.name, "{as-of}": Path("as-of").read_text()}
    return [words.get(word, word) for word in command]


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
    kind = KINDS[name]
    for command in kind.commands:
        outcome = _run(_command(command, min(place.glob(kind.pattern))))
        assert outcome["code"] == kind.whole, outcome
    _restore(whole, place)
    for number in range(first, first + count):
        print(json.dumps({"begins": number}), flush=True)
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        rng = random.Random(f"{seed} {name} {number}")
        try:
            problems = attack(kind, rng, place)
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
