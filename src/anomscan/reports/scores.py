"""The scores that a scan left beside its records, read back asset by asset."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from anomscan.errors import InputError
from anomscan.storage.untrusted import check_regular
from anomscan.telemetry.series import Floats, Instants

_SCHEMA = pa.schema(
    [
        ("asset", pa.string()),
        ("timestamp", pa.timestamp("us")),
        ("score", pa.float64()),
        ("cutoff", pa.float64()),
        ("verdict", pa.string()),
    ]
)
#: Years 1 to 9999: what a clock can say, and what has a difference.
_EARLIEST, _LATEST = np.array(["0001-01-01", "9999-12-31"], "datetime64[us]")
#: What a file of another form leads to.
_UNUSABLE = (pa.ArrowException, OSError, KeyError, ValueError, TypeError)


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """One asset's scores.

    Parameters
    ----------
    asset
        The asset's id.
    timestamps
        (n,) datetime64[us], UTC, strictly increasing: the last sample of each shingle.
    score, cutoff
        (n,) float64; NaN where there is none.
    verdicts
        The n verdicts, as in the record.
    columns
        By name (n,) float64, NaN where there is none: what the run's detector gave beside the score.
    """

    asset: str
    timestamps: Instants
    score: Floats
    cutoff: Floats
    verdicts: tuple[str, ...]
    columns: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def severity(self) -> Floats | None:
        """(n,) float64; None if the run's detector gives none."""
        return self.columns.get("severity")


class ScoreFile:
    """A scores file, opened once and read asset by asset.

    The row group read last is kept: asked in the file's own order, each is read once, and memory holds one of them.

    Parameters
    ----------
    path
        ``FILE.scores.parquet``.

    Raises
    ------
    InputError
        If it is not there, is not Parquet (or is cut off), or lacks a column.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            check_regular(path)
            columns = pq.read_schema(path).names
            if missing := [name for name in _SCHEMA.names if name not in columns]:
                raise InputError(
                    f"{path} has no column '{missing[0]}'", hint="name the file that scan wrote beside its results"
                )
            self._file = pq.ParquetFile(path, read_dictionary=["asset", "verdict"])
            further = [name for name in columns if name not in _SCHEMA.names]
            self._schema = pa.unify_schemas([_SCHEMA, pa.schema([(name, pa.float64()) for name in further])])
        except _UNUSABLE as error:
            raise self._unusable(error) from None
        self._bounds: dict[int, tuple[str, str]] = {}
        self._held: tuple[int, pa.Table, dict[str, list[slice]]] | None = None

    def of(self, asset: str) -> ScoreTable | None:
        """The scores of one asset; None if the file has none.

        Raises
        ------
        InputError
            If the file is damaged, a column is of another type, or the asset's samples are not in the order of time.
        """
        try:
            table = pa.concat_tables(self._pieces(asset), promote_options="permissive").cast(self._schema)
            _check(asset, table)
        except _UNUSABLE as error:
            raise self._unusable(error) from None
        if table.num_rows == 0:
            return None
        return ScoreTable(
            asset=asset,
            timestamps=table.column("timestamp").to_numpy(),
            score=table.column("score").to_numpy(),
            cutoff=table.column("cutoff").to_numpy(),
            verdicts=tuple(table.column("verdict").to_pylist()),
            columns={name: table.column(name).to_numpy() for name in self._schema.names[len(_SCHEMA) :]},
        )

    def _pieces(self, asset: str) -> Iterator[pa.Table]:
        yield self._file.schema_arrow.empty_table().select(self._schema.names)
        for group in range(self._file.num_row_groups):
            if self._may_hold(group, asset):
                table, places = self._read(group)
                for place in places.get(asset, []):
                    yield table.slice(place.start, place.stop - place.start)

    def _may_hold(self, group: int, asset: str) -> bool:
        if group not in self._bounds:
            # Not by the statistics in the file: pyarrow ends the process where they are broken.
            (column,) = self._file.read_row_group(group, columns=["asset"]).columns
            known = pc.min_max(column.cast(pa.string())).as_py()
            self._bounds[group] = known["min"] or "", known["max"] or ""
        first, last = self._bounds[group]
        return first <= asset <= last

    def _read(self, group: int) -> tuple[pa.Table, dict[str, list[slice]]]:
        if self._held is None or self._held[0] != group:
            self._held = None
            table = self._file.read_row_group(group, columns=self._schema.names).combine_chunks()
            assets = table.column("asset").combine_chunks()
            if not pa.types.is_dictionary(assets.type):
                assets = assets.cast(pa.string()).dictionary_encode()
            self._held = (group, table, _places(assets))
        return self._held[1:]

    def _unusable(self, error: Exception) -> InputError:
        return InputError(f"{self.path} cannot be read as scores: {error}", hint="run the scan again to rewrite it")


def _check(asset: str, table: pa.Table) -> None:
    if table.column("timestamp").null_count or table.column("verdict").null_count:
        raise ValueError(f"a sample of asset '{asset}' has no timestamp or no verdict")
    timestamps = table.column("timestamp").to_numpy()
    if len(timestamps) and not (timestamps.min() >= _EARLIEST and timestamps.max() <= _LATEST):
        raise ValueError(f"asset '{asset}' has a timestamp out of range")
    if not (np.diff(timestamps) > np.timedelta64(0, "us")).all():
        raise ValueError(f"the samples of asset '{asset}' are not in the order of time")


def _places(assets: pa.DictionaryArray) -> dict[str, list[slice]]:
    """Where each asset's rows lie."""
    codes = assets.indices.to_numpy()
    names = assets.dictionary.to_pylist()
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    places: dict[str, list[slice]] = {}
    for start, stop in itertools.pairwise(edges):
        if stop > start:
            places.setdefault(names[codes[start]], []).append(slice(start, stop))
    return places
