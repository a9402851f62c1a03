"""From a file to a report in one command, and to a configuration in another."""

from __future__ import annotations

import os
import pty
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from anomscan.cli.app import run
from guessing.exports import Export, exports
from workbooks import write_xlsx

EXPORTS = {export.name: export for export in exports()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, name: str, file: str = "telemetry.csv") -> Export:
    export = EXPORTS[name]
    (folder / file).write_bytes(export.text.encode(export.encoding))
    return export


@pytest.mark.parametrize(
    ("name", "assets"),
    [
        ("the notebook's table", 6),
        ("German Excel", 6),
        ("sites across", 6),
        ("SCADA of one turbine", 1),
        ("tags of assets", 4),
    ],
)
def test_quick_reports(folder: Path, capsys: pytest.CaptureFixture[str], name: str, assets: int) -> None:
    written(folder, name)
    assert run(["quick", "telemetry.csv"]) == 0
    out, err = capsys.readouterr()
    index = folder / "telemetry-anomscan" / "report" / "index.html"
    assert out.strip() == str(index)
    assert index.is_file()
    assert f"{assets} asset" in err
    assert {path.name for path in folder.iterdir()} == {"telemetry.csv", "telemetry-anomscan"}


def test_quick_reads_a_sheet_with_sites_across(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line.split(",") for line in EXPORTS["sites across"].text.splitlines()]
    from datetime import date

    rows = [lines[0], *([date.fromisoformat(line[0]), *map(float, line[1:])] for line in lines[1:])]
    write_xlsx(folder / "yield.xlsx", {"Data": [["Yield of all sites"], [], *rows], "Notes": [["nothing"]]})
    assert run(["quick", "yield.xlsx"]) == 0
    assert "layout    wide" in capsys.readouterr().err


def test_quick_reads_a_database(folder: Path) -> None:
    rows = [line.split(",") for line in EXPORTS["the notebook's table"].text.splitlines()[1:]]
    with sqlite3.connect(folder / "fleet.db") as database:
        database.execute("CREATE TABLE performance (asset_id TEXT, date TEXT, prt7 REAL, health_status TEXT)")
        database.executemany("INSERT INTO performance VALUES (?, ?, ?, ?)", rows)
    database.close()
    assert run(["quick", "sqlite:///fleet.db"]) == 0
    assert (folder / "fleet-anomscan" / "report" / "index.html").is_file()


def test_a_cohort_is_compared_by_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(folder, "region, site and capacity beside it")
    assert run(["quick", "telemetry.csv"]) == 0
    assert (folder / "telemetry-anomscan" / "assets.csv").read_text("utf-8").startswith("asset,cohort\nP00,North\n")
    assert "2 cohorts share" in capsys.readouterr().err


def test_what_is_not_clear_names_the_option_and_leaves_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(folder, "series by number")
    assert run(["quick", "telemetry.csv"]) == 2
    assert "--layout" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == {"telemetry.csv"}
    assert run(["quick", "telemetry.csv", "--layout", "long", "--cadence", "1h"]) == 0


def test_a_second_time_has_a_folder_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(folder, "the notebook's table")
    assert run(["quick", "telemetry.csv"]) == 0
    assert run(["quick", "telemetry.csv"]) == 0
    assert "telemetry-anomscan-2" in capsys.readouterr().out
    assert run(["quick", "telemetry.csv", "-o", "telemetry-anomscan"]) == 2


def test_a_fetch_that_fails_leaves_nothing(folder: Path) -> None:
    written(folder, "clocks that are off")
    assert run(["quick", "telemetry.csv", "--cadence", "7min"]) == 2
    assert {path.name for path in folder.iterdir()} == {"telemetry.csv"}


def test_on_a_terminal_it_asks(folder: Path) -> None:
    written(folder, "series by number")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "anomscan", "quick", "telemetry.csv", "--no-open"],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.write(ours, b"1\n")
    out, err = process.communicate()
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, err
    assert "(--layout)\n  1  long\n  2  wide\n> " in err
    assert out.strip().endswith("index.html")


@pytest.mark.parametrize(
    "name", ["the notebook's table", "German Excel", "SCADA of one turbine", "inverters across, semicolons"]
)
def test_init_writes_what_config_check_passes(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    written(folder, name)
    assert run(["init", "telemetry.csv", "--yes"]) == 0
    assert "next: anomscan fetch" in capsys.readouterr().err
    text = (folder / "anomscan.toml").read_text("utf-8")
    assert 10 <= len(text.splitlines()) <= 25
    assert ('cutoff = "rank"' in text) == ('kind = "nearest"' in text)
    assert run(["config", "check"]) == 0
    assert run(["fetch"]) == 0
    assert run(["scan", "--all", "-o", "results.jsonl"]) == 0


def test_init_does_not_overwrite_and_does_not_decide_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(folder, "the notebook's table")
    assert run(["init", "telemetry.csv"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert run(["init"]) == 2
    assert run(["init", "telemetry.csv", "--yes"]) == 0
    before = (folder / "anomscan.toml").read_bytes()
    assert run(["init", "telemetry.csv", "--yes"]) == 2
    assert (folder / "anomscan.toml").read_bytes() == before


def test_init_keeps_a_password_out_of_the_file(folder: Path) -> None:
    from anomscan.guessing.places import without_password

    assert without_password("mysql://reader:s3cret@db/fleet") == "mysql://reader@db/fleet"
    assert "s3cret" not in without_password("postgresql+psycopg://a:s3cret@h:5432/x?sslmode=require")


@pytest.mark.parametrize("given", ["nowhere.csv", "no/where.csv", "no*.csv", "/no/where.csv"])
@pytest.mark.parametrize("command", ["quick", "init"])
def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, given: str) -> None:
    monkeypatch.chdir(tmp_path)
    done = subprocess.run([sys.executable, "-m", "anomscan", command, given], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: there is no file {given}\n"
    assert list(tmp_path.iterdir()) == []
