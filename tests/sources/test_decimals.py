"""Decimals become the float64 that their text is."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from anomscan.sources.sql.decimals import float_schema, with_floats

_NUMBERS = st.none() | st.decimals(
    allow_nan=False, allow_infinity=False, places=10, min_value=-(10**17), max_value=10**17
)


@given(st.lists(_NUMBERS), st.integers(0, 3))
def test_each_is_rounded_once(numbers: list[Decimal | None], start: int) -> None:
    kind = pa.decimal128(38, 10)
    batch = pa.RecordBatch.from_pydict({"x": pa.array(numbers, kind), "id": ["A"] * len(numbers)}).slice(start)
    found = with_floats(batch)
    assert found["x"].to_pylist() == [None if number is None else float(number) for number in numbers[start:]]
    assert found.schema == float_schema(batch.schema)
    assert found["id"].equals(batch["id"])
