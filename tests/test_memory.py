"""What takes more memory than there is is refused before it is taken."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from anomscan import memory
from anomscan.config import Columns, RcfSettings, TrainSettings
from anomscan.detectors.rcf.training import train
from anomscan.errors import InputError
from anomscan.sources.sql.alchemy import Alchemy
from anomscan.store.store import Store
from anomscan.tables.json_lines import read_jsonl
from fleets import daily, layout, put


def system(root: Path, available: int, limit: str, taken: int) -> Path:
    (root / "proc").mkdir()
    (root / "proc" / "meminfo").write_text(f"MemTotal: 999999 kB\nMemAvailable:   {available} kB\nCached: 1 kB\n")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/memory.max").write_text(f"{limit}\n")
    (root / "sys/fs/cgroup/memory.current").write_text(f"{taken}\n")
    return root


@pytest.mark.parametrize(
    ("limit", "taken", "free"), [("max", 5, 2048), ("5000", 4000, 1000), ("5000", 6000, 0), ("9999999", 1, 2048)]
)
def test_the_smaller_of_the_machine_and_the_control_group_counts(tmp_path, limit, taken, free):
    assert memory.free_bytes(system(tmp_path, 2, limit, taken)) == free


def test_this_machine_has_some():
    assert memory.free_bytes() is None or memory.free_bytes() > 0


def test_a_forest_that_is_too_large_says_how_large(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 3 << 30)
    variables = tuple(f"v{number}" for number in range(10_000))
    fleet = [daily("a", np.random.default_rng(0).random((60, len(variables))), variables)]
    model = tmp_path / "rcf.forest"
    asked = (RcfSettings(model=model), TrainSettings(samples=50, min_std=0, max_std=9))
    with pytest.raises(
        InputError,
        match=r"a forest of 300 trees of 44 points with 70,000 numbers each takes about [\d.]+ GB of memory, and "
        r"3\.0 GB are free \(lower trees or sample_size, or take fewer variables\)",
    ):
        train(lambda: iter([fleet]), layout(variables), *asked, shingle=7, through=None)
    assert not model.exists()


def commit(folder: Path, days: int) -> None:
    variables = ("x", "y")
    rows = {("a", day): ([float(day), 0.0], None) for day in range(days)}
    put(Store.create(folder), rows, days, layout(variables))


def test_rows_of_an_asset_that_are_too_many_are_not_stored(tmp_path, monkeypatch):
    """Neither those that come nor those that are stored already, with which they are merged."""
    commit(tmp_path, 40)
    monkeypatch.setattr(memory, "MOST_VALUES", 20)
    monkeypatch.setattr(memory, "free_bytes", lambda: 10_000)
    with pytest.raises(InputError, match=r"to write 90 samples of 2 variables takes about 1 MB of memory, and "):
        commit(tmp_path, 50)
    assert len(Store.open(tmp_path).read("fleet", "a")) == 40
    monkeypatch.setattr(memory, "free_bytes", lambda: 20_000)
    commit(tmp_path, 50)
    assert len(Store.open(tmp_path).read("fleet", "a")) == 50


@pytest.mark.parametrize("kind", ["jsonl", "sql"])
def test_rows_with_many_columns_are_read_in_smaller_pieces(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(memory, "MOST_VALUES", 40)
    rows = [("a", f"2024-01-{day:02d}", float(day), 0.0) for day in range(1, 29)]
    columns = Columns(asset="a", timestamp="t", values=("x", "y"))
    if kind == "jsonl":
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(dict(zip("atxy", row, strict=True))) + "\n" for row in rows))
        pieces = list(read_jsonl(path, columns, []))
    else:
        with closing(sqlite3.connect(tmp_path / "rows.db")) as database, database:
            database.execute("CREATE TABLE r (a TEXT, t TEXT, x REAL, y REAL)")
            database.executemany("INSERT INTO r VALUES (?, ?, ?, ?)", rows)
        with Alchemy("plant", columns, sa.make_url(f"sqlite:///{tmp_path}/rows.db")) as connection:
            pieces = list(connection.pieces(sa.text("SELECT * FROM r"), {}, "r", bulk=True))
    assert [len(piece.rows) for piece in pieces] == [10, 10, 8]
