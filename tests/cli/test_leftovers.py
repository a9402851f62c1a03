"""What a killed command leaves behind goes with the next run of it; what others have beside it stays."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

#: Runs a command that is killed when it first makes sure that a file is on the disk.
KILLED = """
import os, signal, sys
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
from anomscan.cli.app import run
run(sys.argv[1:])
"""
OURS = re.compile(r"\.anomscan-|anomscan-[0-9a-f]{12}|spill-|.*\.tmp$")

COMMANDS = {
    "fetch": ["fetch"],
    "rejects": ["fetch", "--source", "spoilt"],
    "train": ["train", "--detector", "rcf"],
    "scan": ["scan", "--all", "-o", "out/results.jsonl"],
    "scan to stdout": ["scan", "--all"],
    "detect": ["detect", "--asset", "a", "-o", "out/detected.jsonl"],
    "report": ["report", "results.jsonl", "-o", "pages"],
    "list": ["report", "results.jsonl", "--format", "csv", "-o", "out/list.csv"],
}


def leftovers(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*") if OURS.match(path.name))


def killed(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.fixture
def ready(fetched, monkeypatch):
    """A place with results, a source with a bad row, and temporary folders of its own."""
    fetched.good("scan", "--all", "-o", "results.jsonl")
    fetched.write("spoilt.csv", "a,t,v\nx,2016-01-01,1\nx,2016-01-02,bad\n")
    settings = (fetched.folder / "anomscan.toml").read_text()
    fetched.write(
        "anomscan.toml",
        settings + '[sources.spoilt]\nkind = "files"\npath = "spoilt.csv"\ncadence = "1D"\n'
        'columns = { asset = "a", timestamp = "t", values = ["v"] }\n',
    )
    for name in ("out", "tmp", "models"):
        (fetched.folder / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(fetched.folder / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    # What is in the way of nobody.
    for name in ("out/.anomscan-notes", "tmp/anomscan-mine", "models/.anomscan-0.tmp"):
        fetched.write(name, "precious")
    return fetched


@pytest.mark.parametrize("command", COMMANDS)
def test_the_next_run_removes_what_a_killed_one_left(ready, command):
    place, arguments = ready.folder, COMMANDS[command]
    before = leftovers(place)
    if command == "fetch":  # something must be new
        ready.write("telemetry.csv", (place / "telemetry.csv").read_text() + "c,2016-01-01,0.5,Ok\n")
    killed(*arguments)
    killed(*arguments)
    assert leftovers(place) != before
    assert ready(*arguments)[0] in (0, 4)
    assert leftovers(place) == before


def test_a_run_that_is_stopped_keeps_its_files(ready):
    """Stopped, not killed: the next run leaves its files alone, and it can go on."""
    stop = KILLED.replace("signal.SIGKILL", "signal.SIGSTOP")
    arguments = ["train", "--detector", "rcf"]
    with subprocess.Popen([sys.executable, "-c", stop, *arguments], stderr=subprocess.PIPE) as process:
        os.waitpid(process.pid, os.WUNTRACED)
        begun = leftovers(ready.folder / "models")
        assert len(begun) == 2
        ready.good(*arguments)
        assert leftovers(ready.folder / "models") == begun
        while process.poll() is None:
            process.send_signal(signal.SIGCONT)
        assert process.returncode == 0
    assert len(leftovers(ready.folder / "models")) == 1


def test_a_lock_and_half_a_checkpoint_go_too(ready):
    killed("scan", "--all", "-o", "out/results.jsonl")
    assert {path.name for path in (ready.folder / "out").iterdir()} >= {"results.jsonl.lock", "results.jsonl.parts"}
    ready.good("scan", "--all", "-o", "out/results.jsonl")
    assert {path.name for path in (ready.folder / "out").iterdir()} == {
        ".anomscan-notes",
        "results.jsonl",
        "results.jsonl.run.json",
        "results.jsonl.scores.parquet",
    }
