"""The use case behind ``store export``: the store's samples as one file for other programs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import numpy as np

from anomscan.errors import StoreError
from anomscan.storage.durable import replace_file
from anomscan.store.snapshot import AwayError, Snapshot
from anomscan.tables.csv_cells import csv_row
from anomscan.telemetry.series import Series

if TYPE_CHECKING:
    import pyarrow as pa

ExportFormat = Literal["csv", "parquet"]
_ROWS = 1 << 18


def export(
    snapshot: Snapshot,
    output: Path,
    format_: ExportFormat,
    *,
    assets: Collection[str] | None = None,
    as_of: np.datetime64 | None = None,
) -> tuple[int, int]:
    """Write each sample in its latest revision as a row: asset, timestamp (UTC), the variables, health.

    Parameters
    ----------
    output
        The file. Assets follow one another in the store's order, each in the order of time.
    format_
        CSV quotes texts, leaves missing values empty, and puts a single quote before what a spreadsheet would take for
        a formula; Parquet has them as they are.
    assets
        Ids; None for all.
    as_of
        Only what had arrived by then, in the revision that was known then.

    Returns
    -------
    How many assets and samples.

    Raises
    ------
    OutputError
        If the file cannot be written; the old one stays.
    StoreError
        If the store is damaged, or another run changed its files meanwhile.
    """
    write = _write_csv if format_ == "csv" else _write_parquet
    try:
        with replace_file(output) as file:
            return write(file, snapshot, _wanted(snapshot, assets, as_of))
    except AwayError:
        raise StoreError("the store was rewritten meanwhile", hint="export it again") from None


def _wanted(snapshot: Snapshot, assets: Collection[str] | None, as_of: np.datetime64 | None) -> Iterator[Series]:
    for block in snapshot.stream(_ROWS, as_of=as_of):
        yield from (series for series in block if assets is None or series.asset in assets)


def _write_csv(file: IO[bytes], snapshot: Snapshot, wanted: Iterator[Series]) -> tuple[int, int]:
    variables = snapshot.layout.variables
    file.write(csv_row(["asset", "timestamp", *variables, "health"]).encode())
    assets = rows = 0
    for series in wanted:
        assets, rows = assets + 1, rows + len(series)
        for row, (at, values) in enumerate(zip(series.timestamps, series.values.tolist(), strict=True)):
            known = (value if np.isfinite(value) else None for value in values)
            line = csv_row([series.asset, series.cadence.text(at), *known, series.health(row)])
            file.write(line.encode())
    return assets, rows


def _write_parquet(file: IO[bytes], snapshot: Snapshot, wanted: Iterator[Series]) -> tuple[int, int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    variables = snapshot.layout.variables
    fields = [("asset", pa.string()), ("timestamp", pa.timestamp("us", "UTC"))]
    schema = pa.schema([*fields, *((name, pa.float64()) for name in variables), ("health", pa.string())])
    assets = rows = held = 0
    tables: list[pa.Table] = []
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for series in wanted:
            tables.append(_table(series, schema))
            assets, rows, held = assets + 1, rows + len(series), held + len(series)
            if held >= _ROWS:
                writer.write_table(pa.concat_tables(tables))
                tables, held = [], 0
        if tables:
            writer.write_table(pa.concat_tables(tables))
    return assets, rows


def _table(series: Series, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    health = [series.health(row) for row in range(len(series))]
    values = [pa.array(series.values[:, place], from_pandas=True) for place in range(len(series.variables))]
    columns = [pa.array([series.asset] * len(series), pa.string()), pa.array(series.timestamps), *values]
    columns[1] = columns[1].cast(schema.field("timestamp").type)
    return pa.table([*columns, pa.array(health, pa.string())], schema=schema)
