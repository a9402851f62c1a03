"""The median of the others, exactly, from the middle of a cohort."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anomscan.detectors import cohorts as building
from anomscan.detectors.cohorts import cohorts_of
from anomscan.store.store import Store
from anomscan.telemetry.cohorts import Cohorts, Middles, middles_of
from fleets import daily, put

VALUES = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(1, 9)),
    elements=st.one_of(st.floats(-5, 5, width=16), st.just(np.nan)),
)


@given(VALUES)
def test_the_median_of_the_others_is_that_of_the_others(values):
    days = np.datetime64("2020-01-01", "us") + np.arange(len(values)) * np.timedelta64(1, "D")
    middles = Middles.of(days, values[:, None, :])
    for member in range(values.shape[1]):
        found = middles.others(days, values[:, [member]])[:, 0]
        for row, line in enumerate(np.delete(values, member, axis=1)):
            others = line[np.isfinite(line)]
            if len(others) >= 3:
                np.testing.assert_array_equal(found[row], np.median(others))
            else:
                assert np.isnan(found[row])


@given(VALUES)
def test_the_median_of_all_is_that_of_all(values):
    days = np.datetime64("2020-01-01", "us") + np.arange(len(values)) * np.timedelta64(1, "D")
    found = Middles.of(days, values[:, None, :]).median()[:, 0]
    for row, line in enumerate(values):
        known = line[np.isfinite(line)]
        np.testing.assert_array_equal(found[row], np.median(known) if len(known) else np.nan)


def test_members_of_other_cohorts_and_of_none_have_no_say():
    cohorts = Cohorts(
        dict.fromkeys("abcde", "R1"), {"R1": middles_of([daily(name, [k] * 3) for k, name in enumerate("abcde")])}
    )
    assert cohorts.others(daily("a", [0.0, 0, 0])).tolist() == [[2.5]] * 3
    assert np.isnan(cohorts.others(daily("z", [0.0, 0, 0]))).all()


def test_going_through_the_store_in_parts_gives_the_same(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    store = Store.create(tmp_path / "store")
    rows = {
        (f"a{k}", day): ((float(random.normal()),), None)
        for k in range(12)
        for day in range(60)
        if random.random() > 0.2 and not (k == 3 and day < 30)
    }
    put(store, rows, 100)
    members = {f"a{k}": f"R{k % 2}" for k in range(11)}
    snapshot = store.snapshot("fleet")
    whole = cohorts_of(snapshot, members)
    monkeypatch.setattr(building, "MOST_VALUES", 70)
    parts = cohorts_of(snapshot, members)
    assert sorted(whole.middles) == sorted(parts.middles) == ["R0", "R1"]
    for name, middles in whole.middles.items():
        for field in ("timestamps", "count", "below", "middle", "above"):
            np.testing.assert_array_equal(getattr(middles, field), getattr(parts.middles[name], field))


def test_only_what_was_known_counts(tmp_path):
    store = Store.create(tmp_path / "store")
    put(store, {(f"a{k}", day): ((float(k),), None) for k in range(4) for day in range(10)}, 20)
    put(store, {("a4", day): ((9.0,), None) for day in range(10)}, 30)
    snapshot = store.snapshot("fleet")
    early = cohorts_of(snapshot, None, as_of=np.datetime64("1970-01-25"))
    assert early.middles["fleet"].count[:, 0].tolist() == [4] * 10
    assert cohorts_of(snapshot, None).middles["fleet"].count[:, 0].tolist() == [5] * 10
    until = cohorts_of(snapshot, None, through=np.datetime64("1970-01-05"))
    assert len(until.middles["fleet"].timestamps) == 5
