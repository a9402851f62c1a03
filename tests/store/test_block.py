"""Rows as arrays: put in order by runs or one by one, the order is the same; the digest tells any change."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anomscan.store.block import Block, in_store_order

NAMES = in_store_order("ABCD")


def block_of(rows: list[tuple[int, int, int]]) -> Block:
    """Rows of (asset, timestamp, arrival), each with its place as its value."""
    assets, timestamps, arrivals = (np.array(column) for column in zip(*rows, strict=True))
    values = np.arange(len(rows), dtype=float).reshape(-1, 1)
    health = np.zeros(len(rows), np.int32)
    return Block(NAMES, assets.astype(np.int32), timestamps, values, ("ok",), health, arrivals)


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Runs of one asset in rising time, long and short, apart and overlapping, of one arrival and of several."""
    lengths = draw(st.lists(st.sampled_from([1, 2, 30, 60]), min_size=1, max_size=8))
    rows = []
    for length in lengths:
        asset, start, arrival = (draw(st.integers(0, most)) for most in (3, 200, 1))
        rows += [(asset, start + step, arrival) for step in range(length)]
    return rows


@given(runs())
def test_rows_are_put_in_order(rows: list[tuple[int, int, int]]) -> None:
    places = sorted(range(len(rows)), key=lambda place: (rows[place], place))
    assert block_of(rows).in_order().values[:, 0].tolist() == places


@given(runs())
def test_the_latest_revision_is_the_last_of_the_sample(rows: list[tuple[int, int, int]]) -> None:
    last = {row[:2]: place for row, place in sorted((row, place) for place, row in enumerate(rows))}
    assert block_of(rows).latest().values[:, 0].tolist() == [last[sample] for sample in sorted(last)]


def digest(block: Block) -> str:
    state = hashlib.blake2b()
    block.digest(state)
    return state.hexdigest()


@given(runs(), runs())
def test_blocks_with_the_same_digest_are_the_same(first: list[tuple[int, int, int]], second: object) -> None:
    one, other = (block_of(rows).latest().trimmed() for rows in (first, second))
    same = one.names == other.names and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("assets", "timestamps", "values")
    )
    assert (digest(one) == digest(other)) == same


def test_the_digest_is_of_texts_not_of_codes() -> None:
    names, health = ("a", "b", "c"), np.array([2, 0, -1], np.int32)
    times, values = np.array([1, 2, 5]), np.array([[1.0], [np.nan], [3.0]])
    assets = np.zeros(3, np.int32)
    block = Block(["A"], assets, times, values, names, health, np.zeros(3, np.int64))
    again = Block(["A"], assets, times, values, ("a", "c"), np.array([1, 0, -1], np.int32), np.ones(3, np.int64))
    other = Block(["A"], assets, times, values, ("a", "d"), np.array([1, 0, -1], np.int32), np.ones(3, np.int64))
    assert digest(block) == digest(again) != digest(other)
