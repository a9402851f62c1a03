"""A run's results on disk: records in the order of the assets; beside them the judged days and the run's facts.

Assets finish in the order in which the store holds them. What each has to say is spooled to a temporary file and laid
out by asset at the end, so that memory holds an index entry an asset and no more.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from anomscan.backtest.asset import AssetScan
from anomscan.backtest.fleet import Failure
from anomscan.backtest.verdicts import Verdict
from anomscan.reports.records import Record, record_line
from anomscan.telemetry.durable import output_errors, replace_file

if TYPE_CHECKING:
    import pyarrow as pa

_DAY = np.dtype([("timestamp", "<i8"), ("score", "<f8"), ("cutoff", "<f8"), ("verdict", "i1"), ("severity", "<f8")])
_ROW_GROUP = 1_000_000
_SPOOL = Path(tempfile.gettempdir())


def scores_path(results: Path) -> Path:
    """Where the scores of a results file lie."""
    return results.with_name(results.name + ".scores.parquet")


def run_path(results: Path) -> Path:
    """Where the facts of the run lie."""
    return results.with_name(results.name + ".run.json")


class ResultsWriter:
    """Gathers results and writes them at the end; until then the old files stay.

    Used as a context manager; nothing is written unless :meth:`write` or :meth:`lines` is called.

    Raises
    ------
    OutputError
        If the disk is full.
    """

    def __init__(self) -> None:
        self._open = ExitStack()
        self._spool: IO[bytes] = self._open.enter_context(tempfile.TemporaryFile(prefix="anomscan-"))
        self._places: dict[str, tuple[int, int, int]] = {}
        self._severity = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # a full disk again; what was spooled is of no more use
            self._open.close()

    def add(self, record: Record, result: AssetScan | Failure) -> None:
        """Keep one asset's record and, where it was scanned, the days judged from a full window."""
        line = record_line(record).encode()
        days = b""
        if isinstance(result, AssetScan):
            days = _judged_days(result)
            self._severity |= result.severity is not None
        with output_errors(_SPOOL):
            self._places[record.asset] = (self._spool.tell(), len(line), len(days))
            self._spool.write(line)
            self._spool.write(days)

    def lines(self) -> Iterator[str]:
        """The records, sorted by asset."""
        for _, line, _ in self._sorted():
            yield line.decode() + "\n"

    def write(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Write the records, the scores and the facts of the run, each whole or not at all, none if the disk is full.

        Raises
        ------
        OutputError
            If one of them cannot be written; its old version stays.
        """
        with (
            replace_file(path) as records,
            replace_file(scores_path(path)) as scores,
            replace_file(run_path(path)) as run,
        ):
            for _, line, _ in self._sorted():
                records.write(line + b"\n")
            self._write_scores(scores)
            run.write((json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())
            # A disk that fills up does so here, before any of the three takes its place: old files stay together.
            for file in (records, scores, run):
                file.flush()

    def _write_scores(self, file: IO[bytes]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema(
            [
                ("asset", pa.string()),
                ("timestamp", pa.timestamp("us")),
                ("score", pa.float64()),
                ("cutoff", pa.float64()),
                ("verdict", pa.string()),
                *([("severity", pa.float64())] if self._severity else []),
            ]
        )
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            held: list[tuple[str, NDArray[np.void]]] = []
            rows = 0
            for asset, _, content in self._sorted():
                days = np.frombuffer(content, _DAY)
                held.append((asset, days))
                rows += len(days)
                if rows >= _ROW_GROUP:
                    writer.write_table(_days_table(held, schema), row_group_size=rows)
                    held, rows = [], 0
            if rows:
                writer.write_table(_days_table(held, schema), row_group_size=rows)

    def _sorted(self) -> Iterator[tuple[str, bytes, bytes]]:
        for asset in sorted(self._places):
            place, line, days = self._places[asset]
            with output_errors(_SPOOL):
                self._spool.seek(place)
                content = self._spool.read(line + days)
            yield asset, content[:line], content[line:]


def _judged_days(result: AssetScan) -> bytes:
    rows = slice(max(result.rows.start, result.full), max(result.rows.stop, result.full))
    days = np.empty(max(rows.stop - rows.start, 0), _DAY)
    days["timestamp"] = result.series.timestamps[rows].astype(np.int64)
    days["score"] = result.score[rows]
    days["cutoff"] = result.judged.cutoff[rows]
    days["verdict"] = result.judged.verdict[rows]
    days["severity"] = np.nan if result.severity is None else result.severity[rows]
    return days.tobytes()


def _days_table(held: Sequence[tuple[str, NDArray[np.void]]], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    from anomscan.telemetry.arrow import to_floats, to_numbers, to_texts

    def texts(codes: NDArray[np.int32], names: Sequence[str]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(to_numbers(codes, pa.int32()), to_texts(names)).dictionary_decode()

    days = np.concatenate([days for _, days in held])
    assets = np.repeat(np.arange(len(held), dtype=np.int32), [len(days) for _, days in held])
    return pa.table(
        [
            texts(assets, [asset for asset, _ in held]),
            to_numbers(days["timestamp"], schema.field("timestamp").type),
            to_floats(days["score"]),
            to_floats(days["cutoff"]),
            texts(days["verdict"].astype(np.int32), [verdict.text for verdict in Verdict]),
            *([to_floats(days["severity"])] if "severity" in schema.names else []),
        ],
        schema=schema,
    )
