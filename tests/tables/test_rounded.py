"""Integers that a 64-bit float does not keep are told, once."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from anomscan.tables.values import Numbers

BEYOND = 2**53 + 1


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, BEYOND, BEYOND]),
        pa.array(["1", str(BEYOND), "x"[:0]]),
        pa.array([1, -BEYOND]),
        pa.array([1, 2**64 - 1], pa.uint64()),
        pa.array([Decimal(1), Decimal(BEYOND)]),
    ],
)
def test_the_first_is_named(column):
    numbers = Numbers()
    for _ in range(2):
        numbers.read(column, "x", lambda row: f"line {row}")
    (told,) = numbers.rounded
    assert told.startswith(f"line 1, column 'x': {column[1].as_py()}, an integer of ")
    assert told.endswith(": values are 64-bit floats")


@pytest.mark.parametrize(
    "column", [pa.array([2**53, 2**60, None]), pa.array([1e300, -1e300]), pa.array(["1e300", "9007199254740993.5"])]
)
def test_what_is_kept_is_not_told(column):
    numbers = Numbers()
    numbers.read(column, "x", str)
    assert numbers.rounded == []
