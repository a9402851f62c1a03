"""A table in MariaDB is guessed and read as the same table in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import anomscan as an
from anomscan.cli.app import run
from api.test_api import telemetry
from servers.mariadb import MariaDb

pytestmark = pytest.mark.servers

#: Called so that it is not taken for a file of SQLite.
DATABASE = "from_sqlite"


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a database with one table, for a user who has a password."""
    with MariaDb() as server:
        server.run(
            f"CREATE DATABASE {DATABASE}",
            f"CREATE TABLE {DATABASE}.yields (plant VARCHAR(9), day DATE, region VARCHAR(9), ratio DECIMAL(9, 6))",
            "CREATE USER 'ada'@'%' IDENTIFIED BY 's3cret'",
            f"GRANT ALL ON {DATABASE}.* TO 'ada'@'%'",
        )
        rows = [(row.plant, row.day.date(), row.region, row.v0) for row in telemetry().itertuples()]
        with server.connect(DATABASE) as connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO yields VALUES (%s, %s, %s, %s)", rows)
        yield server.url(DATABASE, user="ada:s3cret").replace("mysql+pymysql", "mysql")


def test_it_is_read_as_a_file(database: str, tmp_path: Path) -> None:
    telemetry().rename(columns={"v0": "ratio"}).to_csv(tmp_path / "yields.csv", index=False)
    frame = an.read(database)
    pd.testing.assert_frame_equal(frame, an.read(tmp_path / "yields.csv"))
    assert ("cadence", "1D") in [row[:2] for row in frame.attrs["guessed"]]


def test_quick_reports_and_keeps_no_password(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["quick", database]) == 0
    folder = tmp_path / f"{DATABASE}-anomscan"
    assert (folder / "report" / "index.html").is_file()
    assert '"p3"' in (folder / "results.jsonl").read_text("utf-8")
    for path in folder.rglob("*"):
        assert path.is_dir() or b"s3cret" not in path.read_bytes(), path
