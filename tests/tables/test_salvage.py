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


@given(st.lists(st.integers(-3, 20), max_size=200).filter(lambda values: any(value >= 0 for value in values[:40])))
def test_what_can_be_used_is_used_in_order_and_the_rest_is_told(values):
    used, rejected = run(values)
    assert used == [value for value in values if value >= 0]
    assert [each.row["value"] for each in rejected] == [str(value) for value in values if value < 0]
    assert all("is negative" in each.reason for each in rejected)


def test_where_no_row_can_be_used_the_format_is_wrong():
    salvage = Salvage()
    run([-1, -2, -3], salvage)
    with pytest.raises(InputError, match="-1 is negative"):
        salvage.finish()
    with pytest.raises(InputError, match="-7 is negative"):
        run([-7] * 100_000)


def test_one_fetch_has_one_patience():
    salvage = Salvage()
    run([1, 2, 3], salvage)
    used, rejected = run([-1, -2], salvage)
    assert (used, len(rejected)) == ([], 2)
