"""The newest samples lie apart, superseded files out of the way, and stores of an older format are upgraded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from anomscan.store import writer
from anomscan.store.manifest import load
from anomscan.store.part_reader import PartReader
from anomscan.store.store import Store
from anomscan.store.writer import CommitCounts
from anomscan.telemetry.rows import Layout

Commit = Callable[..., CommitCounts]
DAY_US = 86_400_000_000


def days(asset: str, wanted: range, value: float = 1.0) -> list[tuple[str, str, float, str]]:
    return [(asset, str(np.datetime64(day, "D")), value + day, "ok") for day in wanted]


def names(store: Store) -> list[str]:
    return sorted(path.name for path in (store.path / "fleet").glob("*.parquet"))


def test_a_night_after_a_compaction_reads_the_newest_samples_alone(
    store: Store, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    for asset in "ABC":
        commit(days(asset, range(300)))
    store.compact("fleet")
    read: list[str] = []
    plain = PartReader.read

    def watched(self: PartReader, *arguments: int) -> object:
        read.append(self.name)
        return plain(self, *arguments)

    monkeypatch.setattr(PartReader, "read", watched)
    counts = commit([*days("A", range(297, 301)), *days("B", range(297, 301), 2.0)])
    assert (counts.new, counts.revised, counts.unchanged) == (2, 3, 3)
    assert set(read) == {"recent-000004.parquet"}
    assert store.read("fleet", "B").values[-5:, 0].tolist() == [297.0, 299.0, 300.0, 301.0, 302.0]


def test_a_large_first_fetch_lays_the_newest_apart_at_once(
    store: Store, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "FILE_ROWS", 200)
    commit(days("A", range(300)))
    files = {path.name: parquet.read_metadata(path).num_rows for path in (store.path / "fleet").glob("*.parquet")}
    assert files == {"batch-000001.parquet": 283, "batch-000001-1.parquet": 17}
    assert len(store.read("fleet", "A")) == 300


def test_late_history_is_found_whatever_file_holds_it(store: Store, commit: Commit) -> None:
    commit(days("A", range(300)))
    store.compact("fleet")
    counts = commit(days("A", range(10, 12)) + days("A", range(20, 21), 5.0) + days("A", range(290, 305)))
    assert (counts.new, counts.revised, counts.unchanged) == (5, 1, 12)
    assert store.read("fleet", "A").values[20, 0] == 25.0


def test_how_late_data_may_come_sets_what_lies_apart(store: Store, layout: Layout) -> None:
    table = pa.Table.from_arrays(
        [
            pa.array(["A"] * 300),
            pa.array(np.arange(300) * DAY_US, pa.timestamp("us")),
            pa.array(np.ones(300)),
            pa.nulls(300, pa.string()),
        ],
        schema=layout.schema,
    )
    apart = []
    for late in (None, np.timedelta64(90, "D")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writer, "MOST_BATCHES", 0)
            source = f"late-{late}".replace(" ", "-")
            with store.writer(source, layout, arrived_at=np.datetime64("2020-01-01", "us"), late=late) as into:
                into.append(table)
                into.commit()
        manifest = load(store.path / source)
        assert manifest is not None
        apart.append(sum(sum(file.rows) for file in manifest.files if file.name.startswith("recent")))
    assert apart == [17, 107]


def test_files_lie_where_a_glob_finds_each_row_once(store: Store, commit: Commit) -> None:
    commit(days("A", range(50)))
    commit(days("B", range(50)))
    store.compact("fleet")
    aside = sorted(path.name for path in (store.path / "fleet" / "superseded").iterdir())
    assert aside == ["batch-000001.parquet", "batch-000002.parquet"]
    assert sum(parquet.read_metadata(path).num_rows for path in (store.path / "fleet").glob("*.parquet")) == 100
    commit(days("C", range(50)))
    assert not (store.path / "fleet" / "superseded").exists()
    assert "batch-000004.parquet" in names(store)


def test_a_reader_that_began_before_finds_the_files_put_aside(store: Store, commit: Commit) -> None:
    commit(days("A", range(50)))
    manifest = load(store.path / "fleet")
    assert manifest is not None
    (late,) = (PartReader(store.path / "fleet", file, manifest.layout) for file in manifest.files)
    store.compact("fleet")
    block = late.read(0, 64)
    assert block is not None
    assert len(block) == 50


@pytest.mark.parametrize("values", ["few", "many"])
def test_values_survive_whatever_their_encoding(store: Store, commit: Commit, values: str) -> None:
    given = np.random.default_rng(1).normal(size=500) if values == "many" else np.arange(500) % 7 / 10
    dates = np.arange(500).astype("datetime64[D]").astype(str)
    commit([("A", day, value, "ok") for day, value in zip(dates, given.tolist(), strict=True)])
    (path,) = (store.path / "fleet").glob("batch-*")
    encodings = parquet.read_metadata(path).row_group(0).column(2).encodings
    assert ("BYTE_STREAM_SPLIT" in encodings) == (values == "many")
    assert store.read("fleet", "A").values[:, 0].tolist() == given.tolist()


@pytest.fixture
def old(tmp_path: Path) -> Store:
    """A store that an earlier version wrote: compacted once, revised once."""
    shutil.copytree(Path(__file__).parent / "format-1", tmp_path / "old")
    return Store.open(tmp_path / "old")


def contents(store: Store, as_of: str | None = None) -> dict[str, list[float | None]]:
    until = None if as_of is None else np.datetime64(as_of, "us")
    read = {asset: store.read("fleet", asset, as_of=until).values[:, 0] for asset in store.assets("fleet")[:4]}
    return {asset: [None if np.isnan(value) else float(value) for value in values] for asset, values in read.items()}


def test_a_store_of_format_1_is_read_and_upgraded_by_the_next_commit(old: Store, layout: Layout) -> None:
    before, then = contents(old), contents(old, "2020-01-01T12:00")
    assert before["asset 1"][3] == 9.0
    assert then["asset 1"][3] == 1.03
    row = [["asset 0"], [40 * DAY_US], [1.0], [2.0], [None]]
    wide = Layout(layout.cadence, ("x", "y"))
    table = pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(row, wide.schema, strict=True)], schema=wide.schema
    )
    with old.writer("fleet", wide, arrived_at=np.datetime64("2020-02-01", "us")) as into:
        into.append(table)
        assert into.commit().new == 1
    assert json.loads((old.path / "fleet" / "manifest.json").read_text())["format"] == 2
    assert contents(old) == before | {"asset 0": [*before["asset 0"], 1.0]}
    assert contents(old, "2020-01-01T12:00") == then
    # What had been superseded is gone, and the roster is out of the way.
    assert [name for name in names(old) if name.startswith(("batch", "roster"))] == [
        "batch-000004.parquet",
        "batch-000005.parquet",
    ]
