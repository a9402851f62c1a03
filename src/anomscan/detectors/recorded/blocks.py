"""A file of scores block by block: fast, but it leaves any doubtful file to the line-by-line readers."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomscan.detectors.recorded.lines import csv_places, unreadable
from anomscan.detectors.recorded.rows import EMPTY, Rows, micros
from anomscan.telemetry import arrow

_BLOCK_BYTES = 1 << 20
_CODED = pa.dictionary(pa.int32(), pa.string())
_NONE = [*{case(text) for text, case in product(EMPTY, (str.lower, str.upper, str.title))}, "NaN", "-nan"]
_FEW = 4096
_FIRST, _LAST = micros("0001-01-01"), micros("9999-12-31T23:59:59.999999")


class DoubtError(Exception):
    """Something may be wrong with a file."""


def csv_blocks(path: Path) -> Iterator[Rows]:
    """The rows of a CSV with a header.

    Raises
    ------
    InputError
        If the file cannot be opened or lacks a column.
    DoubtError
        If there may be something wrong with it, or it is merely unusual.
    """
    import pyarrow.csv as pacsv

    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            names = [f"f{place}" for place in csv_places(path, csv.reader(text))[1]]
        with path.open("rb") as file:
            stream = _Watched(file)
            rows = 0
            for batch in pacsv.open_csv(
                pa.PythonFile(stream, mode="r"),
                read_options=pacsv.ReadOptions(
                    # The header has been read, and may have a name twice, so columns go by number.
                    autogenerate_column_names=True,
                    skip_rows_after_names=1,
                    # Without threads memory holds a block or two, in the order of the file.
                    use_threads=False,
                    block_size=_BLOCK_BYTES,
                ),
                parse_options=pacsv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
                convert_options=pacsv.ConvertOptions(
                    include_columns=names,
                    column_types=dict(zip(names, (_CODED, _CODED, pa.float64()), strict=True)),
                    null_values=_NONE,
                    strings_can_be_null=False,
                ),
            ):
                rows += len(batch)
                # Arrow takes more texts for NaN than Python does.
                yield _rows(*batch.columns, nan=False)
            stream.check(rows)
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, pa.ArrowException, csv.Error) as error:
        raise DoubtError from error


def json_blocks(path: Path) -> Iterator[Rows]:
    """The objects of JSON lines.

    Raises
    ------
    InputError
        If the file cannot be opened.
    DoubtError
        If there may be something wrong with it, or it is merely unusual.
    """
    try:
        with path.open("rb") as file:
            while block := file.readlines(_BLOCK_BYTES):
                lines = [line for line in block if not line.isspace()]
                if lines:
                    yield _objects(lines)
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, pa.ArrowException) as error:
        raise DoubtError from error


def _objects(lines: list[bytes]) -> Rows:
    text = b"".join(lines)
    text.decode()
    if text.count(b"\r") != text.count(b"\r\n"):
        raise ValueError("a line may end within an object")
    try:
        table = _parsed(text, pa.string())
    except pa.ArrowInvalid:
        table = _parsed(text, pa.int64())
    if len(table) != len(lines):
        raise ValueError("expected one object per line")
    assets, timestamps, scores = (column.combine_chunks() for column in table.columns)
    rows = _rows(assets.cast(pa.string()).dictionary_encode(), timestamps.dictionary_encode(), scores, nan=True)
    # To Arrow a null score and a missing score are the same.
    for place in np.flatnonzero(np.isnan(rows.scores)).tolist():
        if "score" not in json.loads(lines[place]):
            raise ValueError("no score")
    return rows


def _parsed(text: bytes, ids: pa.DataType) -> pa.Table:
    import pyarrow.json as pajson

    schema = pa.schema([("asset", ids), ("timestamp", pa.string()), ("score", pa.float64())])
    return pajson.read_json(
        pa.BufferReader(text),
        pajson.ReadOptions(use_threads=False, block_size=len(text)),
        pajson.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    )


def _rows(assets: pa.DictionaryArray, timestamps: pa.DictionaryArray, scores: pa.Array, *, nan: bool) -> Rows:
    if assets.null_count or timestamps.null_count:
        raise ValueError("no asset, or no timestamp")
    codes, names = arrow.codes(pa.chunked_array([assets]))
    instants, _ = arrow.codes(pa.chunked_array([timestamps]))
    values = arrow.floats(pa.chunked_array([scores]))
    if np.isinf(values).any():
        raise ValueError("a score is infinite")
    if not nan and np.count_nonzero(np.isnan(values)) != scores.null_count:
        raise ValueError("a score may not be a number")
    return Rows(names, codes, _micros(timestamps.dictionary)[instants], values)


def _micros(texts: pa.Array) -> NDArray[np.int64]:
    """(n,) int64: what each text says, in microseconds since 1970, UTC."""
    # Importing Arrow's functions takes longer than reading a few texts, or the same ones again.
    for kind in () if len(texts) <= _FEW else (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            column = texts.cast(kind)
        except pa.ArrowInvalid:
            continue
        instants: NDArray[np.int64] = arrow.numbers(pa.chunked_array([column]), "int64")
        if ((instants < _FIRST) | (instants > _LAST)).any():
            raise ValueError("a timestamp is outside the years 1 to 9999")
        return instants
    return np.array([micros(text) for text in texts.to_pylist()], np.int64)


class _Watched(io.RawIOBase):
    """A stream of text that notes what Arrow does not report."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._quotes = 0
        self._newlines = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._decoder.decode(block, not block)
        self._quotes += block.count(b'"')
        self._newlines += block.count(b"\n")
        return block

    def check(self, rows: int) -> None:
        """Raise ValueError if an unclosed quote may have swallowed what follows it."""
        if self._quotes and (self._quotes % 2 or self._newlines > rows + 1):
            raise ValueError("a quoted field may not end")
