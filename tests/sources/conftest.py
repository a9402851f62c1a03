"""One small fleet, written in every way a source can hold it."""

from __future__ import annotations

import csv
import gzip
import json
import math
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomscan.config import Columns, FilesSource, SqlSource
from anomscan.sources.base import AssetFailure, Notice, Request, Source
from anomscan.sources.registry import build
from anomscan.telemetry.rows import ORIGIN
from servers.certificates import write_certificates
from servers.mariadb import MariaDb

Row = tuple[str, str, float | None, float | None, str | None]

#: asset, date, two variables, health; unsorted, with empty values, ids that look like numbers, paths and markup.
FLEET: list[Row] = [
    ("007", "2017-01-02", 0.1, 5.0, "Good"),
    ("007", "2017-01-01", 0.30000000000000004, -1e-300, "Unknown"),
    ("7", "2017-01-01", None, 1e22, None),
    ("../etc/passwd", "2017-01-01", 3.0, 4.0, "a,b"),
    ("<script>alert('x')</script>", "2017-01-01", 1.0, 2.0, "Good"),
    ('he said "no"', "2017-01-01", 1.5, None, "ça va"),
    ("Ωmega/☀", "2016-02-29", 5e-324, 1.7976931348623157e308, "Good"),
    ("two\nlines", "2017-01-01", 1.0, 1.0, "Good"),
    ("NA", "2017-01-01", 1.0, 1.0, "Good"),
]
HEADER = ("asset_id", "date", "prt7", "temp", "health_status")
COLUMNS = Columns(asset="asset_id", timestamp="date", values=("prt7", "temp"), health="health_status")
QUERY = """
    SELECT pr.asset_id, pr.date, pr.prt7, pr.temp, ahd.health_status
    FROM performance_ratio pr
    INNER JOIN asset_health_daily ahd ON pr.asset_id = ahd.asset_id AND pr.date = ahd.date
    WHERE ahd.date >= :start AND ahd.date <= :end AND (:asset IS NULL OR pr.asset_id = :asset)
"""


def write_csv(path: Path, rows: list[Row], opener: Callable[..., Any] = open) -> Path:
    with opener(path, "wt", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow((*HEADER, "notes"))
        for asset, day, *numbers, health in rows:
            writer.writerow((asset, day, *("" if x is None else repr(x) for x in numbers), health, "not read"))
    return path


def write_jsonl(path: Path, rows: list[Row], opener: Callable[..., Any] = open) -> Path:
    with opener(path, "wt", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps({"other": [1], **dict(zip(HEADER, row, strict=True))}) + "\n")
    return path


def write_parquet(path: Path, rows: list[Row]) -> Path:
    columns = dict(zip(HEADER, map(list, zip(*rows, strict=True)), strict=True))
    columns["prt7"] = [math.nan if x is None else x for x in columns["prt7"]]
    table = pa.table(columns).append_column("other", pa.array([1] * len(rows)))
    at = table.schema.get_field_index("date")
    pq.write_table(table.set_column(at, "date", table["date"].cast(pa.date32())), path, row_group_size=4)
    return path


def write_sqlite(path: Path, rows: list[Row]) -> Path:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE performance_ratio (asset_id TEXT, date DATE, prt7 DOUBLE, temp DOUBLE)")
        database.execute("CREATE TABLE asset_health_daily (asset_id TEXT, date DATE, health_status TEXT)")
        database.executemany("INSERT INTO performance_ratio VALUES (?, ?, ?, ?)", [row[:4] for row in rows])
        database.executemany("INSERT INTO asset_health_daily VALUES (?, ?, ?)", [(*row[:2], row[4]) for row in rows])
    return path


def _folder(folder: Path, rows: list[Row]) -> Path:
    folder.mkdir()
    write_csv(folder / "a.csv", rows[:3])
    write_jsonl(folder / "b.jsonl.gz", rows[3:5], gzip.open)
    write_parquet(folder / "c.parquet", rows[5:])
    (folder / "readme.txt").write_text("not telemetry")
    (folder / ".a.csv").write_text("not finished")
    return folder


WRITERS: dict[str, Callable[[Path, list[Row]], Path]] = {
    "csv": lambda folder, rows: write_csv(folder / "t.csv", rows),
    "csv.gz": lambda folder, rows: write_csv(folder / "t.csv.gz", rows, gzip.open),
    "parquet": lambda folder, rows: write_parquet(folder / "t.parquet", rows),
    "jsonl": lambda folder, rows: write_jsonl(folder / "t.jsonl", rows),
    "jsonl.gz": lambda folder, rows: write_jsonl(folder / "t.ndjson.gz", rows, gzip.open),
    "folder": lambda folder, rows: _folder(folder / "many", rows),
    "pattern": lambda folder, rows: _folder(folder / "many[1]", rows) / "[abc].*",
    "sql": lambda folder, rows: write_sqlite(folder / "t.db", rows),
}


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., Source]:
    """A files source; what is not said is as the fleet above has it."""

    def make(path: Path | str, **keys: Any) -> Source:
        settings: dict[str, Any] = {"kind": "files", "cadence": "1D", "columns": COLUMNS} | keys
        return build("fleet", FilesSource(path=tmp_path / path, **settings))

    return make


@pytest.fixture
def sql(tmp_path: Path) -> Callable[..., Source]:
    """An SQL source over SQLite."""

    def make(path: Path | str = "t.db", **keys: Any) -> Source:
        settings: dict[str, Any] = {
            "kind": "sql",
            "cadence": "1D",
            "columns": COLUMNS,
            "url": f"sqlite:///{tmp_path / path}",
            "query": QUERY,
        } | keys
        return build("fleet", SqlSource(**settings))

    return make


@pytest.fixture(params=sorted(WRITERS))
def source(
    request: pytest.FixtureRequest, tmp_path: Path, files: Callable[..., Source], sql: Callable[..., Source]
) -> Source:
    """The fleet in each kind and format."""
    path = WRITERS[request.param](tmp_path, FLEET)
    return sql() if request.param == "sql" else files(path)


@pytest.fixture
def read() -> Callable[..., list[tuple[Any, ...]]]:
    """The rows of a source in a fixed order; failures are not expected, nor notices but of rounded integers."""

    def rows(source: Source, request: Request | None = None) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for item in source.fetch(request or Request()):
            if isinstance(item, Notice) and "an integer of" in item.text:
                continue
            assert isinstance(item, pa.Table), item
            assert item.schema == source.layout.numbered
            item = item.drop_columns([ORIGIN])
            assert len(item) > 0
            found += [tuple(row.values()) for row in item.to_pylist()]
        return sorted(found, key=str)

    return rows


@pytest.fixture
def parts() -> Callable[..., tuple[list[pa.Table], list[AssetFailure], list[Notice]]]:
    """What a source yields, kind by kind."""

    def split(items: Iterator[Any]) -> tuple[list[pa.Table], list[AssetFailure], list[Notice]]:
        all_items = list(items)
        return (
            [item for item in all_items if isinstance(item, pa.Table)],
            [item for item in all_items if isinstance(item, AssetFailure)],
            [item for item in all_items if isinstance(item, Notice)],
        )

    return split


@pytest.fixture
def fleet() -> list[Row]:
    return FLEET


@pytest.fixture
def write() -> dict[str, Callable[..., Path]]:
    """The writers, by format."""
    return {"csv": write_csv, "jsonl": write_jsonl, "parquet": write_parquet, "sqlite": write_sqlite}


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """A MariaDB server that offers TLS, with a certificate for ``localhost``; ca.pem is in its folder."""
    certificates = Path(tempfile.mkdtemp(prefix="mariadb-tls-", dir="/tmp"))
    certificates.chmod(0o755)
    write_certificates(certificates, "localhost")
    try:
        with MariaDb([f"--ssl-{name}={certificates / f'{name}.pem'}" for name in ("ca", "cert", "key")]) as server:
            shutil.copy(certificates / "ca.pem", server.folder)
            yield server
    finally:
        shutil.rmtree(certificates)


@pytest.fixture(scope="session")
def mariadb_without_tls() -> Iterator[MariaDb]:
    """A MariaDB server as it is installed: without certificates."""
    with MariaDb() as server:
        yield server
