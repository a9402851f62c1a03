"""The smoke run for continuous integration: quiet where all is the same, readable where it is not."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "ci"


class Smoke:
    """A copy of the example, and its script run in there."""

    def __init__(self, folder: Path, anomscan: Path) -> None:
        self.folder = folder / "ci"
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        shutil.copytree(EXAMPLE, self.folder, ignore=shutil.ignore_patterns("__pycache__"))
        self._environment = {**os.environ, "ANOMSCAN": str(anomscan), "TMPDIR": str(self.scratch)}

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new))

    def __call__(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["/bin/sh", self.folder / "smoke.sh", *map(str, arguments)],
            env={**self._environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == ""
        assert not list(self.scratch.iterdir()), "temporary files stayed"
        return done


@pytest.fixture
def smoke(tmp_path, anomscan):
    return Smoke(tmp_path, anomscan)


def golden(folder):
    return {path.name: path.read_bytes() for path in (folder / "golden").iterdir() if path.name != "README.md"}


def test_it_is_quiet_and_leaves_what_came_out_where_asked(smoke, tmp_path):
    done = smoke(tmp_path / "results", ANOMSCAN_SCAN__SIGMA="1", ANOMSCAN_STORE__PATH="/nowhere")
    assert (done.returncode, done.stderr) == (0, "")
    out = {path.name: path.read_bytes() for path in (tmp_path / "results").iterdir()}
    assert {name: out[name] for name in ("results.jsonl", "links.txt")} == golden(EXAMPLE)


def test_a_difference_is_shown_by_asset_and_says_what_to_do(smoke):
    smoke.edit("anomscan.toml", "sigma = 4.0", "sigma = 5.0")
    done = smoke()
    assert done.returncode == 1
    assert done.stderr.startswith("--- golden/results.jsonl\n+++ results.jsonl of this run\n")
    assert '\n-found: "cutoff": 6.951600659186825\n+found: "cutoff": 8.3429432' in done.stderr
    assert done.stderr.count("\n+++ ") == 1, "the links are the same"
    last = done.stderr.splitlines()[-1]
    assert last.startswith("smoke: other results than the golden ones: results.jsonl.")
    assert "--update" in last
    assert golden(smoke.folder) == golden(EXAMPLE)


def test_an_update_makes_the_golden_files_anew(smoke):
    (smoke.folder / "golden" / "links.txt").unlink()
    assert "there is no golden/links.txt" in smoke().stderr
    assert smoke("--update").returncode == 0
    assert golden(smoke.folder) == golden(EXAMPLE)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("telemetry.csv", "007,", "008,", "anomscan scan ended with 4, not with 3"),
        ("scores.csv", ",30.000000", ",many", "anomscan scan ended with 2, not with 3"),
        ("anomscan.toml", '"telemetry.csv"', '"nowhere.csv"', "anomscan fetch ended with 2, not with 0"),
    ],
)
def test_a_step_that_ends_otherwise_is_named(smoke, name, old, new, words):
    smoke.edit(name, old, new)
    done = smoke()
    assert done.returncode == 1
    assert words in done.stderr.splitlines()[-1]


def test_findings_that_are_no_longer_found_fail(smoke):
    smoke.edit("scores.csv", ",9.000000", ",1.000000")
    smoke.edit("scores.csv", ",30.000000", ",1.000000")
    done = smoke()
    assert done.returncode == 1
    assert done.stderr == "smoke: anomscan scan ended with 0, not with 3\n"


def test_the_fixtures_are_what_their_script_writes(tmp_path):
    subprocess.run([sys.executable, EXAMPLE / "fixtures.py", tmp_path], check=True)
    for name in ("telemetry.csv", "scores.csv"):
        assert (tmp_path / name).read_bytes() == (EXAMPLE / name).read_bytes()


def test_the_golden_records_show_every_verdict():
    text = (EXAMPLE / "golden" / "results.jsonl").read_text()
    for verdict in ("ok", "anomalous", "warming-up", "skipped", "no-data"):
        assert re.search(f'"{verdict}": [1-9]', text), verdict


def test_the_workflows_run_this_script():
    """The lines that another system would run, from the workflow and from the README."""
    lines = [
        line for name in ("github-workflow.yml", "README.md") for line in (EXAMPLE / name).read_text().splitlines()
    ]
    commands = [line.split("- run: ")[-1].strip().removeprefix("- ") for line in lines if "sh examples/ci/" in line]
    assert commands == ["sh examples/ci/smoke.sh smoke-results"] * 2
    assert (EXAMPLE.parents[1] / commands[0].split()[1]).resolve() == EXAMPLE / "smoke.sh"
    assert os.access(EXAMPLE / "smoke.sh", os.X_OK)


def test_own_scores_are_recorded_as_the_readme_says(smoke, anomscan, tmp_path):
    scan, convert = re.findall(
        "^    ((?:anomscan scan|python -c).*)$", (EXAMPLE / "README.md").read_text(), re.MULTILINE
    )
    environment = {**os.environ, "ANOMSCAN_STORE__PATH": str(tmp_path / "store")}
    scan = scan.replace("A17", "007").replace("B3", "found")
    python = [sys.executable, *shlex.split(convert)[1:]]
    for command in ([anomscan, "-q", "fetch"], [anomscan, "-q", *shlex.split(scan)[1:]], python):
        subprocess.run(command, cwd=smoke.folder, env=environment, check=True)
    recorded = (smoke.folder / "scores.csv").read_text().splitlines()
    made = (EXAMPLE / "scores.csv").read_text().splitlines()
    assert recorded[0] == made[0]
    assert len(recorded) == 1 + 2 * (90 - 23)
    exact = {tuple(row.split(",")[:2]): float(row.split(",")[2]) for row in made[1:]}
    assert all(exact[tuple(row.split(",")[:2])] == float(row.split(",")[2]) for row in recorded[1:])
