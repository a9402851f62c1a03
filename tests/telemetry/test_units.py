"""A fleet is cut into units: each asset in one of them, in the store's order."""

from __future__ import annotations

import random
from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomscan.telemetry.block import bucket_of
from anomscan.telemetry.units import Cut, Unit, key_of

ids = st.one_of(st.text(max_size=6), st.integers(0, 500).map("asset-{:03d}".format))
fleets = st.dictionaries(ids, st.integers(1, 50), max_size=60)


def members(cut: Cut, unit: Unit) -> list[str]:
    return [asset for asset in cut.assets if unit.holds(key_of(asset))]


@given(fleets, st.integers(1, 120))
def test_units_hold_each_asset_once_in_the_stores_order(fleet: dict[str, int], most_rows: int) -> None:
    cut = Cut(list(fleet), list(fleet.values()))
    order = sorted(fleet, key=lambda asset: (bucket_of(asset), asset))
    assert list(cut.assets) == order
    assert (len(cut), cut.rows) == (len(fleet), sum(fleet.values()))
    units = cut.units(most_rows)
    held = [members(cut, unit) for unit in units]
    assert [asset for assets in held for asset in assets] == order
    for unit, assets in zip(units, held, strict=True):
        assert unit.assets == len(assets) > 0
        assert sum(fleet[asset] for asset in assets) <= most_rows or len(assets) == 1
    buckets: dict[int, list[str]] = defaultdict(list)
    for asset in order:
        buckets[bucket_of(asset)].append(asset)
    for assets in buckets.values():
        # a bucket is cut only where it has to be
        cuts = sum(not set(assets).isdisjoint(part) for part in held)
        assert cuts == 1 or sum(fleet[asset] for asset in assets) > most_rows
    assert not any(one.meets(other) for one, other in pairwise(units))


@given(fleets, st.integers(1, 120))
def test_names_tell_units_apart(fleet: dict[str, int], most_rows: int) -> None:
    cut = Cut(list(fleet), list(fleet.values()))
    units = {*cut.units(most_rows), *cut.single(), *cut.units(cut.rows + 1)}
    units |= {half for unit in units if unit.assets > 1 for half in cut.halves(unit)}
    assert len({unit.name for unit in units}) == len(units)
    assert all(name.replace("-", "").isalnum() and name.isascii() for name in (unit.name for unit in units))


def test_names_tell_bounds_apart_whatever_is_in_an_id() -> None:
    one, other = Unit((0, "a\0b"), (0, "c"), 2), Unit((0, "a"), (0, "b\0c"), 2)
    assert one.name != other.name


@given(fleets.filter(lambda fleet: len(fleet) > 1))
def test_halves_of_halves_are_single_assets(fleet: dict[str, int]) -> None:
    cut = Cut(list(fleet), list(fleet.values()))
    (whole,) = cut.units(cut.rows)
    waiting, single = [whole], []
    while waiting:
        unit = waiting.pop(0)
        if unit.assets == 1:
            single.append(unit)
            continue
        halves = list(cut.halves(unit))
        assert sum(half.assets for half in halves) == unit.assets
        assert abs(halves[0].assets - halves[1].assets) <= 1
        assert all(half.meets(unit) for half in halves)
        assert not halves[0].meets(halves[1])
        assert [asset for half in halves for asset in members(cut, half)] == members(cut, unit)
        waiting += halves
    assert sorted(single, key=lambda unit: unit.low) == cut.single()


@given(fleets, ids, st.integers(1, 120))
def test_an_asset_that_is_new_is_in_no_more_than_one_of_the_old_units(
    fleet: dict[str, int], newcomer: str, most_rows: int
) -> None:
    units = Cut(list(fleet), list(fleet.values())).units(most_rows)
    assert sum(unit.holds(key_of(newcomer)) for unit in units) <= 1


@given(fleets, st.integers(1, 120), st.data())
def test_what_grows_is_cut_and_nothing_else(fleet: dict[str, int], most_rows: int, data: st.DataObject) -> None:
    before = Cut(list(fleet), list(fleet.values())).units(most_rows)
    later = {asset: samples + data.draw(st.integers(0, 20)) for asset, samples in fleet.items()}
    after = Cut(list(later), list(later.values())).units(most_rows)
    assert all(any(old.low <= new.low and new.high <= old.high for old in before) for new in after)


def test_a_large_fleet_of_all_ages_is_hardly_cut_anew_in_a_night() -> None:
    rng = random.Random(0)
    fleet = {f"asset {n}": rng.randrange(30, 1_000) for n in range(20_000)}
    before, kept, all_units = set(), [], []
    for night in range(5):
        fleet |= {f"newcomer {night} {n}": 1 for n in range(3)}
        units = set(Cut(list(fleet), list(fleet.values())).units(20_000))
        kept.append(len({(unit.low, unit.high) for unit in units} & before))
        before = {(unit.low, unit.high) for unit in units}
        all_units.append(len(units))
        fleet = {asset: samples + 1 for asset, samples in fleet.items()}
    assert min(all_units) > 4 * 64  # buckets are cut, too
    assert max(all_units) < 2 * sum(fleet.values()) / 20_000
    assert min(kept[1:]) > 0.95 * max(all_units)


def test_no_assets_no_units() -> None:
    cut = Cut([], [])
    assert (cut.units(10), cut.single(), len(cut), cut.rows) == ([], [], 0, 0)


@pytest.mark.parametrize("samples", [[10, 10, 10], [25, 1, 1], [1, 25, 1]])
def test_an_asset_of_more_rows_than_a_unit_stands_alone_or_ends_one(samples: list[int]) -> None:
    units = Cut(["a", "b", "c"], samples).units(9)
    assert sum(unit.assets for unit in units) == 3
