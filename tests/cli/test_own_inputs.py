"""An output takes the place of nothing that is read, lies beside its side files, and has a possible name."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from anomscan.reports.links import chart_stem

pytestmark = pytest.mark.slow

WRITERS = {
    "scan": ["scan", "--all"],
    "detect": ["detect", "--asset", "a"],
    "list": ["report", "results.jsonl", "--format", "csv"],
}
INPUTS = [
    "anomscan.toml",
    ".env",
    "telemetry.csv",
    "scores.csv",
    "models/rcf.forest",
    "key.txt",
    "site.db",
    "anomscan-data/fleet.rejects.jsonl",
    "anomscan-data/fleet.rejects-2024.jsonl",
    "anomscan-data/fleet/manifest.json",
    "anomscan-data/fleet/lock",
    "anomscan-data/fleet/new.jsonl",
    "anomscan-data/fleet/roster/new.jsonl",
    "folder/one.csv",
    "pattern/x/one.csv",
    "incidents/ledger.jsonl",
    "incidents/archive/2023.jsonl",
]
MORE = """
[sources.site]
kind = "sql"
url = "sqlite:///site.db"
query = "SELECT 1"
cadence = "1D"
columns = { asset = "a", timestamp = "t", values = ["v"] }
[sources.api]
kind = "rest"
url = "http://127.0.0.1:9/{asset}"
key = "file:key.txt"
assets = ["a"]
cadence = "1D"
columns = { timestamp = "t", values = ["v"] }
[sources.folder]
kind = "files"
path = "folder"
cadence = "1D"
columns = { timestamp = "t", values = ["v"] }
[sources.pattern]
kind = "files"
path = "pattern/*/*.csv"
cadence = "1D"
columns = { timestamp = "t", values = ["v"] }
"""


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def ready(fetched):
    """A place with results, and every kind of input."""
    fetched.good("scan", "--all", "-o", "results.jsonl")
    settings = (fetched.folder / "anomscan.toml").read_text()
    fetched.write("anomscan.toml", settings + MORE)
    for folder in ("folder", "pattern/x", "models", "anomscan-data", "incidents/archive"):
        (fetched.folder / folder).mkdir(parents=True, exist_ok=True)
    for name in (
        ".env",
        "key.txt",
        "folder/one.csv",
        "pattern/x/one.csv",
        "incidents/archive/2023.jsonl",
        "models/rcf.forest",
    ):
        fetched.write(name, "" if name == ".env" else "precious")
    with closing(sqlite3.connect(fetched.folder / "site.db")) as database, database:
        database.execute("CREATE TABLE t (a)")
    return fetched


def refused(place, *arguments: str) -> str:
    """Run a command that must refuse before it does anything; its one line."""
    before = everything(place.folder)
    code, out, err = place(*arguments)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert everything(place.folder) == before
    return line


@pytest.mark.parametrize("command", WRITERS)
def test_an_input_is_no_output(ready, command):
    for target in INPUTS:
        assert Path(target).name in refused(ready, *WRITERS[command], "-o", target)


@pytest.mark.parametrize("command", WRITERS)
def test_nor_is_it_by_another_name(ready, command):
    (ready.folder / "link").symlink_to("telemetry.csv")
    os.link("telemetry.csv", "hard")
    for target in ("link", "hard", str(ready.folder / "telemetry.csv"), "models/../telemetry.csv"):
        assert "a file of source 'fleet'" in refused(ready, *WRITERS[command], "-o", target)


@pytest.mark.parametrize("command", ["scan", "detect"])
def test_nor_is_what_would_be_written_beside_the_output(ready, command):
    settings = (ready.folder / "anomscan.toml").read_text()
    for side in (".run.json", ".scores.parquet", ".lock", ".parts"):
        ready.write(f"x{side}", (ready.folder / "scores.csv").read_text())
        ready.write("anomscan.toml", settings.replace('"scores.csv"', f'"x{side}"'))
        line = refused(ready, *WRITERS[command], "-o", "x")
        assert f"x{side}, which is what [detectors.replay] path names" in line


def test_a_list_does_not_replace_the_results_it_is_of(ready):
    (ready.folder / "link").symlink_to("results.jsonl")
    for side in ("", ".run.json", ".scores.parquet"):
        for results in ("results.jsonl", "link"):
            refused(ready, "report", results, "--format", "markdown", "-o", f"results.jsonl{side}")


def test_pages_do_not_lie_in_the_store(ready):
    for folder in ("anomscan-data", "anomscan-data/fleet", "anomscan-data/fleet/pages"):
        assert "telemetry store" in refused(ready, "report", "results.jsonl", "-o", folder)


def test_a_model_does_not_replace_an_input(ready):
    settings = (ready.folder / "anomscan.toml").read_text()
    for target in ("anomscan.toml", "telemetry.csv", "anomscan-data/fleet/x", "scores.csv"):
        ready.write("anomscan.toml", settings.replace('"models/rcf.forest"', f'"{target}"'))
        assert "[detectors.rcf] model" in refused(ready, "train", "--detector", "rcf")


def test_outputs_beside_the_inputs_are_fine(ready):
    for _ in range(2):
        ready.good("scan", "--all", "-o", "models/results.jsonl")
        ready.good("scan", "--all", "-o", "anomscan-data/results.jsonl")
        ready.good("report", "results.jsonl", "-o", ".")
    ready("train", "--detector", "rcf")


@pytest.mark.parametrize("exists", [True, False])
def test_all_that_a_run_writes_lies_together(fetched, exists):
    """Where the output is a link, beside what it leads to; so a report by the link finds it."""
    (fetched.folder / "elsewhere").mkdir()
    if exists:
        fetched.write("elsewhere/real.jsonl", "old")
    (fetched.folder / "chain").symlink_to("elsewhere/real.jsonl")
    (fetched.folder / "link.jsonl").symlink_to("chain")
    fetched.good("scan", "--all", "-o", "link.jsonl")
    assert {path.name for path in (fetched.folder / "elsewhere").iterdir()} == {
        "real.jsonl",
        "real.jsonl.run.json",
        "real.jsonl.scores.parquet",
    }
    assert not list(fetched.folder.glob("link.jsonl.*"))
    assert (fetched.folder / "link.jsonl").is_symlink()
    code, _, err = fetched("scan", "--all", "-o", "link.jsonl", "--resume")
    assert (code, "nothing is left to do" in err) == (0, True)
    for results in ("link.jsonl", "elsewhere/real.jsonl"):
        fetched.good("report", results, "-o", f"pages of {Path(results).name}")
    first, second = (
        {path.name: path.read_bytes() for path in (fetched.folder / f"pages of {name}").rglob("*.html")}
        for name in ("link.jsonl", "real.jsonl")
    )
    assert first == second
    assert b"data_hash" in first["index.html"]


def test_files_beside_a_link_to_results_are_found_too(fetched):
    fetched.good("scan", "--all", "-o", "results.jsonl")
    (fetched.folder / "kept").mkdir()
    (fetched.folder / "results.jsonl").rename(fetched.folder / "kept" / "0123")
    (fetched.folder / "results.jsonl").symlink_to("kept/0123")
    fetched.good("report", "results.jsonl", "-o", "pages")
    assert b"data_hash" in (fetched.folder / "pages" / "index.html").read_bytes()


def test_a_report_through_a_link_to_a_folder(fetched):
    fetched.good("scan", "--all", "-o", "results.jsonl")
    (fetched.folder / "real").mkdir()
    (fetched.folder / "pages").symlink_to("real")
    fetched.good("report", "results.jsonl", "-o", "pages")
    assert (fetched.folder / "real" / "index.html").is_file()
    assert (fetched.folder / "pages").is_symlink()


LONG = {
    "with its side files": "x" * 244 + ".jsonl",
    "in bytes": "é" * 121 + ".jsonl",
}


@pytest.mark.parametrize("name", LONG.values(), ids=LONG)
def test_a_name_that_is_too_long_is_told_before_the_work(fetched, name):
    for command in ("scan", "detect"):
        line = refused(fetched, *WRITERS[command], "-o", name)
        assert name in line
        assert "bytes" in line


def test_the_longest_name(fetched):
    name = "x" * (255 - len(".scores.parquet"))
    fetched.good("scan", "--all", "-o", name)
    assert {path.name for path in fetched.folder.glob("xxx*")} == {name, f"{name}.run.json", f"{name}.scores.parquet"}
    assert json.loads((fetched.folder / f"{name}.run.json").read_text())["assets"] == 2
    assert "bytes" in refused(fetched, "scan", "--all", "-o", f"{name}x")


def test_other_names_that_are_too_long(fetched):
    settings = (fetched.folder / "anomscan.toml").read_text()
    fetched.write("anomscan.toml", settings.replace('"models/rcf.forest"', f'"models/{"x" * 256}"'))
    assert "bytes" in refused(fetched, "train", "--detector", "rcf")
    fetched.write("anomscan.toml", settings.replace("sources.fleet", f"sources.{'x' * 250}").replace('"fleet"', '"x"'))
    assert "bytes" in refused(fetched, "fetch", "--source", "x" * 250)


PLANTED = [
    "r.jsonl.run.json",
    "r.jsonl.scores.parquet",
    "pages/charts/{page}",
    "anomscan-data/fleet/batch-000002.parquet",
    "anomscan-data/fleet/roster/roster-000002.parquet",
]


def test_a_planted_link_has_nothing_overwritten(fetched):
    """A name that we choose and others can guess is not followed elsewhere."""
    (fetched.folder / "pages" / "charts").mkdir(parents=True)
    page = f"{chart_stem('a')}.html"
    for number, name in enumerate(PLANTED):
        fetched.write(f"precious-{number}", "precious")
        link = fetched.folder / name.format(page=page)
        link.unlink(missing_ok=True)
        link.symlink_to(fetched.folder / f"precious-{number}")
    fetched.write("telemetry.csv", (fetched.folder / "telemetry.csv").read_text() + "c,2016-01-01,0.5,Ok\n")
    fetched.good("fetch")
    assert fetched("scan", "--all", "-o", "r.jsonl")[0] == 4
    fetched.good("report", "r.jsonl", "-o", "pages")
    for number, name in enumerate(PLANTED):
        assert (fetched.folder / f"precious-{number}").read_text() == "precious"
        assert not (fetched.folder / name.format(page=page)).is_symlink()
