"""A run's results on disk: records in the order of the assets; beside them the judged days and the run's facts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anomscan.backtest.asset import AssetScan
from anomscan.backtest.fleet import Failure
from anomscan.backtest.verdicts import Verdict
from anomscan.explain.expected import Expected
from anomscan.incidents.explained import Explained
from anomscan.reports.records import Record, record_line
from anomscan.storage.durable import replace_file
from anomscan.storage.untrusted import parse_json, read_regular
from anomscan.telemetry.series import Floats

if TYPE_CHECKING:
    import pyarrow as pa

_DAY = [("timestamp", "<i8"), ("score", "<f8"), ("cutoff", "<f8"), ("verdict", "i1")]
_VERDICTS = {verdict.text: verdict for verdict in Verdict}
#: Numbers of a row group, whatever the columns: memory holds one.
_ROW_GROUP = 5_000_000
#: What the scores say of each variable beside the detector's columns: the first part of the column's name.
_EXPECTED = ("expected", "low", "high", "median")
#: Rows that are read at a time where many files are read side by side, and how such a file is written.
_BATCH = 4_096
_SCRATCH = {"compression": "lz4", "use_dictionary": ["asset", "verdict"], "write_statistics": False}


def scores_path(results: Path) -> Path:
    """Where the scores of a results file lie."""
    return results.with_name(results.name + ".scores.parquet")


def run_path(results: Path) -> Path:
    """Where the facts of the run lie."""
    return results.with_name(results.name + ".run.json")


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """One asset's result as bytes.

    Parameters
    ----------
    asset
        Its id.
    line
        Its record, one line of JSON without the line break.
    days
        The days reported and judged from a full window.
    columns
        What ``days`` have beside score, cut-off and verdict: what the detector gives, and what was expected.
    """

    asset: str
    line: bytes
    days: bytes
    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, record: Record, explained: Explained, columns: Sequence[str]) -> EncodedRecord:
        """Encode a record and the result that it is about.

        Parameters
        ----------
        columns
            Those of the run. What there is nothing of is NaN.
        """
        line = record_line(record).encode()
        if isinstance(explained.result, Failure):
            return cls(record.asset, line, b"")
        days = _judged_days(explained.result, explained.expected, columns)
        return cls(record.asset, line, days.tobytes(), tuple(columns))

    @property
    def judged(self) -> NDArray[np.void]:
        """(n,) the days as a table: timestamp (int64, microseconds since 1970), score, cutoff, verdict, ``columns``."""
        return np.frombuffer(self.days, _day(self.columns))

    @property
    def severities(self) -> list[float | None]:
        """Of its anomalies, in the order of the record; None if the detector gives none."""
        days = self.judged[self.judged["verdict"] == Verdict.ANOMALOUS]
        return days["severity"].tolist() if "severity" in self.columns else [None] * len(days)


def expected_columns(variables: Iterable[str], *, peers: bool) -> tuple[str, ...]:
    """The columns of what was expected of each variable.

    >>> expected_columns(["power"], peers=True)
    ('expected_power', 'low_power', 'high_power', 'median_power')
    """
    kinds = _EXPECTED if peers else _EXPECTED[:-1]
    return tuple(f"{kind}_{variable}" for variable in variables for kind in kinds)


def is_expected(column: str) -> bool:
    """Whether a column says what was expected, rather than what a detector gave."""
    return column.startswith(tuple(f"{kind}_" for kind in _EXPECTED))


def write_results(
    path: Path, results: Iterable[EncodedRecord], facts: Mapping[str, Any], *, columns: Sequence[str]
) -> None:
    """Write the records, the scores and the facts of a run, each whole or not at all, and none if the disk is full.

    Nobody else writes them meanwhile.

    Parameters
    ----------
    path
        Of the records; the others lie beside them. Beside a device or a pipe nothing is laid.
    results
        All results, sorted by asset.
    facts
        What JSON can say.
    columns
        Further columns of the scores, as the results have them.

    Raises
    ------
    OutputError
        If one of them cannot be written; its old version stays.
    """
    if path.exists() and not path.is_file():
        with replace_file(path) as records:
            records.writelines(each.line + b"\n" for each in results)
        return
    with (
        replace_file(path, follow=False) as records,
        replace_file(scores_path(path), follow=False) as scores,
        replace_file(run_path(path), follow=False) as run,
    ):
        digest = hashlib.sha256()
        write_scores(scores, written(results, records.write, digest.update), columns)
        facts = {**facts, "records_sha256": digest.hexdigest()}
        run.write((json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())
        # If the disk is full it shows here, before any of the three is renamed: the old files stay together.
        for file in (records, scores, run):
            file.flush()


def is_result_of(path: Path, run: str) -> bool:
    """Whether a file holds the records of a run, as the fact ``run`` names it, and as they were written."""
    try:
        facts = parse_json(read_regular(run_path(path)))
        if facts["run"] != run or not scores_path(path).is_file():
            return False
        with path.open("rb") as file:
            return bool(hashlib.file_digest(file, "sha256").hexdigest() == facts["records_sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def written(results: Iterable[EncodedRecord], *sinks: Callable[[bytes], object]) -> Iterator[EncodedRecord]:
    """Pass the results on, and give the record of each, with its line break, to some functions."""
    for each in results:
        for sink in sinks:
            sink(each.line + b"\n")
        yield each


def write_scores(
    file: IO[bytes],
    results: Iterable[EncodedRecord],
    columns: Sequence[str],
    *,
    scratch: bool = False,
) -> None:
    """Write the judged days of some results as Parquet.

    Parameters
    ----------
    file
        Open for writing.
    results
        In the order in which their days are written.
    columns
        Further columns, as the results have them.
    scratch
        Whether the file is soon read back by :func:`read_days`: quickly written, of small row groups.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [
            ("asset", text),
            ("timestamp", pa.timestamp("us")),
            ("score", pa.float64()),
            ("cutoff", pa.float64()),
            ("verdict", text),
            *((name, pa.float64()) for name in columns),
        ]
    )
    # Texts are passed as dictionaries; without the Arrow schema, readers of the file see plain texts.
    options = _SCRATCH if scratch else {"compression": "zstd"}
    with pq.ParquetWriter(file, schema, store_schema=False, **options) as writer:
        held: list[EncodedRecord] = []
        rows, most = 0, _ROW_GROUP // len(schema)
        for each in results:
            held.append(each)
            rows += len(each.judged)
            if rows >= most:
                writer.write_table(_days_table(held, schema, columns), row_group_size=_BATCH if scratch else rows)
                held, rows = [], 0
        if rows:
            writer.write_table(_days_table(held, schema, columns), row_group_size=_BATCH if scratch else rows)


def read_days(file: IO[bytes], counts: Iterable[int], columns: Sequence[str]) -> Iterator[bytes]:
    """The judged days that :func:`write_scores` wrote, as :class:`EncodedRecord` has them, one result after another.

    Parameters
    ----------
    file
        Open for reading. Memory holds a row group of it.
    counts
        How many days each result has.
    columns
        As they were written.

    Raises
    ------
    ValueError
        If there are fewer, or they are something else.
    pyarrow.ArrowException
        If the file is damaged.
    """
    import pyarrow.parquet as pq

    kind = _day(columns)
    parquet = pq.ParquetFile(file, read_dictionary=["verdict"])
    batches = parquet.iter_batches(_BATCH, columns=list(kind.names or ()), use_threads=False)
    held = np.empty(0, kind)
    for count in counts:
        while len(held) < count:
            batch = next(batches, None)
            if batch is None:
                raise ValueError("there are fewer days than results have")
            held = np.concatenate([held, _from_batch(batch, kind)])
        yield held[:count].tobytes()
        held = held[count:]


def _day(columns: Iterable[str]) -> np.dtype[np.void]:
    return np.dtype([*_DAY, *((name, "<f8") for name in columns)])


def _judged_days(result: AssetScan, due: Expected | None, columns: Sequence[str]) -> NDArray[np.void]:
    rows = slice(max(result.rows.start, result.full), max(result.rows.stop, result.full))
    days = np.empty(max(rows.stop - rows.start, 0), _day(columns))
    part = slice(rows.start - result.rows.start, None)
    days["timestamp"] = result.series.timestamps[rows].astype(np.int64)
    days["score"] = result.score[part]
    days["cutoff"] = result.judged.cutoff[part]
    days["verdict"] = result.judged.verdict[part]
    expected = {} if due is None else _named(due, result.series.variables)
    for name in columns:
        if name in result.columns:
            days[name] = result.columns[name][part]
        else:
            days[name] = expected[name][rows] if name in expected else np.nan
    return days


def _named(due: Expected, variables: Sequence[str]) -> dict[str, Floats]:
    """What was expected, by the names of the columns; (n,) float64 each."""
    kinds = {kind: getattr(due, kind) for kind in _EXPECTED}
    return {
        f"{kind}_{variable}": values[:, place]
        for kind, values in kinds.items()
        if values is not None
        for place, variable in enumerate(variables)
    }


def _days_table(held: Sequence[EncodedRecord], schema: pa.Schema, columns: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    from anomscan.telemetry.arrow import to_codes, to_floats, to_numbers

    # An asset that failed has no days, and its columns are not known.
    days = np.frombuffer(b"".join(each.days for each in held), _day(columns))
    assets = np.repeat(np.arange(len(held), dtype=np.int32), [len(each.judged) for each in held])
    return pa.table(
        [
            to_codes(assets, [each.asset for each in held]),
            to_numbers(days["timestamp"], schema.field("timestamp").type),
            to_floats(days["score"]),
            to_floats(days["cutoff"]),
            to_codes(days["verdict"].astype(np.int32), [verdict.text for verdict in Verdict]),
            *(to_floats(days[name]) for name in columns),
        ],
        schema=schema,
    )


def _from_batch(batch: pa.RecordBatch, kind: np.dtype[np.void]) -> NDArray[np.void]:
    import pyarrow as pa

    from anomscan.telemetry.arrow import codes, floats, numbers

    table = pa.Table.from_batches([batch])
    days = np.empty(len(batch), kind)
    for name in kind.names or ():
        if name == "timestamp":
            days[name] = numbers(table.column(name), "int64")
        elif name == "verdict":
            places, texts = codes(table.column(name))
            days[name] = np.array([_VERDICTS[text] for text in texts], np.int8)[places]
        else:
            days[name] = floats(table.column(name))
    return days
