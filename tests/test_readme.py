"""What README.md and the other pages tell the reader to type is held to the code."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import typer

from anomscan.cli.app import app, run
from anomscan.cli.commands import COMMANDS
from anomscan.reports.records import read_records
from anomscan.store.store import Store
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *ROOT.glob("examples/*/README.md"),
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

#: Programs of others that the pages call: what they are told is not looked at.
OTHERS = {
    "alert",
    "aws",
    "cd",
    "install",
    "journalctl",
    "podman",
    "runuser",
    "set",
    "systemctl",
    "useradd",
    ".",
    "export",
}
#: Blocks that other tests hold to the code, by what they begin with.
ELSEWHERE = {
    '-found: "cutoff"': "tests/examples/test_ci.py",
    "anomscan-smoke:": "tests/examples/test_ci.py",
    "SOURCE/": "tests/store/test_newest_apart.py",
    "import csv\nimport math": "tests/test_tutorial.py",
    "python make_sites.py": "tests/test_tutorial.py",
    "import anomscan": "tests/api/test_api.py",
    "import pandas": "tests/api/test_api.py",
    "data = an.read(": "tests/api/test_api.py",
    "import base64": "tests/incidents/notify/test_webhook.py",
    '{"text": {{': "tests/incidents/notify/test_webhook.py",
}
#: Options that the prose names and no command declares.
FOREIGN_OPTIONS = {"--allow-path", "--delete", "--group", "--help", "--update"}


@dataclass(frozen=True)
class Block:
    """Some lines of a page that are set apart, fenced or indented."""

    page: str
    heading: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text.splitlines()[0][:40]}"


def blocks_of(page: Path) -> Iterator[Block]:
    name, heading, language, kept = str(page.relative_to(ROOT)), "", None, []
    before = ""
    for line in [*page.read_text("utf-8").splitlines(), ""]:
        if language not in (None, "indented"):  # fenced
            if line.startswith("```"):
                yield Block(name, heading, language, "\n".join(kept) + "\n")
                language, kept = None, []
            else:
                kept.append(line)
        elif line.startswith("    ") and (language == "indented" or not before):
            language = "indented"
            kept.append(line.removeprefix("    "))
        else:
            if language == "indented":
                yield Block(name, heading, "", "\n".join(kept) + "\n")
                language, kept = None, []
            if line.startswith("```"):
                language = line.removeprefix("```") or "sh"
            elif line.startswith("#"):
                heading = line.lstrip("# ")
        before = line
    assert language is None, f"{name}: a block is not closed"


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
SHELL = [block for block in BLOCKS if block.language in ("", "sh") and "->" not in block.text]


def elsewhere(block: Block) -> bool:
    return any(block.text.startswith(beginning) for beginning in ELSEWHERE)


def commands_in(script: str) -> Iterator[list[str]]:
    """The simple commands of a script, each as its words."""
    script = re.sub(r"(^|\s)#( .*)?$", "", script, flags=re.MULTILINE)
    script = re.sub(r"^[0-9*]+( [0-9*]+){4} ", "", script, flags=re.MULTILINE)  # when cron runs it
    lexer = shlex.shlex(script.replace("\\\n", " "), posix=True, punctuation_chars=";|&\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    words: list[str] = []
    for word in [*lexer, "\n"]:
        if set(word) <= set(";|&\n"):
            if words:
                yield words
            words = []
        else:
            words.append(word)


def check(words: list[str], folder: Path = ROOT) -> None:
    """Fail unless a command is one that can be given."""
    program, arguments = words[0], words[1:]
    if program in ("anomscan", "/opt/anomscan/venv/bin/anomscan"):
        parse(arguments)
    elif program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert [word for word in arguments if "=" not in word and word not in targets] == []
    elif program == "pip":
        check_pip(arguments)
    elif program in ("python", "python3", "sh", ".venv/bin/python") and arguments[0] != "-c":
        scripts = [word for word in arguments if word.endswith((".py", ".sh"))]
        assert scripts or arguments[:2] == ["-m", "venv"]
        assert all((folder / script).is_file() for script in scripts)
    elif program in ("python", "sh", "runuser"):  # -c and a script
        script = arguments[arguments.index("-c") + 1]
        for inner in [] if program == "python" else commands_in(script):
            check(inner)
    else:
        assert program in OTHERS, "this page gives a command that the test does not know"


def parse(arguments: list[str]) -> None:
    """Read a command line as the program would, up to where it would begin to work."""
    command = typer.main.get_command(app)
    context = command.make_context("anomscan", list(arguments))
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)


def check_pip(arguments: list[str]) -> None:
    assert arguments[0] == "install"
    if "--group" in arguments:
        assert arguments[arguments.index("--group") + 1] in PROJECT["dependency-groups"]
    for extras in re.findall(r"anomscan\[(.*?)\]", " ".join(arguments)):
        assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])


@pytest.mark.slow
@pytest.mark.parametrize("block", SHELL, ids=str)
def test_commands_exist_with_their_options(block):
    if elsewhere(block):
        return
    folder = (ROOT / block.page).parent
    commands = list(commands_in(block.text))
    assert commands
    for words in commands:
        check(words, folder if (folder / "smoke.sh").exists() else ROOT)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block not in SHELL], ids=str)
def test_no_block_is_left_out(block):
    # The pages on extending and on the store have tests of their own.
    held = {
        "toml": True,
        "json": True,
        "text": block.page == "docs/tutorial/first-hour.md",
        "python": block.page in ("docs/how-to/extending.md", "docs/reference/store.md"),
    }
    held["sql"] = block.page == "docs/reference/store.md"
    held[""] = block.page == "docs/explanation/architecture.md"
    assert held.get(block.language) or elsewhere(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_within_the_prose_exist_with_their_options(page):
    prose = re.sub(r"^```.*?^```|^    .*?$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    command = ""
    for code in re.findall(r"`([^`\n]+)`", prose):
        if code.startswith("... "):  # more options of the command above
            code = command + code.removeprefix("...")
        first = code.split(" ")[0]
        program = first in ("anomscan", "make", "pip", ".venv/bin/python")
        if program or (first in COMMANDS and " -" in code):
            command = code if program else f"anomscan {code}"
            for words in commands_in(re.sub(r" \[([^\]]*)\]", r" \1", command)):
                check(words)


def options_of(command) -> Iterator[str]:
    for parameter in command.params:
        yield from parameter.opts
    for name in command.list_commands(None) if hasattr(command, "list_commands") else []:
        yield from options_of(command.get_command(None, name))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_options_named_in_the_prose_exist(page):
    named = set(re.findall(r"`(--[a-z-]+)", page.read_text("utf-8")))
    assert named - set(options_of(typer.main.get_command(app))) <= FOREIGN_OPTIONS


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "toml"], ids=str)
def test_settings_are_accepted(block, tmp_path, monkeypatch, capsys):
    """A later block of a page goes on where the first one ends."""
    first = next(each for each in BLOCKS if each.language == "toml" and each.page == block.page)
    text = block.text if block is first else first.text + block.text
    (tmp_path / "anomscan.toml").write_text(text, "utf-8")
    for name in ("url", "key"):
        monkeypatch.setenv(f"inference_telemetry_endpoint_{name}", "https://example.com")
    monkeypatch.chdir(tmp_path)
    assert run(["config", "check"]) == 0, capsys.readouterr().err


def test_the_record_of_the_readme_can_be_read():
    (block,) = (block for block in BLOCKS if block.language == "json" and "schema" in block.text)
    line = " ".join(block.text.replace(", ...]", "]").split())
    (record,) = read_records(io.StringIO(line), name="README.md")
    keys = list(json.loads(line))
    golden = ROOT / "tests" / "reports" / "golden" / "records.jsonl"
    assert keys == list(json.loads(golden.read_text("utf-8").splitlines()[0]))
    assert record.has_findings


def test_the_rooms_are_those_of_the_import_contract():
    (block,) = (block for block in BLOCKS if "->" in block.text)
    (contract,) = PROJECT["tool"]["importlinter"]["contracts"]
    rooms = [layer.replace("anomscan.", "") for layer in contract["layers"]]
    assert block.text.strip() == " -> ".join(f"({room})" if "|" in room else room for room in rooms)


@pytest.fixture
def shell(anomscan, tmp_path):
    """Runs a script in a folder of its own, with this checkout's anomscan as a command."""

    def run_script(script: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": f"{anomscan.parent}:{os.environ['PATH']}"}
        return subprocess.run(
            ["/bin/sh", "-ec", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run_script


def under(page: str, heading: str) -> list[Block]:
    return [block for block in BLOCKS if (block.page, block.heading) == (page, heading)]


@pytest.mark.slow
def test_the_first_steps_and_the_night_run_as_the_readme_has_them(shell, tmp_path):
    settings, steps = under("README.md", "Your own fleet")
    (whole,) = under("README.md", "Every night")
    (parts,) = under("docs/how-to/night.md", "Each part by itself")
    (tmp_path / "anomscan.toml").write_text(settings.text, "utf-8")
    telemetry(tmp_path / "telemetry.csv")
    done = shell(steps.text)
    assert done.returncode == 0, done.stderr
    records = {record.asset: record for record in read_records(tmp_path / "results.jsonl")}
    assert [asset for asset, record in records.items() if record.has_findings] == ["C"]
    assert (tmp_path / "report" / "index.html").is_file()
    done = shell(alerting(parts.text))
    assert (done.returncode, done.stdout, done.stderr) == (0, "alert 3\n", "")
    assert len((tmp_path / "last-night.jsonl").read_text("utf-8").splitlines()) == 3
    done = shell(alerting(whole.text))
    assert (done.returncode, done.stdout) == (0, "alert 4\n")  # its newest sample is of 2017
    assert "source 'fleet' is stale" in done.stderr
    assert (tmp_path / "nights" / "report" / "index.html").is_file()


def alerting(crontab: str) -> str:
    """A line of a crontab for a shell here, in which an alert is a word."""
    line = re.sub("^[0-9 *]*cd /srv/fleet && ", "", crontab)
    assert line.startswith("anomscan ")
    return 'alert() { echo "alert $1"; }\n' + line


@pytest.mark.slow
def test_a_forest_of_several_variables_runs_as_the_page_has_it(shell, tmp_path):
    settings = next(block for block in BLOCKS if block.page == "docs/how-to/azure.md" and block.language == "toml")
    (steps,) = under("docs/how-to/azure.md", "Without any service")
    (tmp_path / "anomscan.toml").write_text(settings.text, "utf-8")
    shape = Layout(Cadence.parse("10min"), ("temperature", "humidity", "prediction"))
    values = 0.5 + np.random.default_rng(1).random((1500, 3)) / 10
    instants = np.datetime64("2026-01-01", "us") + np.arange(len(values)) * np.timedelta64(10, "m")
    rows = pa.table(
        [["hvac_simulator"] * len(values), instants, *values.T, pa.nulls(len(values), pa.string())], schema=shape.schema
    )
    with Store.create(tmp_path / "anomscan-data").writer("hvac", shape, arrived_at=instants[-1]) as writer:
        writer.append(rows)
        writer.commit()
    done = shell(f"export inference_telemetry_endpoint_url=https://example.com\n{steps.text}")
    assert done.returncode == 0, done.stderr
    (record,) = read_records(tmp_path / "week.jsonl")
    assert sum(record.verdicts.values()) == 7 * 144


def telemetry(path: Path) -> None:
    """Three calm assets; one of them stands still on its last day."""
    start = dt.date(2015, 6, 1)
    days = (dt.date(2017, 12, 31) - start).days + 1
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["asset_id", "date", "prt7", "health_status"])
        for number, asset in enumerate("ABC"):
            for day in range(days):
                value = 0.8 + (day * (number + 3) % 11) / 500
                stopped = asset == "C" and day == days - 1
                rows.writerow([asset, start + dt.timedelta(day), 0.0 if stopped else round(value, 6), "Ok"])
