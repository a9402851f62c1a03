"""Stores that somebody changed: refused in one line, before anything is read elsewhere or does not end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from anomscan.errors import StoreError
from anomscan.store.block import bucket_of
from anomscan.store.store import Store
from fleets import put


@pytest.fixture
def store(tmp_path):
    made = Store.create(tmp_path / "store")
    put(made, {(asset, day): ([float(day)], None) for asset in ("a", "b", "c") for day in range(20)}, 30)
    return made


def everything(store: Store) -> list[str]:
    store.last_timestamps("fleet")
    return [series.asset for chunk in store.snapshot("fleet").stream() for series in chunk]


def refused(store: Store, why: str) -> None:
    with pytest.raises(StoreError, match=why):
        everything(Store(store.path))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("variables", []),
        ("variables", ["x", "x"]),
        ("variables", "x"),
        ("sequence", 2**60),
        ("sequence", True),
        ("roster", "../roster/roster-000001.parquet"),
        ("roster", "/etc/passwd"),
        ("roster", "roster/../../x.parquet"),
        ("cadence", 1),
        ("files", {}),
    ],
)
def test_what_a_manifest_cannot_say_is_damage(store, name, value):
    path = store.path / "fleet" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    refused(store, "manifest.json is damaged")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "../../secret.parquet"),
        ("name", "/dev/stdin.parquet"),
        ("name", "batch-000001.parquet\n"),
        ("rows", [2**63]),
        ("rows", [2**52] * 64),
        ("rows", [0]),
        ("rows", "1"),
        ("earliest", 2**63),
        ("earliest", "0"),
        ("latest", -1),
        ("latest", 1e300),
    ],
)
def test_what_a_file_of_a_manifest_cannot_be_is_damage(store, name, value):
    path = store.path / "fleet" / "manifest.json"
    document = json.loads(path.read_text())
    document["files"][0][name] = value
    path.write_text(json.dumps(document))
    refused(store, "manifest.json is damaged")


def test_a_file_that_is_listed_twice_is_damage(store):
    path = store.path / "fleet" / "manifest.json"
    document = json.loads(path.read_text())
    document["files"] *= 2
    path.write_text(json.dumps(document))
    refused(store, "manifest.json is damaged")


def rewritten(store: Store, pattern: str, change) -> None:
    (path,) = (store.path / "fleet").glob(pattern)
    pq.write_table(change(pq.read_table(path)), path, store_schema=False)


def test_rows_that_are_out_of_order_are_damage(store):
    rewritten(store, "batch-*.parquet", lambda rows: rows.take(list(range(len(rows)))[::-1]))
    refused(store, r"batch-.*\.parquet is damaged: its rows are out of order")


def test_rows_beyond_the_times_of_their_file_are_damage(store):
    path = store.path / "fleet" / "manifest.json"
    document = json.loads(path.read_text())
    document["files"][0]["earliest"] += 1
    path.write_text(json.dumps(document))
    refused(store, "a timestamp lies outside the times that the manifest says")


def test_the_roster_and_the_rows_are_of_each_other(store):
    path = store.path / "fleet" / "roster"
    whole = {each: each.read_bytes() for each in path.iterdir()}
    unfit = "it does not fit the rows in the store"
    changes = [
        (unfit, lambda rows: rows.take([0, 2])),
        (unfit, lambda rows: rows.slice(0, 0)),
        (unfit, lambda rows: rows.set_column(1, "samples", [[2**40] * 3])),
        (unfit, lambda rows: rows.set_column(2, "last", [[0] * 3])),
        ("its assets are not in order", lambda rows: rows.take([0, 0, 1, 2])),
        ("it has a negative count", lambda rows: rows.set_column(1, "samples", [[-1] * 3])),
        ("it has other columns than a roster", lambda rows: rows.drop_columns("last")),
    ]
    for why, change in changes:
        rewritten(store, "roster/*.parquet", change)
        refused(store, f"damaged: {why}")
        for each, content in whole.items():
            each.write_bytes(content)
    assert sorted(everything(store)) == ["a", "b", "c"]


def test_an_asset_that_only_the_rows_have_is_told(tmp_path):
    """Whichever of the assets of a bucket it is, between two others."""
    names = [name for name in map("asset {}".format, range(400)) if bucket_of(name) == 7][:3]
    store = Store.create(tmp_path / "store")
    put(store, {(asset, day): ([float(day)], None) for asset in names for day in range(20)}, 30)
    rewritten(store, "roster/*.parquet", lambda rows: rows.take([0, 2]))
    refused(store, r"its roster lists 2 assets from 'asset \d+' to 'asset \d+', its files hold 3")


@pytest.mark.parametrize("pattern", ["manifest.json", "batch-*.parquet", "roster/*.parquet"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(store, pattern):
    (path,) = (store.path / "fleet").glob(pattern)
    path.unlink()
    os.mkfifo(path)
    refused(store, "it is not a regular file")


def test_a_pipe_in_the_place_of_the_store_is_no_store(tmp_path: Path):
    os.mkfifo(tmp_path / "store")
    with pytest.raises(StoreError, match="is not a folder"):
        Store.create(tmp_path / "store")
    with pytest.raises(StoreError, match="there is no telemetry in"):
        Store.open(tmp_path / "store")
