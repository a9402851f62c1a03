"""Clocks that go back, or were once far ahead: the last fetch counts, and what was known then stays so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from anomscan.errors import StoreError
from anomscan.store.manifest import MANIFEST
from anomscan.store.store import Store
from anomscan.store.writer import CommitCounts

DAYS = ["2020-01-01", "2020-01-02", "2020-01-03"]
Commit = Callable[..., CommitCounts]
Contents = Callable[[Path], dict[str, bytes]]


def rows(value: float) -> list[tuple[str, str, float, str | None]]:
    return [("A", day, value, None) for day in DAYS]


def value(store: Store, as_of: str | None = None) -> float:
    found = store.read("fleet", "A", as_of=None if as_of is None else np.datetime64(as_of, "us"))
    assert len(set(found.values[:, 0].tolist())) == 1
    return float(found.values[0, 0])


@pytest.mark.parametrize("first", ["2024-05-01T12:00:00", "2100-01-01", "9999-12-30"])
@pytest.mark.parametrize("second", ["2024-05-01T12:00:00", "2024-05-01T10:00:00", "1970-01-01", "1969-12-31"])
@pytest.mark.parametrize("compact", [False, True])
def test_the_last_commit_counts(store: Store, commit: Commit, first: str, second: str, compact: bool) -> None:
    commit(rows(1.0), first)
    assert commit(rows(2.0), second).revised == 3
    if compact:
        store.compact("fleet")
    assert value(store) == 2.0
    assert commit(rows(2.0), second).unchanged == 3
    assert commit(rows(3.0), second).revised == 3
    if compact:
        store.compact("fleet")
    assert value(store) == 3.0
    assert value(store, first) == 1.0


def test_a_clock_that_goes_on_is_believed_again(store: Store, commit: Commit) -> None:
    commit(rows(1.0), "2024-05-02")
    commit(rows(2.0), "2024-05-01")
    commit(rows(3.0), "2024-05-03")
    assert store.snapshot("fleet").arrived == np.datetime64("2024-05-03", "us")
    assert [value(store, day) for day in ("2024-05-02", "2024-05-02T12:00", "2024-05-03")] == [1.0, 2.0, 3.0]


def test_a_commit_of_nothing_new_does_not_move_the_last_arrival(
    store: Store, commit: Commit, contents: Contents
) -> None:
    commit(rows(1.0), "2024-05-01")
    before = contents(store.path / "fleet")
    commit(rows(1.0), "2100-01-01")
    assert contents(store.path / "fleet") == before


@pytest.mark.parametrize("compact", [False, True])
def test_a_store_that_does_not_say_when_its_last_rows_arrived(store: Store, commit: Commit, compact: bool) -> None:
    """As stores of earlier versions, of which some have later commits with earlier arrivals."""
    commit(rows(1.0), "2024-05-01")
    commit(rows(2.0), "2100-01-01")
    if compact:
        store.compact("fleet")
    commit([("B", DAYS[0], 1.0, None)], "2024-05-02")
    path = store.path / "fleet" / MANIFEST
    document = json.loads(path.read_bytes())
    del document["arrived"]
    path.write_text(json.dumps(document))
    assert store.snapshot("fleet").arrived is None
    assert value(store) == 2.0
    assert commit(rows(3.0), "2024-05-03").revised == 3
    assert (value(store), value(store, "2100-01-01")) == (3.0, 2.0)


@pytest.mark.parametrize("arrived", ["2024-05-01", 1.5, [], 1 << 63, -(1 << 63), 1 << 200])
def test_a_last_arrival_that_no_clock_says_is_damage(store: Store, commit: Commit, arrived: object) -> None:
    commit(rows(1.0))
    path = store.path / "fleet" / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"arrived": arrived}))
    with pytest.raises(StoreError, match="is damaged"):
        store.snapshot("fleet")
