"""The verdicts of all assets, as the file of a run's scores has them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from anomscan.errors import InputError
from anomscan.reports.fleet.cells import CODES, NOTHING
from anomscan.reports.fleet.payload import AssetVerdicts

_TEXT = pa.dictionary(pa.int32(), pa.string())
_KINDS = {"asset": _TEXT, "timestamp": pa.timestamp("us"), "verdict": _TEXT}


def verdicts_of(path: Path) -> Iterator[AssetVerdicts]:
    """The judged samples of each asset, in the file's order.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        with pq.ParquetFile(path, read_dictionary=["asset", "verdict"]) as file:
            held: list[AssetVerdicts] = []
            for group in range(file.num_row_groups):
                for judged in _of(file.read_row_group(group, columns=[*_KINDS])):
                    if held and held[0].asset != judged.asset:
                        yield _joined(held)
                        held.clear()
                    held.append(judged)
            if held:
                yield _joined(held)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} cannot be read as scores: {error}", hint="run the scan again to rewrite it") from None


def _of(table: pa.Table) -> Iterator[AssetVerdicts]:
    """The assets of a row group."""
    if table.num_rows == 0:
        return
    for name, kind in _KINDS.items():
        column = table.column(name)
        if column.type != kind or column.null_count:
            raise ValueError(f"its column '{name}' is {column.type}, with {column.null_count} empty cells")
    table = table.combine_chunks().unify_dictionaries()
    assets, verdicts = (table.column(name).combine_chunks() for name in ("asset", "verdict"))
    codes = np.array([CODES.get(name, NOTHING) for name in verdicts.dictionary.to_pylist()], np.uint8)
    codes = codes[verdicts.indices.to_numpy()]
    at = table.column("timestamp").to_numpy()
    owners, names = assets.indices.to_numpy(), assets.dictionary.to_pylist()
    edges = np.append(np.append(0, np.flatnonzero(np.diff(owners)) + 1), len(owners)).tolist()
    for start, stop in itertools.pairwise(edges):
        yield AssetVerdicts(names[owners[start]], at[start:stop], codes[start:stop])


def _joined(held: list[AssetVerdicts]) -> AssetVerdicts:
    if len(held) == 1:
        return held[0]
    return AssetVerdicts(
        held[0].asset, np.concatenate([each.timestamps for each in held]), np.concatenate([each.codes for each in held])
    )
