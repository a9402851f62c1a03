from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomscan.errors import InputError
from anomscan.sources.base import Reject
from anomscan.tables.moments import RowsError
from anomscan.tables.salvage import Salvage


def run(values, salvage=None, at_once=False):
    def convert(part):
        chosen = [values[row] for row in part]
        wrong = [at for at, value in enumerate(chosen) if value < 0]
        if wrong and at_once:
            raise RowsError.of(np.array(wrong), lambda at: f": {chosen[at]} is negative", str)
        if wrong:
            raise InputError(f"{chosen[wrong[0]]} is negative")
        return pa.table({"value": chosen})

    used, rejected = [], []
    for item in (salvage or Salvage()).rows(len(values), convert, lambda row: {"value": str(values[row])}, str):
        if isinstance(item, Reject):
            rejected.append(item)
        else:
            used += item["value"].to_pylist()
    return used, rejected


@given(
    st.lists(st.integers(-3, 20), max_size=200).filter(lambda values: any(value >= 0 for value in values)),
    st.booleans(),
)
def test_what_can_be_used_is_used_in_order_and_the_rest_is_told(values, at_once):
    used, rejected = run(values, at_once=at_once)
    assert used == [value for value in values if value >= 0]
    assert [each.row["value"] for each in rejected] == [str(value) for value in values if value < 0]
    assert all("is negative" in each.reason for each in rejected)


@given(st.lists(st.tuples(st.integers(0, 150), st.integers(0, 40)), min_size=1, max_size=5), st.booleans())
def test_however_many_bad_rows_come_first_the_good_ones_are_used(pieces, at_once):
    salvage = Salvage()
    used, rejected = [], []
    for bad, good in pieces:
        some = run([-1] * bad + [1] * good, salvage, at_once)
        used, rejected = used + some[0], rejected + some[1]
    if any(good for _, good in pieces):
        assert len(used) == sum(good for _, good in pieces)
        assert len(rejected) == sum(bad for bad, _ in pieces)
        salvage.finish()


@pytest.mark.parametrize("at_once", [False, True])
def test_where_no_row_can_be_used_the_format_is_wrong(at_once):
    salvage = Salvage()
    run([-1, -2, -3], salvage, at_once)
    with pytest.raises(InputError, match="-1 is negative"):
        salvage.finish()
    salvage = Salvage()
    assert len(run([-7] * 100_000, salvage, at_once)[1]) == 50  # and not one by one
    with pytest.raises(InputError, match="-7 is negative"):
        salvage.finish()
    with pytest.raises(InputError, match="-7 is negative"):
        run([-7] * 1_000_000, salvage, at_once)


def test_one_fetch_has_one_patience():
    salvage = Salvage()
    run([1, 2, 3], salvage)
    used, rejected = run([-1, -2], salvage)
    assert (used, len(rejected)) == ([], 2)


def test_the_work_does_not_grow_with_the_bad_rows():
    """Those that are found at once are left out at once."""
    values = [-1 if row % 2 else row for row in range(10_000)]
    calls = []

    def convert(part):
        calls.append(len(part))
        wrong = np.flatnonzero([values[row] < 0 for row in part])
        if len(wrong):
            raise RowsError.of(wrong, lambda at: " is negative", str)
        return pa.table({"value": part})

    items = list(Salvage().rows(len(values), convert, lambda row: {"value": str(values[row])}, str))
    assert sum(isinstance(item, Reject) for item in items) == 5_000
    assert len(calls) < 10
