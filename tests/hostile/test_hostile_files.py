"""Files that somebody changed on purpose: each command ends as documented, with one line, whatever stands in them.

``ANOMSCAN_MUTATIONS`` says how many changes of each kind of file are tried, ``ANOMSCAN_SEED`` which ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hostile.attack import KINDS

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
MUTATIONS = int(os.environ.get("ANOMSCAN_MUTATIONS", "25"))
SEED = os.environ.get("ANOMSCAN_SEED", "1")


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_stands_in_a_file_is_one_line(kind, installation):
    """Neither a bug, nor a crash, nor a command that does not end; each is told with its number."""
    problems = _problems(kind, 0, MUTATIONS, SEED, installation)
    assert not problems, "\n\n".join(problems[:20])


@pytest.mark.parametrize(
    ("kind", "number", "seed"),
    [("recorded-parquet", 152, "7")],  # the figures of a column in the footer do not fit: pyarrow would end the process
)
def test_what_once_ended_the_process(kind, number, seed, installation):
    assert not _problems(kind, number, number + 1, seed, installation)


def _problems(kind: str, first: int, stop: int, seed: str, installation: Path) -> list[str]:
    """What is wrong after some of the changes of a kind of file."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent / "src")]),
        "PYTHONWARNINGS": "error",
    }
    problems: list[str] = []
    while first < stop:
        asked = [kind, str(first), str(stop - first), seed, str(installation)]
        command = [sys.executable, "-X", "faulthandler", str(TESTS / "hostile" / "attack.py"), *asked]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        told = [json.loads(line) for line in done.stdout.splitlines()]
        problems += [f"{each['number']}: {problem}" for each in told for problem in each.get("problems", [])]
        assert told, done.stderr[-5000:]
        if done.returncode == 0:
            break
        number = told[-1].get("begins", -1)
        problems.append(f"{number}: the process ended with {done.returncode}: {done.stderr[-2000:]}")
        first = number + 1
    return problems
