"""A snapshot: the same telemetry partition by partition as asset by asset, whatever happens to the store meanwhile."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomscan.errors import StoreError
from anomscan.store import part_reader, part_writer
from anomscan.store.block import bucket_of
from anomscan.store.partitions import Partition
from anomscan.store.snapshot import AwayError, Snapshot
from anomscan.store.store import Store
from fleets import DAY_US, Rows, contents, layout, put

# Two of them share a bucket, as do many of the last.
ODD = ["a", "", "../b", "é", "e\u0301", "007", "7", " ", "x\0y", "\U0001f9ca", "A" * 300, "Ω", *map(str, range(40))]
TWO = layout(["x", "y"])

values = st.tuples(*[st.sampled_from([None, 0.0, -0.0, 1.5])] * 2)
rows = st.dictionaries(
    st.tuples(st.sampled_from(ODD), st.integers(0, 9)),
    st.tuples(values, st.sampled_from([None, "ok", "Unknown"])),
    min_size=1,
    max_size=40,
).map(lambda drawn: {("pair", 0): ((0.0, 0.0), None), ("pair", 1): ((0.0, 0.0), None), **drawn})
# The pair shows the cadence: rows of which no two are a day apart are refused.
histories = st.lists(st.tuples(st.integers(0, 5), rows, st.booleans()), min_size=1, max_size=5)


def by_asset(store: Store, as_of: np.datetime64 | None = None) -> dict[str, tuple[object, ...]]:
    """What the store holds, read asset by asset."""
    return contents([store.read("fleet", asset, as_of=as_of)] for asset in store.assets("fleet", as_of=as_of))


def read_by_partitions(snapshot: Snapshot, most_rows: int, **options: object) -> dict[str, tuple[object, ...]]:
    as_of = options.get("as_of")
    partitions = snapshot.cut(**options).partitions(most_rows)
    return contents(snapshot.read(partition, as_of=as_of) for partition in partitions)


@pytest.mark.slow
@settings(max_examples=30)
@given(histories, st.sampled_from([1, 3, 10, 1000]), st.one_of(st.none(), st.integers(-1, 6)))
def test_partitions_hold_what_reading_one_asset_gives(
    history: list[tuple[int, Rows, bool]], most_rows: int, day: int | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder))
        for arrived, committed, compact in history:
            put(store, committed, arrived, TWO)
            if compact:
                store.compact("fleet")
        as_of = None if day is None else np.datetime64(day * DAY_US, "us")
        snapshot = store.snapshot("fleet")
        expected = by_asset(store, as_of)
        assert snapshot.revision == store.revision("fleet")
        assert read_by_partitions(snapshot, most_rows, as_of=as_of) == expected
        assert contents(snapshot.stream(most_rows, as_of=as_of)) == expected
        assert sorted(snapshot.cut(as_of=as_of).assets) == sorted(expected) == store.assets("fleet", as_of=as_of)
        wanted = [*sorted(expected)[::2], "nobody"]
        single = snapshot.cut(assets=wanted, as_of=as_of).single()
        assert contents(snapshot.read(partition, as_of=as_of) for partition in single) == {
            asset: expected[asset] for asset in wanted if asset in expected
        }


def same_bucket(bucket: int, number: int) -> list[str]:
    fitting = (f"asset {n}" for n in count() if bucket_of(f"asset {n}") == bucket)
    return list(islice(fitting, number))


def test_a_bucket_of_many_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a bucket larger than a row group, a partition of a few assets reads a few groups."""
    monkeypatch.setattr(part_writer, "LARGE_GROUP", 50)
    monkeypatch.setattr(part_writer, "SMALL_GROUP", 20)
    store = Store.create(tmp_path)
    crowded = same_bucket(9, 30)
    fleet = [*crowded, *same_bucket(8, 3), *same_bucket(10, 3)]
    for night in range(3):
        put(
            store,
            {(asset, day): ([float(night + day)], None) for asset in fleet for day in range(0, 20, night + 1)},
            night,
        )
        expected = by_asset(store)
        for most_rows in (1, 45, 100, 10_000):
            assert read_by_partitions(store.snapshot("fleet"), most_rows) == expected
        store.compact("fleet")
        assert read_by_partitions(store.snapshot("fleet"), 45) == expected
    read: list[int] = []
    plain = part_reader.pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        part_reader.pq.ParquetFile,
        "read_row_group",
        lambda self, group, **more: read.append(group) or plain(self, group, **more),
    )
    snapshot = store.snapshot("fleet")
    (partition,) = snapshot.cut(assets=[sorted(crowded)[7]]).single()
    snapshot.read(partition)
    assert 0 < len(set(read)) < 5


def test_a_footer_with_another_type_of_the_ids_ends_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pyarrow does where it is asked for the statistics of such a column; the rows may still be whole."""
    monkeypatch.setattr(part_writer, "LARGE_GROUP", 50)
    store = Store.create(tmp_path)
    crowded = same_bucket(9, 30)
    put(store, {(asset, day): ([1.0], None) for asset in crowded for day in range(20)}, 0)
    (path,) = (tmp_path / "fleet").glob("*.parquet")
    content = path.read_bytes()
    assert content.count(b"\x1c\x15\x0c\x19") >= 600 / 50  # its metadata says of each row group: ids are byte arrays
    path.write_bytes(content.replace(b"\x1c\x15\x0c\x19", b"\x1c\x15\x02\x19"))
    with suppress(StoreError):
        assert read_by_partitions(store.snapshot("fleet"), 1).keys() == set(crowded)


def test_a_unit_whose_assets_are_not_there_is_empty(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    put(store, {("a", 0): ([1.0], None)}, 0)
    snapshot = store.snapshot("fleet")
    put(store, {("b", 0): ([1.0], None)}, 1)
    (partition,) = store.snapshot("fleet").cut(assets=["b"]).single()
    assert snapshot.read(partition) == []
    assert [series.asset for series in store.snapshot("fleet").read(partition)] == ["b"]
    (partition,) = snapshot.cut(assets=["a"]).single()
    assert snapshot.read(partition, as_of=np.datetime64(-1, "D")) == []


def fleet_of(assets: int, night: int) -> Rows:
    return {(f"asset {n}", day): ([n + day + night / 10], "ok") for n in range(assets) for day in range(5 + night)}


@pytest.mark.slow
@pytest.mark.parametrize("first_reads_before", [True, False])
def test_later_commits_and_compactions_do_not_touch_it(tmp_path: Path, first_reads_before: bool) -> None:
    store = Store.create(tmp_path)
    for night in range(3):
        put(store, fleet_of(20, night), night)
    snapshot, expected = store.snapshot("fleet"), by_asset(store)
    if first_reads_before:
        assert read_by_partitions(snapshot, 40) == expected
    before = set((tmp_path / "fleet").iterdir())
    for night in range(3, 6):
        put(store, fleet_of(25, night), night)
        store.compact("fleet")
    assert not before & set((tmp_path / "fleet").glob("*.parquet"))
    assert by_asset(store) != expected
    assert read_by_partitions(snapshot, 40) == expected
    assert len(snapshot.cut()) == 20


def test_threads_read_a_snapshot_side_by_side(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    for night in range(4):
        put(store, fleet_of(150, night), night)
    snapshot, expected = store.snapshot("fleet"), by_asset(store)
    ready = threading.Barrier(4)

    def read(_: int) -> dict[str, tuple[object, ...]]:
        ready.wait()
        return read_by_partitions(snapshot, 60)

    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(read, range(4)))


def elsewhere(snapshot: Snapshot, partitions: Sequence[Partition], as_of: np.datetime64 | None) -> object:
    """Run in another process, to which the snapshot travels pickled."""
    try:
        return contents(snapshot.read(partition, as_of=as_of) for partition in partitions)
    except AwayError:
        return "away"


@pytest.fixture(scope="module")
def other_process():
    """Another process, which has nothing open of this one's."""
    with multiprocessing.get_context("forkserver").Pool(1) as pool:
        yield lambda snapshot, partitions, as_of=None: pool.apply(elsewhere, (snapshot, partitions, as_of))


def test_another_process_reads_the_same(tmp_path: Path, other_process) -> None:
    store = Store.create(tmp_path)
    for night in range(4):
        put(store, fleet_of(20, night), night)
    snapshot = store.snapshot("fleet")
    partitions = snapshot.cut().partitions(40)
    assert other_process(snapshot, partitions) == by_asset(store)
    as_of = np.datetime64(2 * DAY_US, "us")
    assert other_process(snapshot, partitions, as_of) == by_asset(store, as_of)
    # Compaction leaves the rows as they are, and what it merged lies there until the next one.
    store.compact("fleet")
    assert other_process(snapshot, partitions) == by_asset(store)


def test_another_process_that_does_not_see_the_state_says_so(tmp_path: Path, other_process) -> None:
    store = Store.create(tmp_path / "store")
    put(store, fleet_of(20, 0), 0)
    snapshot = store.snapshot("fleet")
    partitions = snapshot.cut().partitions(40)
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "store", copy)
    put(store, fleet_of(20, 1), 1)
    assert other_process(snapshot, partitions) == "away"
    shutil.rmtree(tmp_path / "store")
    assert other_process(snapshot, partitions) == "away"
    (tmp_path / "store").write_text("no folder at all")
    assert other_process(snapshot, partitions) == "away"
    (tmp_path / "store").unlink()
    copy.rename(tmp_path / "store")
    assert other_process(snapshot, partitions) == by_asset(Store.open(tmp_path / "store"))
    (batch,) = (tmp_path / "store" / "fleet").glob("batch-*")
    content = batch.read_bytes()
    batch.unlink()
    assert other_process(snapshot, partitions) == "away"
    # Whoever made the snapshot has the files open, and can tell damage from absence.
    batch.write_bytes(content[:-10])
    assert other_process(snapshot, partitions) == "away"
    batch.write_bytes(content)
    assert other_process(snapshot, partitions) == by_asset(Store.open(tmp_path / "store"))


def test_damage_is_an_error_for_the_process_that_made_it(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    put(store, fleet_of(200, 0), 0)
    snapshot = store.snapshot("fleet")
    (batch,) = (tmp_path / "fleet").glob("batch-*")
    content = bytearray(batch.read_bytes())
    content[100:200] = bytes(100)
    with batch.open("r+b") as file:
        file.write(content)
    with pytest.raises(StoreError, match=r"batch-.* is damaged"):
        read_by_partitions(snapshot, 10_000)


def test_away_is_no_error_for_the_process_that_made_it(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    put(store, fleet_of(20, 0), 0)
    snapshot, expected = store.snapshot("fleet"), by_asset(store)
    shutil.rmtree(tmp_path / "store")
    assert read_by_partitions(snapshot, 40) == expected


def test_compacted_away_before_another_process_opens_it(tmp_path: Path, other_process) -> None:
    """Nothing of a snapshot's files may be left, though its rows are all there in others."""
    store = Store.create(tmp_path)
    for night in range(3):
        put(store, fleet_of(20, night), night)
    snapshot = store.snapshot("fleet")
    store.compact("fleet")
    for path in (tmp_path / "fleet").glob("batch-*"):
        path.unlink()
    assert other_process(snapshot, snapshot.cut().partitions(40)) in ("away", by_asset(store))
