"""Samples that are dropped no longer count, and what was known before still holds them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomscan.errors import AssetError, LockedError
from anomscan.storage import lock
from anomscan.store.roster import Roster
from anomscan.store.store import Store
from fleets import DAY_US, contents, layout, put

LATE = np.timedelta64(3, "D")
ASSETS = "abc"

samples = st.dictionaries(
    st.tuples(st.sampled_from(ASSETS), st.integers(0, 12)),
    st.tuples(st.tuples(st.sampled_from([0.0, 1.0, None])), st.sampled_from([None, "ok"])),
    max_size=14,
)
drops = st.tuples(
    st.none() | st.frozensets(st.sampled_from(ASSETS), min_size=1), st.integers(0, 12), st.integers(0, 12)
)


def day(number: int) -> np.datetime64:
    return np.datetime64(number * DAY_US, "us")


def drop(store: Store, assets: Any, first: int, last: int, now: int) -> Any:
    return store.drop("fleet", assets=assets, start=day(first), end=day(last), now=day(now), late=LATE)


@pytest.mark.slow
@settings(max_examples=25)
@given(st.lists(samples | drops, min_size=1, max_size=6), st.data())
def test_the_store_is_as_if_the_samples_had_never_come(history: list[Any], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder) / "store")
        # Of each sample the revisions that count, with the day on which they came.
        known: dict[tuple[str, int], list[tuple[int, Any]]] = {}
        states: list[dict[tuple[str, int], list[tuple[int, Any]]]] = []
        for number, event in enumerate(history):
            if isinstance(event, dict):
                put(store, event, number)
                for sample, content in event.items():
                    revisions = known.setdefault(sample, [])
                    if not revisions or revisions[-1][1] != content:
                        known[sample] = [*revisions, (number, content)]
            elif states and any(states):
                assets, first, last = event
                there = {asset for asset, _ in known}
                goes = {s for s in known if (assets is None or s[0] in assets) and first <= s[1] <= last}
                revision = store.revision("fleet")
                done = drop(store, assets, first, last, number)
                assert (done.assets, done.samples) == (len({asset for asset, _ in goes}), len(goes))
                assert set(done.unknown) == (set() if assets is None else assets - there)
                assert (store.revision("fleet") != revision) == bool(goes)
                known = {sample: revisions for sample, revisions in known.items() if sample not in goes}
            states.append(dict(known))
            if data.draw(st.booleans()) and known:
                store.compact("fleet")
        if not any(states):
            return
        for number, state in enumerate(states):
            check(store, state, day(number))
        check(store, known, None)
        check_roster(store, known)


def check(store: Store, state: dict[tuple[str, int], list[tuple[int, Any]]], as_of: np.datetime64 | None) -> None:
    fresh = Store.create(Path(tempfile.mkdtemp(dir=store.path.parent)) / "fresh")  # type: ignore[arg-type, union-attr]
    for number in sorted({arrived for revisions in state.values() for arrived, _ in revisions}):
        rows = {sample: content for sample, own in state.items() for arrived, content in own if arrived == number}
        put(fresh, rows, number)
    expected = contents(fresh.snapshot("fleet").stream()) if state else {}
    assert contents(store.snapshot("fleet").stream(7, as_of=as_of)) == expected
    assert store.assets("fleet", as_of=as_of) == sorted(expected)
    for asset in ASSETS:
        if asset in expected:
            assert contents([[store.read("fleet", asset, as_of=as_of)]])[asset] == expected[asset]
        else:
            with pytest.raises(AssetError):
                store.read("fleet", asset, as_of=as_of)


def check_roster(store: Store, known: dict[tuple[str, int], list[tuple[int, Any]]]) -> None:
    manifest = store._manifest("fleet")
    roster = Roster.listed(store.path / "fleet", manifest)
    entries = {}
    for asset in sorted({asset for asset, _ in known}):
        days = sorted(number for name, number in known if name == asset)
        first = min(own[0][0] for (name, _), own in known.items() if name == asset)
        entries[asset] = [len(days), days[-1] * DAY_US, first * DAY_US]
    columns = (roster.samples, roster.last, roster.first_arrival)
    rows = np.stack(columns, axis=1).tolist()
    assert dict(zip(roster.names, rows, strict=True)) == entries


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "store")
    put(store, {(asset, number): ([number / 10], "ok") for asset in "ab" for number in range(20)}, 20)
    return store


def test_a_dropped_sample_that_comes_again_is_new(store: Store) -> None:
    drop(store, ["a"], 5, 30, 21)
    with store.writer("fleet", layout(), arrived_at=day(22)) as writer:
        assert writer.arrived_before == day(21)
    put(store, {("a", number): ([number / 10], "ok") for number in range(20)}, 23)
    series = store.read("fleet", "a")
    assert len(series) == 20
    assert series.arrived_at is not None
    assert set(series.arrived_at[5:]) == {day(23)}
    assert [len(store.read("fleet", "a", as_of=day(number))) for number in (20, 21, 22, 23)] == [20, 5, 5, 20]


def test_a_clock_that_is_behind_drops_after_the_last_commit(store: Store) -> None:
    drop(store, ["a"], 0, 30, 2)
    assert store.assets("fleet") == ["b"]
    assert store.assets("fleet", as_of=day(20)) == ["a", "b"]
    assert store.assets("fleet", as_of=day(20) + np.timedelta64(1, "us")) == ["b"]


def test_the_last_samples_are_the_roster_s(store: Store) -> None:
    drop(store, None, 15, 30, 21)
    assert store.last_timestamps("fleet") == {"a": day(14), "b": day(14)}
    drop(store, None, 0, 30, 22)
    assert store.last_timestamps("fleet") == {}
    assert store.assets("fleet", as_of=day(21)) == ["a", "b"]
    put(store, {("c", 1): ([1.0], None)}, 23)
    assert store.assets("fleet") == ["c"]


def test_nothing_to_drop_changes_nothing(store: Store) -> None:
    before = {path: path.read_bytes() for path in Path(store.path).rglob("*") if path.is_file()}
    assert drop(store, ["a", "x"], 50, 60, 21).unknown == ("x",)
    assert drop(store, ["x"], 0, 60, 21).samples == 0
    assert {path: path.read_bytes() for path in Path(store.path).rglob("*") if path.is_file()} == before


def test_a_lock_is_heeded_and_a_killed_drop_leaves_the_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(store.path) / "fleet"
    with lock.hold(folder / "lock", "x"), pytest.raises(LockedError):
        drop(store, ["a"], 0, 30, 21)
    before = contents(store.snapshot("fleet").stream())
    monkeypatch.setattr("anomscan.store.manifest.Manifest.save", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        drop(store, ["a"], 0, 30, 21)
    monkeypatch.undo()
    assert contents(store.snapshot("fleet").stream()) == before
    put(store, {("a", 20): ([1.0], None)}, 21)  # which tidies up
    assert sorted(path.name for path in folder.rglob("*.parquet") if path.parent.name != "roster") == [
        "batch-000001.parquet",
        "batch-000002.parquet",
    ]
