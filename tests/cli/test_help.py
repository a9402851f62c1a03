from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer

from anomscan import __version__
from anomscan.cli.about import EXTRAS
from anomscan.cli.commands import COMMANDS
from anomscan.detectors.kernel import describe
from servers.rest_faults import Reply, serving
from workbooks import write_xlsx

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


COLUMNS = {
    "long": 'cadence = "1D"\ncolumns = { asset = "id", timestamp = "day", values = ["v"], health = "h" }\n',
    "wide": 'cadence = "1D"\ncolumns = { timestamp = "day", values = ["v"] }\n',
    "tags": 'cadence = "1D"\ncolumns = { asset = "id", timestamp = "day", tag = "tag", value = "x", values = ["v"] }\n',
}
SOURCES = {
    "csv": 'kind = "files"\npath = "t.csv"\n',
    "wide": 'kind = "files"\npath = "wide.csv"\nlayout = "wide"\n',
    "tags": 'kind = "files"\npath = "tags.csv"\nlayout = "tags"\n',
    "jsonl": 'kind = "files"\npath = "t.jsonl"\n',
    "parquet": 'kind = "files"\npath = "t.parquet"\n',
    "excel": 'kind = "files"\npath = "t.xlsx"\n',
    "sql": 'kind = "sql"\nurl = "sqlite:///t.db"\nquery = "SELECT * FROM t WHERE day BETWEEN :start AND :end"\n',
    "rest": 'kind = "rest"\nassets = ["a"]\nurl = "{url}"\n',
}


@pytest.mark.parametrize("kind", SOURCES)
def test_fetch_leaves_pandas_out(place, kind):
    rows = [{"id": "a", "day": f"2017-01-{day:02}", "v": day / 2, "h": "Ok" if day % 2 else ""} for day in range(1, 10)]
    rows.append({**rows[0], "day": "2017-01-10", "v": None})
    header = list(rows[0])
    odd = [header, [""] * 4, ["a", "2017-01-11", "50 %", ""]]
    place.table("t.csv", header, [*(list(row.values()) for row in rows), *odd])
    place.table("wide.csv", ["day", "a"], [[row["day"], row["v"]] for row in rows])
    place.table("tags.csv", ["id", "day", "tag", "x"], [["a", row["day"], "v", row["v"]] for row in rows])
    place.write("t.jsonl", "\n".join(map(json.dumps, rows)))
    with_nan = pa.Table.from_pylist([*rows, {**rows[0], "day": "2017-01-11", "v": math.nan}])
    pq.write_table(with_nan, place.folder / "t.parquet")
    write_xlsx(place.folder / "t.xlsx", {"t": [header, *(list(row.values()) for row in rows)]})
    with closing(sqlite3.connect(place.folder / "t.db")) as connection, connection:
        connection.execute("CREATE TABLE t (id TEXT, day TEXT, v REAL, h TEXT)")
        connection.executemany("INSERT INTO t VALUES (:id, :day, :v, :h)", rows)
    code = (
        "import sys\nfrom anomscan.cli.app import run\nassert run(['-q', 'fetch']) == 0\n"
        "print(sorted({'pandas', 'plotly', 'jinja2'} & set(sys.modules)))"
    )
    with serving(lambda call: Reply(body=rows)) as service:
        source = SOURCES[kind].replace("{url}", service.url)
        place.write("anomscan.toml", "[sources.t]\n" + source + COLUMNS.get(kind, COLUMNS["long"]))
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=place.folder, capture_output=True, text=True, check=True
        )
    assert done.stdout == "[]\n"


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
    first, scores, extras = place.good("--version").splitlines()
    assert first == f"anomscan {__version__}"
    assert scores == f"scores with: {describe()}"
    assert "charts" in extras.removeprefix("extras: ").split(", ")


def test_the_version_knows_every_extra():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert EXTRAS.keys() == project["optional-dependencies"].keys()


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
