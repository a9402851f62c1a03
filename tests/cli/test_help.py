from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from anomscan import __version__
from anomscan.cli.commands import COMMANDS

HEAVY = {"numpy", "pandas", "pyarrow", "plotly", "sqlalchemy", "pydantic", "rich", "jinja2"}


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom anomscan.cli.app import run\nrun(['--help'])\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert all(name in done.stdout for name in COMMANDS)


def test_scan_imports_nothing_it_does_not_need(fetched):
    code = (
        "import sys\nfrom anomscan.cli.app import run\nrun(['-q', 'scan', '--asset', 'a', '-o', 'r.jsonl'])\n"
        "print(sorted({'pandas', 'plotly', 'sqlalchemy', 'jinja2', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=fetched.folder, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_fetch_of_files_leaves_pandas_out(place):
    place.telemetry([["a", f"2017-01-{day:02}", day, "Ok"] for day in range(1, 10)])
    code = (
        "import sys\nfrom anomscan.cli.app import run\nassert run(['-q', 'fetch']) == 0\n"
        "print(sorted({'pandas', 'plotly', 'sqlalchemy', 'jinja2'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place.folder, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(place, name):
    out = place.good(name, "--help")
    assert out.startswith(f"Usage: anomscan {name}")
    assert len(out.splitlines()) > 5


@pytest.mark.parametrize("name", COMMANDS)
def test_the_lines_of_the_help_are_those_of_the_commands(name):
    from importlib import import_module

    module, line = COMMANDS[name]
    found = getattr(import_module(f"anomscan.cli.{module}"), name)
    doc = found.info.help if isinstance(found, typer.Typer) else found.__doc__
    first_words = line.rstrip(".").split(",")[0].split(":")[0]
    assert doc.startswith(first_words)


def test_the_version_is_told(place):
    assert place.good("--version") == f"anomscan {__version__}\n"


def test_settings_are_shown_with_their_origin_and_checked(place, monkeypatch):
    monkeypatch.setenv("ANOMSCAN_SCAN__SIGMA", "3.5")
    shown = place.good("config", "show")
    lines = {line.split(" = ")[0]: line for line in shown.splitlines()}
    assert lines["scan.sigma"].endswith("# environment ANOMSCAN_SCAN__SIGMA")
    assert "3.5" in lines["scan.sigma"]
    assert lines["scan.window"].endswith("anomscan.toml")
    assert lines["scan.gaps"].endswith("# default")
    assert place("config", "check")[0] == 0
    monkeypatch.setenv("ANOMSCAN_REPORT__ASSET_URL", "https://example.com/assets")
    assert "{asset}" in place("config", "check")[2]
    monkeypatch.delenv("ANOMSCAN_REPORT__ASSET_URL")
    monkeypatch.setenv("ANOMSCAN_SCAN__SIGMA", "30")
    assert place("config", "check")[0] == 2
