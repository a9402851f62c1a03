"""A fleet is cut into partitions: each asset in one of them, in the store's order."""

from __future__ import annotations

import random
from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomscan.store.block import bucket_of
from anomscan.store.partitions import Cut, Partition, key_of

ids = st.one_of(st.text(max_size=6), st.integers(0, 500).map("asset-{:03d}".format))
fleets = st.dictionaries(ids, st.integers(1, 50), max_size=60)


def members(cut: Cut, partition: Partition) -> list[str]:
    return [asset for asset in cut.assets if partition.holds(key_of(asset))]


@given(fleets, st.integers(1, 120))
def test_partitions_hold_each_asset_once_in_the_stores_order(fleet: dict[str, int], most_rows: int) -> None:
    cut = Cut(list(fleet), list(fleet.values()))
    order = sorted(fleet, key=lambda asset: (bucket_of(asset), asset))
    assert list(cut.assets) == order
    assert (len(cut), cut.rows) == (len(fleet), sum(fleet.values()))
    partitions = cut.partitions(most_rows)
    held = [members(cut, partition) for partition in partitions]
    assert [asset for assets in held for asset in assets] == order
    for partition, assets in zip(partitions, held, strict=True):
        assert partition.assets == len(assets) > 0
        assert sum(fleet[asset] for asset in assets) <= most_rows or len(assets) == 1
    buckets: dict[int, list[str]] = defaultdict(list)
    for asset in order:
        buckets[bucket_of(asset)].append(asset)
    for assets in buckets.values():
        # a bucket is cut only where it has to be
        cuts = sum(not set(assets).isdisjoint(part) for part in held)
        assert cuts == 1 or sum(fleet[asset] for asset in assets) > most_rows
    assert not any(one.meets(other) for one, other in pairwise(partitions))


@given(fleets, st.integers(1, 120))
def test_names_tell_units_apart(fleet: dict[str, int], most_rows: int) -> None:
    cut = Cut(list(fleet), list(fleet.values()))
    partitions = {*cut.partitions(most_rows), *cut.single(), *cut.partitions(cut.rows + 1)}
    partitions |= {half for partition in partitions if partition.assets > 1 for half in cut.halves(partition)}
    assert len({partition.name for partition in partitions}) == len(partitions)
    assert all(
        name.replace("-", "").isalnum() and name.isascii() for name in (partition.name for partition in partitions)
    )


def test_names_tell_bounds_apart_whatever_is_in_an_id() -> None:
    one, other = Partition((0, "a\0b"), (0, "c"), 2), Partition((0, "a"), (0, "b\0c"), 2)
    assert one.name != other.name


@given(fleets.filter(lambda fleet: len(fleet) > 1))
def test_halves_of_halves_are_single_assets(fleet: dict[str, int]) -> None:
    cut = Cut(list(fleet), list(fleet.values()))
    (whole,) = cut.partitions(cut.rows)
    waiting, single = [whole], []
    while waiting:
        partition = waiting.pop(0)
        if partition.assets == 1:
            single.append(partition)
            continue
        halves = list(cut.halves(partition))
        assert sum(half.assets for half in halves) == partition.assets
        assert abs(halves[0].assets - halves[1].assets) <= 1
        assert all(half.meets(partition) for half in halves)
        assert not halves[0].meets(halves[1])
        assert [asset for half in halves for asset in members(cut, half)] == members(cut, partition)
        waiting += halves
    assert sorted(single, key=lambda partition: partition.low) == cut.single()


@given(fleets, ids, st.integers(1, 120))
def test_an_asset_that_is_new_is_in_no_more_than_one_of_the_old_partitions(
    fleet: dict[str, int], newcomer: str, most_rows: int
) -> None:
    partitions = Cut(list(fleet), list(fleet.values())).partitions(most_rows)
    assert sum(partition.holds(key_of(newcomer)) for partition in partitions) <= 1


@given(fleets, st.integers(1, 120), st.data())
def test_what_grows_is_cut_and_nothing_else(fleet: dict[str, int], most_rows: int, data: st.DataObject) -> None:
    before = Cut(list(fleet), list(fleet.values())).partitions(most_rows)
    later = {asset: samples + data.draw(st.integers(0, 20)) for asset, samples in fleet.items()}
    after = Cut(list(later), list(later.values())).partitions(most_rows)
    assert all(any(old.low <= new.low and new.high <= old.high for old in before) for new in after)


def test_a_large_fleet_of_all_ages_is_hardly_cut_anew_in_a_night() -> None:
    rng = random.Random(0)
    fleet = {f"asset {n}": rng.randrange(30, 1_000) for n in range(20_000)}
    before, kept, all_partitions = set(), [], []
    for night in range(5):
        fleet |= {f"newcomer {night} {n}": 1 for n in range(3)}
        partitions = set(Cut(list(fleet), list(fleet.values())).partitions(20_000))
        kept.append(len({(partition.low, partition.high) for partition in partitions} & before))
        before = {(partition.low, partition.high) for partition in partitions}
        all_partitions.append(len(partitions))
        fleet = {asset: samples + 1 for asset, samples in fleet.items()}
    assert min(all_partitions) > 4 * 64  # buckets are cut, too
    assert max(all_partitions) < 2 * sum(fleet.values()) / 20_000
    assert min(kept[1:]) > 0.95 * max(all_partitions)


def test_no_assets_no_partitions() -> None:
    cut = Cut([], [])
    assert (cut.partitions(10), cut.single(), len(cut), cut.rows) == ([], [], 0, 0)


@pytest.mark.parametrize("samples", [[10, 10, 10], [25, 1, 1], [1, 25, 1]])
def test_an_asset_of_more_rows_than_a_unit_stands_alone_or_ends_one(samples: list[int]) -> None:
    partitions = Cut(["a", "b", "c"], samples).partitions(9)
    assert sum(partition.assets for partition in partitions) == 3
