"""Any sequence of commits against a plain dict, with and without compaction, at any instant."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomscan.errors import AssetError, InputError
from anomscan.store.store import Store
from anomscan.store.writer import CommitCounts
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.series import Series

LAYOUT = Layout(Cadence.parse("1D"), ("x", "y"))
ASSETS = ["a", "b", "../c", "é", ""]
STEP = LAYOUT.cadence.step_us

values = st.sampled_from([None, 0.0, 1.0, -2.5])
sample = st.tuples(st.sampled_from(ASSETS), st.integers(-3, 8))
content = st.tuples(values, values, st.sampled_from([None, "ok", "Unknown"]))
commits = st.lists(
    st.tuples(st.integers(0, 4), st.dictionaries(sample, content, max_size=12), st.booleans()), min_size=1, max_size=6
)

Key = tuple[str, int]
Content = tuple[float | None, float | None, str | None]


class Model:
    """Every revision of every sample, in the order of the commits: each arrives after those before it."""

    def __init__(self) -> None:
        self.revisions: dict[Key, list[tuple[int, Content]]] = {}
        self.last = -1

    def known(self, key: Key, as_of: float) -> tuple[int, Content] | None:
        arrived = [revision for revision in self.revisions.get(key, []) if revision[0] <= as_of]
        return arrived[-1] if arrived else None

    def commit(self, clock: int, rows: dict[Key, Content]) -> CommitCounts:
        counts = {"new": 0, "revised": 0, "unchanged": 0}
        arrived = clock if clock > self.last else self.last + 1
        for key, row in rows.items():
            before = self.known(key, math.inf)
            kind = "new" if before is None else "unchanged" if before[1] == row else "revised"
            counts[kind] += 1
            if kind != "unchanged":
                self.revisions.setdefault(key, []).append((arrived, row))
                self.last = arrived
        return CommitCounts(len({asset for asset, _ in rows}), **counts)

    def read(self, as_of: float) -> dict[str, list[tuple[int, int, Content]]]:
        found: dict[str, list[tuple[int, int, Content]]] = {}
        for asset, place in sorted(self.revisions):
            revision = self.known((asset, place), as_of)
            if revision is not None:
                found.setdefault(asset, []).append((place, *revision))
        return found


def put(store: Store, arrived: int, rows: dict[Key, Content], pieces: int) -> CommitCounts:
    table = pa.Table.from_arrays(
        [
            pa.array([asset for asset, _ in rows], pa.string()),
            pa.array([place * STEP for _, place in rows], pa.timestamp("us")),
            pa.array([row[0] for row in rows.values()], pa.float64()),
            pa.array([row[1] for row in rows.values()], pa.float64()),
            pa.array([row[2] for row in rows.values()], pa.string()),
        ],
        schema=LAYOUT.schema,
    )
    with store.writer("s", LAYOUT, arrived_at=np.datetime64(arrived, "us")) as writer:
        for start in range(0, max(len(table), 1), pieces):
            writer.append(table.slice(start, pieces))
        return writer.commit()


def plain(series: Series) -> list[tuple[int, int, Content]]:
    assert series.arrived_at is not None
    rows = []
    for row in range(len(series)):
        x, y = (None if math.isnan(value) else value for value in series.values[row].tolist())
        place = int(series.timestamps[row].astype(np.int64)) // STEP
        rows.append((place, int(series.arrived_at[row].astype(np.int64)), (x, y, series.health(row))))
    return rows


def streamed(chunks: Iterable[list[Series]]) -> dict[str, list[tuple[int, int, Content]]]:
    found: dict[str, list[tuple[int, int, Content]]] = {}
    for series in (series for chunk in chunks for series in chunk):
        assert series.asset not in found
        found[series.asset] = plain(series)
    return found


@pytest.mark.slow
@settings(max_examples=30)
@given(commits)
def test_the_store_is_a_dict_of_revisions(history: list[tuple[int, dict[Key, Content], bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, model = Store.create(Path(folder) / "store"), Model()
        for arrived, rows, compact in history:
            before = store.revision("s") if model.revisions else ""
            tally = put(store, arrived, rows, 5)
            assert tally == model.commit(arrived, rows)
            if not model.revisions:
                assert store.sources() == []
                continue
            assert (store.revision("s") != before) == (tally.new + tally.revised > 0)
            if compact:
                after = store.revision("s")
                store.compact("s")
                assert store.revision("s") == after
        if model.revisions:
            check(store, model)


def check(store: Store, model: Model) -> None:
    lasts = {asset: max(place for name, place in model.revisions if name == asset) for asset, _ in model.revisions}
    assert {a: int(t.astype(np.int64)) // STEP for a, t in store.last_timestamps("s").items()} == lasts
    assert store.snapshot("s").arrived == np.datetime64(model.last, "us")
    for as_of in (*range(-1, 11), None):
        instant = None if as_of is None else np.datetime64(as_of, "us")
        expected = model.read(math.inf if as_of is None else as_of)
        assert streamed(store.snapshot("s").stream(7, as_of=instant)) == expected
        assert store.assets("s", as_of=instant) == sorted(expected)
    for asset in ASSETS:
        try:
            found = plain(store.read("s", asset, as_of=np.datetime64(2, "us")))
        except AssetError:
            found = []
        assert found == model.read(2).get(asset, [])


@pytest.mark.slow
@settings(max_examples=15)
@given(commits)
def test_what_was_known_then_stays_so(history: list[tuple[int, dict[Key, Content], bool]]) -> None:
    """Whatever the clock says later: what had arrived when a commit was over is all that had arrived by then."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder) / "store")
        views: dict[int, dict[str, list[tuple[int, int, Content]]]] = {}
        for clock, rows, compact in history:
            with suppress(InputError):  # by chance no two samples are a step apart
                put(store, clock, rows, 5)
            if not store.sources():
                continue
            if compact:
                store.compact("s")
            snapshot = store.snapshot("s")
            assert snapshot.arrived is not None
            views[int(snapshot.arrived.astype(np.int64))] = streamed(snapshot.stream())
        for instant, view in views.items():
            assert streamed(store.snapshot("s").stream(as_of=np.datetime64(instant, "us"))) == view
