"""Colours by meaning, on terminals alone and only where they are wanted."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from anomscan.cli.commands import COMMANDS
from guessing.exports import exports

_COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
#: Each command with settings that are not there, so that each has an error; and a whole run with its progress.
_ALL = f"""
import sys
from anomscan.cli.app import run
for command in {list(COMMANDS)!r}:
    sys.stderr.write(f"<{{command}}>")
    run(["--config", "nowhere.toml", command, *(["nowhere.csv"] if command == "quick" else [])])
sys.stderr.write("<end>")
run(["quick", "telemetry.csv", "--no-open"])
"""


def on_a_terminal(folder: Path, **environment: str) -> str:
    """What all commands write to a terminal."""
    table = next(export for export in exports() if export.name == "the notebook's table")
    (folder / "telemetry.csv").write_text(table.text + "S001,2024-13-77,0.8,Ok\n", "utf-8")
    ours, theirs = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-c", _ALL], cwd=folder, env={**plain, "TERM": "xterm", **environment},
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux says so at the end
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    process.wait()
    return said.decode()


def test_errors_are_red(tmp_path: Path) -> None:
    said = on_a_terminal(tmp_path)
    assert len(re.findall("\x1b\\[31merror\x1b\\[0m: ", said)) >= 10
    assert "index.html" in said


def test_no_color_is_heeded_by_every_command(tmp_path: Path) -> None:
    said = on_a_terminal(tmp_path, NO_COLOR="1")
    assert not _COLOUR.search(said)
    assert said.count("error: ") >= 10
    assert "index.html" in said


def test_a_dumb_terminal_gets_text_alone(tmp_path: Path) -> None:
    said = on_a_terminal(tmp_path, TERM="dumb")
    assert "\x1b" not in said
    assert "index.html" in said


def test_a_pipe_gets_text_alone(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "anomscan", "scan"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr.startswith("error: ")
