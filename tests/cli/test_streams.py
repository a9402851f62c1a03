"""Closed, full and abandoned streams, and locales without UTF-8: the exit code is right, and nothing is a bug."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "anomscan"]


def started(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *arguments], check=False, **options)  # type: ignore[call-overload]


def closing(*numbers: int) -> Callable[[], None]:
    return lambda: [os.close(number) for number in numbers] and None


@pytest.fixture
def scanned(fetched):
    """A place with telemetry and results; of an asset whose id no locale but UTF-8 can write, too."""
    rows = (fetched.folder / "telemetry.csv").read_text().splitlines()
    fetched.write("telemetry.csv", "\n".join([*rows, *(row.replace("a,", "Ä,", 1) for row in rows[1:121])]) + "\n")
    scores = (fetched.folder / "scores.csv").read_text().splitlines()
    fetched.write("scores.csv", "\n".join([*scores, *(row.replace("a,", "Ä,", 1) for row in scores[1:121])]) + "\n")
    fetched.good("fetch")
    fetched.good("scan", "--all", "-o", "results.jsonl")
    return fetched


PRINTING = [
    ("--version",),
    ("--help",),
    ("config", "show"),
    ("models", "list"),
    ("scan", "--all"),
    ("scan", "--all", "--format", "table"),
    ("detect", "--asset", "a"),
    ("report", "results.jsonl", "--format", "csv"),
]


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_full_or_closed_stdout_is_7(scanned, arguments):
    with Path("/dev/full").open("wb") as full:
        done = started(*arguments, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, b"standard output cannot be written: No space left" in done.stderr) == (7, True)
    done = started(*arguments, stderr=subprocess.PIPE, preexec_fn=closing(1))
    assert (done.returncode, b"standard output cannot be written" in done.stderr) == (7, True)


@pytest.mark.parametrize("numbers", [(1,), (2,), (0, 1, 2)])
def test_with_closed_streams_a_file_is_written_whole(scanned, numbers):
    expected = (scanned.folder / "results.jsonl").read_bytes()
    done = started("scan", "--all", "-o", "again.jsonl", preexec_fn=closing(*numbers))
    assert done.returncode == 0
    assert (scanned.folder / "again.jsonl").read_bytes() == expected


def test_a_closed_stdin_holds_nothing(scanned):
    done = started("report", "-", "--format", "links", preexec_fn=closing(0), capture_output=True)
    assert (done.returncode, b"hold no record" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("scan",), 2),
        (("scan", "--asset", "nobody", "-o", "x.jsonl"), 4),
        (("scan", "--all", "--fail-on", "any", "-o", "x.jsonl"), 3),
        (("fetch",), 0),
    ],
)
@pytest.mark.parametrize("stderr", ["gone", "full", "closed"])
def test_a_console_that_cannot_speak_changes_no_exit_code(scanned, arguments, code, stderr):
    if stderr == "closed":
        assert started(*arguments, preexec_fn=closing(2)).returncode == code
        return
    if stderr == "full":
        end = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, end = os.pipe()
        os.close(reader)
    try:
        assert started(*arguments, stderr=end).returncode == code
    finally:
        os.close(end)
    assert code != 3 or (scanned.folder / "x.jsonl").is_file()


@pytest.mark.parametrize("arguments", [("scan", "--all"), ("report", "results.jsonl", "--format", "csv")], ids=" ".join)
def test_a_reader_that_goes_is_quiet_success(scanned, arguments):
    reader, end = os.pipe()
    os.close(reader)
    try:
        done = started("-q", *arguments, stdout=end, stderr=subprocess.PIPE)
    finally:
        os.close(end)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_json_lines_are_utf_8_whatever_the_locale(scanned, encoding):
    environment = os.environ | {"PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    done = started("-q", "scan", "--asset", "Ä", stdout=subprocess.PIPE, env=environment)
    assert (done.returncode, json.loads(done.stdout.decode())["asset"]) == (0, "Ä")
