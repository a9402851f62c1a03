"""Rows off the grid and rows that contradict one another: which are stored, against the slow, obvious way."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles.settling import Content, Row, Settled, settle

from anomscan.errors import InputError
from anomscan.store.rules import CommitRules, Duplicates
from anomscan.store.store import Store
from anomscan.store.writer import CommitCounts
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout

STEP = 600
LAYOUT = Layout(Cadence.parse("10min"), ("x",))
DAY = np.datetime64("2020-01-01", "us")
EXACT = CommitRules()

#: A few steps, and few seconds off, so that samples meet; wide ones, so that grids compete.
seconds = st.builds(
    lambda step, off: step * STEP + off, st.integers(0, 8), st.sampled_from([0, 0, 0, 0, 1, 3, -2, 5, 300, 299])
)
row = st.tuples(seconds, st.sampled_from([None, 1.0, 2.0, 4.5]), st.sampled_from([None, "ok"]))
many = st.lists(st.tuples(st.integers(0, 60).map(lambda n: n * 150), st.just(1.0), st.none()), min_size=15, max_size=60)
nights = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.lists(row, min_size=1, max_size=12) | many, min_size=1),
    min_size=1,
    max_size=4,
)


def put(
    store: Store, rows: Sequence[tuple[str, Row]], arrived: int, rules: CommitRules = EXACT, piece: int = 7
) -> CommitCounts:
    table = pa.Table.from_arrays(
        [
            pa.array([asset for asset, _ in rows], pa.string()),
            pa.array([each[0] * 1_000_000 for _, each in rows], pa.timestamp("us")),
            pa.array([each[1] for _, each in rows], pa.float64()),
            pa.array([each[2] for _, each in rows], pa.string()),
        ],
        schema=LAYOUT.schema,
    )
    with store.writer("s", LAYOUT, arrived_at=DAY + np.timedelta64(arrived, "D"), rules=rules) as writer:
        for start in range(0, len(table), piece):
            writer.append(table.slice(start, piece))
        return writer.commit()


def held(store: Store, as_of: int | None = None) -> dict[str, dict[int, Content]]:
    then = None if as_of is None else DAY + np.timedelta64(as_of, "D")
    found = {}
    for series in (series for chunk in store.snapshot("s").stream(as_of=then) for series in chunk):
        values = [None if math.isnan(value) else value for value in series.values[:, 0].tolist()]
        times = (series.timestamps.astype(np.int64) // 1_000_000).tolist()
        found[series.asset] = {
            t: (value, series.health(n)) for n, (t, value) in enumerate(zip(times, values, strict=True))
        }
    return found


@pytest.mark.slow
@settings(max_examples=30)
@given(nights, st.sampled_from(["reject", "first", "last", "mean"]), st.sampled_from([0, 2, 5, 60]), st.data())
def test_each_asset_is_settled_as_if_it_were_alone(
    nights: list[dict[str, list[Row]]], how: Duplicates, tolerance: int, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder) / "store")
        model: dict[str, dict[int, Content]] = {}
        states = []
        for night, fleet in enumerate(nights):
            # Assets come in any mixture, the rows of each in their order.
            rows = data.draw(st.permutations([(asset, each) for asset, own in fleet.items() for each in own]))
            came = {asset: [each for name, each in rows if name == asset] for asset in fleet}
            due = {asset: settle(model.get(asset, {}), own, STEP, tolerance, how) for asset, own in came.items()}
            try:
                counts = put(
                    store, rows, night, CommitRules(how, tolerance * 1_000_000), data.draw(st.sampled_from([3, 100]))
                )
            except InputError:
                assert _cannot_be_right(due, model)
                states.append(dict(model))
                continue
            assert {each.asset for each in counts.failed} == {asset for asset, each in due.items() if each.failed}
            fresh = [each for each in counts.rejects if not each.reason.startswith("stored before")]
            assert len(fresh) == sum(len(each.rejects) for each in due.values())
            for asset, each in due.items():
                if each.stored:
                    model[asset] = each.stored
            states.append(dict(model))
            assert held(store) == model
            assert {a: int(t.astype(np.int64)) // 1_000_000 for a, t in store.last_timestamps("s").items()} == {
                asset: max(own) for asset, own in model.items()
            }
        if model:
            store.compact("s")
            for night, state in enumerate(states):
                if state:
                    assert held(store, night) == state
                    assert store.assets("s", as_of=DAY + np.timedelta64(night, "D")) == sorted(state)


def _cannot_be_right(due: dict[str, Settled], model: dict[str, dict[int, Content]]) -> bool:
    """No row is good, no asset keeps the cadence, or no two samples are a step apart."""
    if not any(each.kept for each in due.values()):
        return True
    off = sum(each.off for each in due.values())
    if off >= 10 and all(each.off * 3 > each.samples for each in due.values()):
        return True
    after = [sorted(due[asset].stored if asset in due else model[asset]) for asset in due]
    steps = [later - earlier for own in after for earlier, later in pairwise(own)]
    return len(steps) >= 10 and min(steps) > STEP


@pytest.fixture
def night(store: Store) -> Callable[..., CommitCounts]:
    """Commit rows of one asset at whole seconds, one value each."""

    def run(times: Sequence[int], arrived: int, asset: str = "T", **rules: object) -> CommitCounts:
        return put(store, [(asset, (t, 1.0, None)) for t in times], arrived, CommitRules(**rules))  # type: ignore[arg-type]

    return run


class TestGrid:
    def test_what_most_samples_say_wins_over_the_first(self, store: Store, night: Callable[..., CommitCounts]) -> None:
        night([67], 0)
        counts = night(range(0, 6000, STEP), 1)
        assert (counts.new, [each.row["timestamp"] for each in counts.rejects]) == (10, ["1970-01-01T00:01:07Z"])
        assert list(held(store)["T"]) == list(range(0, 6000, STEP))
        assert list(held(store, 0)["T"]) == [67]
        assert night(range(0, 6600, STEP), 2).rejects == ()

    def test_of_two_samples_the_first_wins_until_more_come(
        self, store: Store, night: Callable[..., CommitCounts]
    ) -> None:
        night([0, 67], 0)
        assert list(held(store)["T"]) == [0]
        night([67, 667], 1)
        assert list(held(store)["T"]) == [67, 667]

    def test_an_asset_that_keeps_no_grid_fails_alone(self, store: Store, night: Callable[..., CommitCounts]) -> None:
        rows = [("good", (t, 1.0, None)) for t in range(0, 12000, STEP)]
        rows += [("bad", (t, 1.0, None)) for t in range(0, 12000, 200)]
        counts = put(store, rows, 0)
        assert (counts.assets, counts.new, counts.rejects) == (1, 20, ())
        (failed,) = counts.failed
        assert failed.asset == "bad"
        assert failed.reason.startswith(
            "40 of 60 samples off its grid, the first: asset 'bad': 1970-01-01T00:03:20Z is not a whole number of"
        )

    def test_a_cadence_that_no_asset_keeps_is_refused(self, store: Store, night: Callable[..., CommitCounts]) -> None:
        for times in (range(0, 12000, 200), range(0, 12000, 300)):
            with pytest.raises(InputError, match=r"is not a whole number of steps of 10min .*declare the cadence"):
                night(times, 0)
        assert store.sources() == []


class TestNearest:
    def test_a_jitter_of_seconds_is_moved_to_the_grid(self, store: Store, night: Callable[..., CommitCounts]) -> None:
        jitter = [0, 3, -2, 5, 1, 4, -5, 2, 0, 3]
        counts = night([n * STEP + 900 + off for n, off in enumerate(jitter)], 0, tolerance_us=5_000_000)
        assert (counts.new, counts.rejects) == (10, ())
        assert list(held(store)["T"]) == [n * STEP + 900 for n in range(10)]
        again = night([n * STEP + 900 - off for n, off in enumerate(jitter)], 1, tolerance_us=5_000_000)
        assert (again.new, again.unchanged) == (0, 10)

    def test_what_is_further_off_is_rejected(self, store: Store, night: Callable[..., CommitCounts]) -> None:
        counts = night([0, 603, 1206, 1800], 0, tolerance_us=5_000_000)
        (reject,) = counts.rejects
        assert reject.reason.startswith("asset 'T': 1970-01-01T00:20:06Z is not within 5s of steps of 10min from")
        assert list(held(store)["T"]) == [0, 600, 1800]


def test_the_mean_of_large_values_is_finite(store: Store) -> None:
    put(store, [("a", (0, 1.5e308, None)), ("a", (0, 1.7e308, "ok")), ("a", (600, None, None))], 0, CommitRules("mean"))
    assert held(store)["a"] == {0: (1.6e308, "ok"), 600: (None, None)}
