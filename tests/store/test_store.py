"""What is put into the store comes out: latest revision, as of an instant, nothing lost, nothing torn."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from anomscan.errors import AssetError, ConfigError, InputError, LockedError, StoreError
from anomscan.storage import lock
from anomscan.store import compact, part_writer, writer
from anomscan.store.block import Block
from anomscan.store.manifest import FORMAT
from anomscan.store.spill import Spill
from anomscan.store.store import Store
from anomscan.store.writer import CommitCounts
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout

Commit = Callable[..., CommitCounts]
Contents = Callable[[Path], dict[str, bytes]]

DAYS = [f"2017-01-{day:02d}" for day in range(1, 15)]
A = [("A", day, float(place), "ok") for place, day in enumerate(DAYS)]


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "us")


def test_rows_come_back_sorted_with_what_they_carry(store: Store, commit: Commit) -> None:
    tally = commit(
        [*A[::-1][:12], ("A", DAYS[1], None, None), ("A", DAYS[0], 7.0, "Ünknown"), ("B", DAYS[3], -1.0, "ok")]
    )
    assert tally == CommitCounts(assets=2, new=15, revised=0, unchanged=0)
    series = store.read("fleet", "A")
    assert series.timestamps.tolist() == [day(text).item() for text in DAYS]
    assert np.array_equal(series.values[:3, 0], [7.0, np.nan, 2.0], equal_nan=True)
    assert [series.health(row) for row in range(3)] == ["Ünknown", None, "ok"]
    assert series.arrived_at is not None
    assert set(series.arrived_at.tolist()) == {day("2020-01-01").item()}
    assert store.assets("fleet") == ["A", "B"]
    assert store.last_timestamps("fleet") == {"A": day("2017-01-14"), "B": day("2017-01-04")}
    assert store.last_timestamps("other") == {}
    assert store.sources() == ["fleet"]
    assert store.layout("fleet").variables == ("x",)


def test_several_variables(store: Store, commit: Commit) -> None:
    layout = Layout(Cadence.parse("10min"), ("b", "a b", "asset"))
    commit([("A", "2017-01-01T00:10", 1.5, None), ("A", "2017-01-01T00:00", None, None)], layout=layout)
    series = store.read("fleet", "A")
    assert series.variables == ("b", "a b", "asset")
    assert np.array_equal(series.values, [[np.nan] * 3, [1.5] * 3], equal_nan=True)


def test_fetching_again_changes_no_byte(store: Store, commit: Commit, contents: Contents) -> None:
    commit(A)
    before, revision = contents(store.path), store.revision("fleet")
    assert commit([*A, *A[3:5]], "2021-01-01") == CommitCounts(1, 0, 0, 14)
    assert contents(store.path) == before
    assert store.revision("fleet") == revision


def test_a_revision_wins_and_the_past_stays_known(store: Store, commit: Commit) -> None:
    commit(A, "2020-01-01")
    first = store.revision("fleet")
    assert commit([("A", DAYS[2], 99.0, "ok"), *A[3:6]], "2020-01-05") == CommitCounts(1, 0, 1, 3)
    assert commit([("A", DAYS[2], 99.0, "bad")], "2020-01-09") == CommitCounts(1, 0, 1, 0)
    assert len({first, store.revision("fleet")}) == 2
    for as_of, value, health in [
        ("2020-01-01", 2.0, "ok"),
        ("2020-01-04", 2.0, "ok"),
        ("2020-01-05", 99.0, "ok"),
        ("2020-01-09", 99.0, "bad"),
    ]:
        series = store.read("fleet", "A", as_of=np.datetime64(as_of))
        assert (series.values[2, 0], series.health(2), len(series)) == (value, health, 14)
    assert store.read("fleet", "A").health(2) == "bad"


def test_rows_that_arrived_later_do_not_exist(store: Store, commit: Commit) -> None:
    commit(A, "2020-01-01")
    commit([("B", "2017-01-01", 1.0, None)], "2020-01-03")
    assert store.assets("fleet", as_of=day("2020-01-02")) == ["A"]
    assert [s.asset for chunk in store.snapshot("fleet").stream(as_of=day("2020-01-02")) for s in chunk] == ["A"]
    assert list(store.snapshot("fleet").stream(as_of=day("2019-01-02"))) == []
    with pytest.raises(AssetError, match=r"'B'.*as of"):
        store.read("fleet", "B", as_of=day("2020-01-02"))


def test_the_revision_hash_follows_the_data_not_the_pieces(tmp_path: Path, layout: Layout, commit: Commit) -> None:
    commit([*A, ("B", DAYS[0], 1.0, None)])
    other = Store.create(tmp_path / "other")
    table = _tables(Store(tmp_path / "store"), layout)[0]
    with other.writer("fleet", layout, arrived_at=day("2022-02-02")) as into:
        for row in range(len(table)):
            into.append(table.slice(row, 1))
        into.commit()
    assert other.revision("fleet") == Store(tmp_path / "store").revision("fleet")


ODD = [
    "../x",
    "/etc/passwd",
    "<script>",
    '"',
    "'",
    " ",
    "",
    "a\nb",
    "é",
    "日本",
    "\U0001f600",
    "007",
    "7",
    "A" * 5000,
    "\x00",
]


def test_ids_are_data(store: Store, commit: Commit, contents: Contents) -> None:
    commit([(asset, DAYS[0], float(place), asset) for place, asset in enumerate(ODD)])
    commit([(asset, DAYS[1], float(place), asset) for place, asset in enumerate(ODD)])
    store.compact("fleet")
    assert store.assets("fleet") == sorted(ODD)
    for place, asset in enumerate(ODD):
        series = store.read("fleet", asset)
        assert series.values[:, 0].tolist() == [place, place]
        assert series.health(0) == asset
    assert {name.split("/")[0] for name in contents(store.path)} == {"fleet"}


def test_streaming_gives_each_asset_once_in_bounded_chunks(store: Store, commit: Commit) -> None:
    names = [f"asset {n}" for n in range(200)]
    for text in DAYS[:3]:
        commit([(name, text, 1.0, "ok") for name in names])
    chunks = list(store.snapshot("fleet").stream(12))
    assert sorted(s.asset for chunk in chunks for s in chunk) == sorted(names)
    assert max(sum(map(len, chunk)) for chunk in chunks) <= 12


@pytest.mark.slow
def test_large_fleets_read_one_asset_by_row_group(
    store: Store, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_writer, "SMALL_GROUP", 4)
    monkeypatch.setattr(part_writer, "LARGE_GROUP", 16)
    names = [f"asset {n}" for n in range(300)]
    commit([(name, text, float(n), name) for n, name in enumerate(names) for text in DAYS])
    for n, name in enumerate(names):
        series = store.read("fleet", name)
        assert series.values[:, 0].tolist() == [n] * 14
    assert sorted(s.asset for chunk in store.snapshot("fleet").stream(1) for s in chunk) == sorted(names)


def test_spilling_changes_nothing(
    store: Store, tmp_path: Path, layout: Layout, commit: Commit, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(f"asset {n}", text, float(n), "ok") for text in DAYS for n in range(50)]
    commit(rows)
    whole = contents(store.path)
    monkeypatch.setattr(writer, "SPILL_ROWS", 30)
    sizes: list[int] = []
    add = Spill.add

    def noting(spill: Spill, block: Block, *, in_memory: bool = False) -> None:
        add(spill, block, in_memory=in_memory)
        sizes.append(0 if in_memory else len(block))

    monkeypatch.setattr(Spill, "add", noting)
    again = Store.create(tmp_path / "again")
    tables = _tables(store, layout)
    with again.writer("fleet", layout, arrived_at=day("2020-01-01")) as into:
        for piece in tables:
            for start in range(0, len(piece), 20):
                into.append(piece.slice(start, 20))
        assert into.commit() == CommitCounts(50, 700, 0, 0)
    assert sizes == [40] * 17 + [0]
    assert again.revision("fleet") == store.revision("fleet")
    assert set(contents(again.path)) == set(whole)
    assert sum(len(s) for chunk in again.snapshot("fleet").stream() for s in chunk) == 700
    with again.writer("fleet", layout, arrived_at=day("2020-01-01")) as into:
        into.append(tables[0])
        into.append(_replaced(tables[0], "asset 3", 5.0))
        counts = into.commit()
    assert (counts.assets, counts.unchanged) == (50, 699)
    assert {each.reason for each in counts.rejects} == {
        "contradicting rows of asset 'asset 3' at 2017-01-01: x 3.0 and 5.0"
    }
    assert again.revision("fleet") == store.revision("fleet")


def _tables(store: Store, layout: Layout) -> list[pa.Table]:
    files = sorted((store.path / "fleet").glob("batch-*"))
    return [parquet.read_table(file).select(layout.schema.names).cast(layout.schema) for file in files]


def _replaced(table: pa.Table, asset: str, value: float) -> pa.Table:
    row = next(row for row in table.to_pylist() if row["asset"] == asset)
    return pa.Table.from_pylist([{**row, "value:x": value}], schema=table.schema)


class TestRefusals:
    def test_contradicting_rows(self, store: Store, commit: Commit, contents: Contents) -> None:
        commit(A)
        doubles = [("B", text, value, "ok") for text in DAYS[:5] for value in (1.0, 2.0, 2.0)]
        counts = commit([*doubles, ("C", DAYS[0], 1.0, None), ("C", DAYS[0], 1.0, "ok"), ("C", DAYS[1], 3.0, None), *A])
        assert (counts.assets, counts.new, counts.unchanged, len(counts.rejects)) == (2, 1, len(A), 17)
        reasons = {each.reason for each in counts.rejects}
        assert "contradicting rows of asset 'B' at 2017-01-01: x 1.0 and 2.0" in reasons
        assert "contradicting rows of asset 'C' at 2017-01-01: health none and 'ok'" in reasons
        assert counts.rejects[0].row == {"asset": "B", "timestamp": "2017-01-01", "x": "1.0", "health": "ok"}
        before = contents(store.path)
        with pytest.raises(
            InputError, match=r"x empty and 1\.0, and no other of 2 rows can be used; nothing was stored"
        ):
            commit([("C", DAYS[0], None, None), ("C", DAYS[0], 1.0, None)])
        assert contents(store.path) == before

    def test_identical_rows_collapse(self, commit: Commit) -> None:
        assert commit([("A", DAYS[0], None, None)] * 3 + [("A", DAYS[1], 1.0, "ok")] * 2) == CommitCounts(1, 2, 0, 0)

    def test_off_the_cadence(self, store: Store, commit: Commit) -> None:
        counts = commit([*A, ("B", DAYS[0], 1.0, None), ("B", "2017-01-02T06:00", 1.0, None)])
        assert (counts.assets, counts.new) == (2, len(A) + 1)
        (reject,) = counts.rejects
        told = "asset 'B': 2017-01-02T06:00:00Z is not a whole number of steps of 1D from its sample at 2017-01-01T00:"
        assert reject.reason.startswith(told)
        with pytest.raises(InputError, match=r"asset 'A': 2017-02-02T06:00:00Z .* its sample at 2017-01-14T00:00:00Z"):
            commit([("A", "2017-02-02T06:00", 1.0, None)])

    def test_a_cadence_that_nobody_keeps(self, store: Store, commit: Commit) -> None:
        hourly = Layout(Cadence.parse("1h"), ("x",))
        with pytest.raises(InputError, match=r"declared as 1h, .* the smallest step is 1D; .* \(cadence = \"1D\"\)"):
            commit(A, layout=hourly)
        # Nine steps prove nothing; the tenth is judged with what is stored.
        commit(A[:10], layout=hourly)
        with pytest.raises(InputError, match="smallest step is 1D"):
            commit(A[10:11], layout=hourly)
        commit([*A[10:], ("A", "2017-01-03T01:00", 0.0, None)], layout=hourly)
        commit([("A", "2017-02-03T01:00", 0.0, None)], layout=hourly)

    def test_the_cadence_may_show_only_beside_what_is_stored(self, commit: Commit) -> None:
        commit([("A", f"2017-01-{n:02d}", 1.0, None) for n in range(1, 18, 2)])
        commit([("A", "2017-01-18", 1.0, None), ("A", "2017-01-20", 1.0, None), ("A", "2017-01-22", 1.0, None)])

    def test_another_layout(self, commit: Commit, contents: Contents, store: Store) -> None:
        commit(A)
        before = contents(store.path)
        with pytest.raises(StoreError, match=r"variables x, not y, z.*another name"):
            commit([], layout=Layout(Cadence.parse("1D"), ("y", "z")))
        with pytest.raises(StoreError, match="cadence 1D, not 1h"):
            commit([], layout=Layout(Cadence.parse("1h"), ("x",)))
        commit([], layout=Layout(Cadence.parse("24h"), ("x",)))
        assert contents(store.path) == before

    @pytest.mark.parametrize("source", ["", ".", "..", ".x", "a/b", "a b", "é", "a\n"])
    def test_names_that_are_no_folders(self, store: Store, layout: Layout, source: str) -> None:
        with pytest.raises(ConfigError):
            store.writer(source, layout, arrived_at=day("2020-01-01"))
        with pytest.raises(ConfigError):
            store.read(source, "A")

    def test_unknown_asset_and_source(self, store: Store, commit: Commit) -> None:
        commit(A)
        with pytest.raises(AssetError, match="'nobody'"):
            store.read("fleet", "nobody")
        with pytest.raises(StoreError, match=r"nothing of source 'other'.*fetch --source other"):
            store.read("other", "A")


class TestDamage:
    def test_no_store(self, tmp_path: Path) -> None:
        for path in (tmp_path, tmp_path / "absent"):
            with pytest.raises(StoreError, match="run anomscan fetch"):
                Store.open(path)
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match="not a folder"):
            Store.create(tmp_path / "file")

    def test_a_newer_version(self, store: Store, commit: Commit) -> None:
        commit(A)
        manifest = store.path / "fleet" / "manifest.json"
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": FORMAT + 1, "novel": True}))
        for use in (Store.open, Store.create):
            with pytest.raises(StoreError, match=r"newer anomscan.*upgrade"):
                use(store.path)
        with pytest.raises(StoreError, match="newer anomscan"):
            commit(A)

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": "x"}', "\x00", "null"])
    def test_a_damaged_manifest(self, store: Store, commit: Commit, text: str) -> None:
        commit(A)
        (store.path / "fleet" / "manifest.json").write_text(text)
        for use in (Store.open, Store.create, lambda _: store.read("fleet", "A"), lambda _: commit(A)):
            with pytest.raises(StoreError, match="damaged"):
                use(store.path)

    def test_a_manifest_that_is_gone(self, store: Store, commit: Commit, contents: Contents) -> None:
        commit(A)
        (store.path / "fleet" / "manifest.json").unlink()
        before = contents(store.path)
        for use in (Store.open, lambda _: commit(A)):
            with pytest.raises(StoreError, match=r"no manifest\.json"):
                use(store.path)
        assert contents(store.path) == before

    @pytest.mark.parametrize("kind", ["batch", "roster"])
    def test_every_cut_of_a_file_is_seen(self, store: Store, commit: Commit, kind: str) -> None:
        commit(A)
        file = next((store.path / "fleet").rglob(f"{kind}-*"))
        whole = file.read_bytes()
        for length in [0, 3, len(whole) // 2, len(whole) - 1]:
            file.write_bytes(whole[:length])
            with pytest.raises(StoreError, match="damaged"):
                _ = list(store.snapshot("fleet").stream()) if kind == "batch" else store.assets("fleet")
            with pytest.raises(StoreError, match="damaged"):
                _ = store.read("fleet", "A") if kind == "batch" else commit(A)
        file.unlink()
        with pytest.raises(StoreError, match="lacks a file"):
            _ = list(store.snapshot("fleet").stream()) if kind == "batch" else store.assets("fleet")
        with pytest.raises(StoreError, match="lacks a file"):
            commit(A)

    def test_a_flipped_bit_in_the_data_is_seen(self, store: Store, commit: Commit) -> None:
        commit([("A", text, np.sin(place), "ok") for place, text in enumerate(DAYS)])
        file = next((store.path / "fleet").glob("batch-*"))
        whole = file.read_bytes()
        expected = store.read("fleet", "A").values.tolist()
        footer = int.from_bytes(whole[-8:-4], "little")
        seen = 0
        for place in range(4, len(whole) - 8 - footer, 5):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
            try:
                assert store.read("fleet", "A").values.tolist() == expected
            except StoreError:
                seen += 1
        assert seen > 0


class TestCompaction:
    def test_it_comes_by_itself_and_keeps_files_for_readers(
        self, store: Store, commit: Commit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writer, "MOST_BATCHES", 3)
        commit(A[:3])
        snapshot = store.snapshot("fleet")
        for row in A[3:]:
            commit([row])
        assert [len(s) for chunk in snapshot.stream() for s in chunk] == [3]
        names = [path.name for path in (store.path / "fleet").iterdir()]
        assert sum(name.startswith("batch") for name in names) <= 7
        assert len(store.read("fleet", "A")) == 14

    def test_a_reader_whose_files_went_away_reads_the_next_snapshot(
        self, store: Store, commit: Commit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit(A[:5])
        commit(A[5:])
        old = store._manifest("fleet")
        for _ in range(2):
            store.compact("fleet")
            commit([("B", DAYS[0], float(_), "ok")])
        manifests = iter([old, store._manifest("fleet")])
        monkeypatch.setattr(store, "_manifest", lambda source: next(manifests))
        assert len(store.read("fleet", "A")) == 14

    def test_nothing_to_compact(self, store: Store, commit: Commit, contents: Contents) -> None:
        commit(A)
        store.compact("fleet")
        before = contents(store.path)
        store.compact("fleet")
        assert contents(store.path) == before

    def test_files_of_whole_buckets(self, store: Store, commit: Commit, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compact, "FILE_ROWS", 50)
        commit([(f"asset {n}", DAYS[0], 1.0, "ok") for n in range(400)])
        commit([(f"asset {n}", DAYS[1], 2.0, "ok") for n in range(400)])
        store.compact("fleet")
        assert len(list((store.path / "fleet").glob("bucket-*"))) > 5
        assert sum(s.values.sum() for chunk in store.snapshot("fleet").stream() for s in chunk) == 1200


class TestLock:
    def test_one_writer(self, store: Store, layout: Layout, commit: Commit) -> None:
        with store.writer("fleet", layout, arrived_at=day("2020-01-01")):
            with pytest.raises(LockedError, match=r"process \d+ on .* since 20"):
                commit(A)
            commit(A, source="other")
        commit(A)

    def test_waiting_for_the_other(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        taken, enough = threading.Event(), threading.Event()

        def other() -> None:
            with lock.hold(path, "it"):
                taken.set()
                enough.wait()

        thread = threading.Thread(target=other)
        thread.start()
        taken.wait()
        with pytest.raises(LockedError), lock.hold(path, "it", timeout_s=0.15):
            pytest.fail("two hold it")
        enough.set()
        with lock.hold(path, "it", timeout_s=5.0):
            thread.join()

    def test_leftovers_of_the_dead_are_removed_and_nothing_else(self, store: Store, commit: Commit) -> None:
        commit(A)
        folder = store.path / "fleet"
        for name in ("batch-000009.parquet", ".anomscan-0.tmp", "notes.txt"):
            (folder / name).touch()
        (folder / "spill-x").mkdir()
        (folder / "spill-x" / "spill-000000.parquet").touch()
        (folder / "lock").write_text('{"pid": 1, "host": "x", "since": "y"}')
        commit([("B", DAYS[0], 1.0, None)])
        names = sorted(path.name for path in folder.iterdir())
        batches = ["batch-000001.parquet", "batch-000002.parquet"]
        assert names == [*batches, "lock", "manifest.json", "notes.txt", "roster"]
        assert [path.name for path in (folder / "roster").iterdir()] == ["roster-000002.parquet"]
        assert (folder / "lock").read_bytes() == b""

    def test_leaving_by_an_exception_changes_nothing(
        self, store: Store, layout: Layout, commit: Commit, contents: Contents, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit(A)
        monkeypatch.setattr(writer, "SPILL_ROWS", 1)
        before = contents(store.path)
        table = _tables(store, layout)[0]

        def fail() -> None:
            with store.writer("fleet", layout, arrived_at=day("2020-01-01")) as into:
                into.append(table)
                raise KeyError("elsewhere")

        with pytest.raises(KeyError):
            fail()
        assert contents(store.path) == before


def test_reading_imports_neither_pandas_nor_datasets(store: Store, commit: Commit) -> None:
    commit(A)
    code = (
        "import sys\n"
        "from anomscan.store.store import Store\n"
        "store = Store.open(sys.argv[1])\n"
        "store.read('fleet', 'A'), list(store.snapshot('fleet').stream()), store.last_timestamps('fleet')\n"
        "sys.exit(str([m for m in ('pandas', 'pyarrow.dataset', 'pyarrow.compute', 'pydantic') if m in sys.modules]))\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(store.path)], capture_output=True, text=True, check=False)
    assert run.stderr.strip() == "[]"
