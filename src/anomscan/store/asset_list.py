"""Who the assets of a source are, as it was known at any time: one file for each list that differs from the last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from anomscan.errors import StoreError
from anomscan.storage.durable import replace_file
from anomscan.storage.places import Place, files_in, opened
from anomscan.store.snapshot import micros

FOLDER = "assets"
_ASSET, _ARRIVED = "asset", b"arrived_at"

#: Asset -> what is said of it.
AssetList = dict[str, dict[str, str]]


def keep_asset_list(source: Path, assets: Mapping[str, Mapping[str, str]], arrived_at: np.datetime64) -> bool:
    """Keep a list in the store, unless the last one says the same.

    Parameters
    ----------
    source
        The source's folder in the store.
    arrived_at
        datetime64[us], UTC.

    Returns
    -------
    Whether it is new.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = {asset: dict(cells) for asset, cells in sorted(assets.items())}
    lists = _lists(source)
    if lists and _read(source, lists[-1])[1] == rows:
        return False
    number = int(lists[-1].partition(".")[0]) + 1 if lists else 1
    names = sorted({name for cells in rows.values() for name in cells})
    columns = {_ASSET: list(rows), **{name: [cells.get(name) for cells in rows.values()] for name in names}}
    table = pa.table({name: pa.array(texts, pa.string()) for name, texts in columns.items()})
    table = table.replace_schema_metadata({_ARRIVED: str(micros(arrived_at)).encode()})
    with replace_file(source / FOLDER / f"{number:06d}.parquet", follow=False) as out:
        pq.write_table(table, out)
    return True


def read_asset_list(source: Place, as_of: np.datetime64 | None = None) -> AssetList | None:
    """The newest list that had arrived; None if there was none.

    Raises
    ------
    StoreError
        A list is damaged.
    """
    until = micros(as_of)
    for name in reversed(_lists(source)):
        arrived_at, assets = _read(source, name)
        if until is None or arrived_at <= until:
            return assets
    return None


def members_of(assets: AssetList) -> dict[str, str] | None:
    """Asset -> its cohort; None where no asset has one, and all are one cohort."""
    return {asset: cells["cohort"] for asset, cells in assets.items() if "cohort" in cells} or None


def tags_of(cells: Mapping[str, str]) -> frozenset[str]:
    """The tags of an asset, which stand in one cell.

    >>> sorted(tags_of({"tags": "snow; roof,old"}))
    ['old', 'roof', 'snow']
    """
    return frozenset(tag for each in re.split("[,;]", cells.get("tags", "")) if (tag := each.strip()))


def _lists(source: Place) -> list[str]:
    return sorted(name for name in files_in(source / FOLDER) if name.partition(".")[0].isdecimal())


def _read(source: Place, name: str) -> tuple[int, AssetList]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = source / FOLDER / name
    try:
        with opened(path) as file:
            table = pq.read_table(file)
        arrived_at = int(table.schema.metadata[_ARRIVED])
        table = table.cast(pa.schema([(name, pa.string()) for name in table.schema.names]))
        rows = table.to_pylist()
        return arrived_at, {row.pop(_ASSET): {k: text for k, text in row.items() if text is not None} for row in rows}
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        raise StoreError(f"{path} is damaged", hint="delete that file and fetch again") from None
