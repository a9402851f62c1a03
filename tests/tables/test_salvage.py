from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomscan.errors import InputError
from anomscan.sources.base import Reject
from anomscan.tables.salvage import Salvage


def run(values, salvage=None):
    def convert(part):
        for value in values[part]:
            if value < 0:
                raise InputError(f"{value} is negative")
        return pa.table({"value": values[part]})

    used, rejected = [], []
    for item in (salvage or Salvage()).rows(len(values), convert, lambda row: {"value": str(values[row])}, str):
        if isinstance(item, Reject):
            rejected.append(item)
        else:
            used += item["value"].to_pylist()
    return used, rejected


@given(st.lists(st.integers(-3, 20), max_size=200).filter(lambda values: any(value >= 0 for value in values)))
def test_what_can_be_used_is_used_in_order_and_the_rest_is_told(values):
    used, rejected = run(values)
    assert used == [value for value in values if value >= 0]
    assert [each.row["value"] for each in rejected] == [str(value) for value in values if value < 0]
    assert all("is negative" in each.reason for each in rejected)


@given(st.lists(st.tuples(st.integers(0, 150), st.integers(0, 40)), min_size=1, max_size=5))
def test_however_many_bad_rows_come_first_the_good_ones_are_used(pieces):
    salvage = Salvage()
    used, rejected = [], []
    for bad, good in pieces:
        some = run([-1] * bad + [1] * good, salvage)
        used, rejected = used + some[0], rejected + some[1]
    if any(good for _, good in pieces):
        assert len(used) == sum(good for _, good in pieces)
        assert len(rejected) == sum(bad for bad, _ in pieces)
        salvage.finish()


def test_where_no_row_can_be_used_the_format_is_wrong():
    salvage = Salvage()
    run([-1, -2, -3], salvage)
    with pytest.raises(InputError, match="-1 is negative"):
        salvage.finish()
    salvage = Salvage()
    assert len(run([-7] * 100_000, salvage)[1]) == 50  # and not one by one
    with pytest.raises(InputError, match="-7 is negative"):
        salvage.finish()
    with pytest.raises(InputError, match="-7 is negative"):
        run([-7] * 1_000_000, salvage)


def test_one_fetch_has_one_patience():
    salvage = Salvage()
    run([1, 2, 3], salvage)
    used, rejected = run([-1, -2], salvage)
    assert (used, len(rejected)) == ([], 2)
