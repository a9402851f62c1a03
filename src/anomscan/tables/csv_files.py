"""Read a CSV in bounded pieces, by Arrow."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.tables.columns import Piece, check_columns, needed
from anomscan.tables.csv_lines import Lines, check_quotes, header_of, odd_rows
from anomscan.tables.dialects import USUAL, Dialect, cleaned
from anomscan.tables.opening import Stream
from anomscan.tables.salvage import Reject
from anomscan.telemetry import arrow

_BLOCK_BYTES = 1 << 20  # Arrow reads some thirty blocks ahead


def columns_in(path: Path, dialect: Dialect = USUAL) -> list[str]:
    """The names in the header, without the blanks around them.

    Raises
    ------
    InputError
        If there is none.
    """
    return [name.strip() for name in header_of(path, dialect)]


def read_csv(path: Path, columns: Columns, notices: list[str], dialect: Dialect = USUAL) -> Iterator[Piece | Reject]:
    """CSV with a header, fields quoted with ``"`` where needed; ``.gz`` is unpacked.

    Every field is read as text, so ids keep their zeros. Rows whose wanted fields are all empty, and repeated headers,
    are left out. Rows with other numbers of fields than the header come last: those with all wanted fields, and nothing
    beyond the header's, are rows, the others rejects.

    Raises
    ------
    InputError
        Naming the file, and the line where there is one.
    """
    wanted = needed(columns)
    written = header_of(path, dialect)
    # A header may have blanks around its names.
    header = written if set(wanted) <= set(written) else [name.strip() for name in written]
    check_columns(wanted, header, str(path))
    names = [written[header.index(name)] for name in wanted]
    lines = Lines(path, dialect)
    seen = _Seen()
    rows = 0
    try:
        for batch in _batches(path, dialect, names, seen):
            first = rows
            rows += len(batch)
            batch = pa.RecordBatch.from_arrays(batch.columns, names=wanted)
            idle = _no_rows(batch, names)
            if len(idle):
                kept = np.delete(np.arange(len(batch)), idle)
                batch = batch.take(arrow.to_numbers(kept, pa.int64()))
                yield Piece(batch, partial(lines.kept_place, first, kept), signs=dialect.signs)
            else:
                yield Piece(batch, partial(lines.place, first), signs=dialect.signs)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        check_quotes(path, dialect)
        raise InputError(f"{path} cannot be read as CSV: {error}") from None
    # A quote that nobody closed swallows the lines after it, without a word from the parser.
    if seen.quotes and (seen.quotes % 2 or seen.newlines > rows + seen.odd + 1):
        check_quotes(path, dialect)
    if seen.odd:
        yield from odd_rows(path, dialect, header, wanted, whole=seen.last in (b"\n", b"\r"))
    if rows and seen.last not in (b"\n", b"\r", b'"'):
        notices.append(f"{path} does not end with a newline: if it was cut off, its last field is too short")


def _batches(path: Path, dialect: Dialect, names: list[str], seen: _Seen) -> Iterator[pa.RecordBatch]:
    """Rows as wide as the header; where others are met, the file is read again from its start, without them."""
    import pyarrow.csv as pacsv

    given = 0
    for skipping in (False, True):
        seen.begin(skipping)
        past = given
        try:
            with cleaned(path, dialect) as raw:
                for batch in pacsv.open_csv(
                    pa.PythonFile(_Watched(raw, seen), mode="r"),
                    # Without threads the memory is one block, and the order that of the file.
                    read_options=pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                    parse_options=pacsv.ParseOptions(
                        delimiter=dialect.delimiter or ",",
                        newlines_in_values=True,
                        invalid_row_handler=seen.skip if skipping else None,
                    ),
                    convert_options=pacsv.ConvertOptions(
                        include_columns=names, column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                    ),
                ):
                    fresh = batch.slice(min(past, len(batch)))
                    past -= len(batch) - len(fresh)
                    if len(fresh):
                        given += len(fresh)
                        yield fresh
            break
        except pa.ArrowInvalid as error:
            if skipping or not re.search(r"Expected \d+ columns, got \d+", str(error)):
                raise


class _Seen:
    """What passed by of a file."""

    def __init__(self) -> None:
        self.begin(False)

    def begin(self, skipping: bool) -> None:
        """Begin again; ``skipping``: with rows of other widths left out, whose text Arrow wants to be UTF-8."""
        self.last = b""
        self.newlines = self.quotes = self.odd = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")() if skipping else None

    def skip(self, row: object) -> str:
        """Arrow's handler of rows of other widths."""
        self.odd += 1
        return "skip"

    def block(self, block: bytes) -> None:
        """Take note of a block."""
        if self._decoder is not None:
            self._decoder.decode(block, final=not block)
        self.newlines += block.count(b"\n")
        self.quotes += block.count(b'"')
        self.last = block[-1:] or self.last


class _Watched(io.RawIOBase):
    """A stream that tells what passes through it."""

    def __init__(self, stream: Stream, seen: _Seen) -> None:
        self._stream = stream
        self._seen = seen

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._seen.block(block)
        return block


def _no_rows(batch: pa.RecordBatch, names: list[str]) -> NDArray[np.int64]:
    """The places of rows that are empty in all columns, or repeat the header, as it is written."""
    places = []
    for texts in ([""] * len(names), names):
        flags = np.ones(len(batch), bool)
        for column, text in zip(batch.columns, texts, strict=True):
            alike = pc.equal(column, arrow.to_texts([text])[0])
            if not pc.any(alike).as_py():
                break
            flags &= arrow.flags(alike)
        else:
            places.append(np.flatnonzero(flags))
    return np.unique(np.concatenate(places)) if places else np.zeros(0, np.int64)
