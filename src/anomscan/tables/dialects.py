"""How a table is written, and a CSV without what makes it hard to read."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from anomscan.errors import InputError
from anomscan.tables.opening import Stream, opened
from anomscan.tables.values import Signs

_BLOCK_BYTES = 1 << 20
#: What else stands for a mark between thousands.
_MARKS = {
    " ": "[ \N{NO-BREAK SPACE}\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}]",
    "'": "['\N{RIGHT SINGLE QUOTATION MARK}]",
}
_SIGN = "[+\N{MINUS SIGN}-]?"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written; what is None is found out by :mod:`anomscan.tables.sniffing`, or not there.

    Parameters
    ----------
    delimiter, decimal, thousands, encoding, comment
        As in the settings.
    skip_rows
        Lines that are left out, counted from 1.
    units_row
        Whether the row after the header holds units.
    sheet
        Of a workbook.
    other_sheets
        Those that have the columns, too, and are not read.
    header_line, units_line
        The lines of the header and of the row of units, counted from 1; 0 for none.
    doubt
        A number that may be meant otherwise, as 1.234.
    old_line_ends
        Whether lines end with CR, as they once did on the Macintosh.
    spaced
        Whether blanks stand between a delimiter and a quote.
    trailing
        Delimiters at the end of the rows that the header lacks.
    """

    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    comment: str | None = None
    skip_rows: tuple[int, ...] = ()
    units_row: bool | None = None
    sheet: str | None = None
    header_line: int = 1
    units_line: int = 0
    doubt: str | None = None
    old_line_ends: bool = False
    spaced: bool = False
    trailing: int = 0
    other_sheets: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether the bytes of the file need no change: UTF-8, with no lines to leave out."""
        lines = self.skip_rows or self.comment or self.header_line > 1 or self.units_line
        return self.encoding == "utf-8" and not (lines or self.old_line_ends or self.spaced or self.trailing)

    @property
    def signs(self) -> Signs | None:
        """Makes plain numbers of text with the signs of this dialect; None where they are plain."""
        return self._plain_numbers if self.decimal == "," or self.thousands else None

    def _plain_numbers(self, texts: pa.Array) -> pa.Array:
        if self.thousands:
            mark, sign = _MARKS.get(self.thousands, re.escape(self.thousands)), re.escape(self.decimal or ".")
            pattern = rf"^{_SIGN}\d{{1,3}}({mark}\d{{3}})+({sign}\d*)?([eE][+-]?\d+)?-?$"
            grouped = pc.match_substring_regex(texts, pattern)
            texts = pc.if_else(grouped, pc.replace_substring_regex(texts, mark, ""), texts)
        if self.decimal == ",":
            texts = pc.replace_substring(pc.replace_substring(texts, ".", ";"), ",", ".")
        return texts

    def found_beside(self, said: Dialect) -> str:
        """What was found out, in words; empty where the file is as most are."""
        found = []
        if said.delimiter is None and self.delimiter not in (None, ","):
            found.append(f"delimiter = {self.delimiter!r}".replace("'", '"'))
        usual = {"decimal": ".", "thousands": None, "encoding": "utf-8", "comment": None, "sheet": None}
        beside = [name for name in usual if getattr(said, name) is None]
        named = {name: getattr(self, name) for name in beside if getattr(self, name) not in (None, usual[name])}
        found += [f'{name} = "{value}"' for name, value in named.items()]
        if self.header_line > 1 and not said.skip_rows and self.comment is None:
            found.append(f"a header in line {self.header_line}")
        if said.units_row is None and self.units_row:
            found.append("units_row = true")
        if self.other_sheets:
            found.append(f"not sheet {', '.join(map(repr, self.other_sheets))}, which has the columns, too")
        if self.doubt is not None:
            found.append(f'decimal = ".", so that {self.doubt} is less than a thousand')
        if self.old_line_ends:
            found.append("lines that end with CR")
        return ", ".join(found)


#: Commas, UTF-8, and every line a row.
USUAL = Dialect(",", ".", encoding="utf-8")


@contextmanager
def cleaned(path: Path, dialect: Dialect) -> Iterator[Stream]:
    """The file as UTF-8; lines that are not rows are empty, so that the others keep their numbers.

    Raises
    ------
    InputError
        The file cannot be read, or is of another encoding.
    """
    with opened(path) as raw:
        if dialect.plain:
            yield raw
            return
        try:
            blocks = _lines(_decoded(raw, dialect), dialect)
            lines = _Chunks(_respelled(path, blocks, dialect) if dialect.spaced else blocks)
            with cast("io.BufferedReader", io.BufferedReader(lines, _BLOCK_BYTES)) as stream:
                yield stream
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not text in {dialect.encoding}: {error}", hint="set encoding") from None


def _decoded(raw: Stream, dialect: Dialect) -> Iterator[bytes]:
    blocks = iter(lambda: raw.read(_BLOCK_BYTES), b"")
    if dialect.encoding not in (None, "utf-8"):
        blocks = (text.encode() for text in codecs.iterdecode(blocks, str(dialect.encoding)))
    return (block.replace(b"\r", b"\n") for block in blocks) if dialect.old_line_ends else blocks


def _respelled(path: Path, blocks: Iterator[bytes], dialect: Dialect) -> Iterator[bytes]:
    """The rows without the blanks after delimiters, each in as many lines as before."""
    delimiter = dialect.delimiter or ","
    with io.TextIOWrapper(io.BufferedReader(_Chunks(blocks), _BLOCK_BYTES), "utf-8-sig", newline="") as text:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
        # Strictly: a quote that does not end would swallow rows here, and be closed for those who read on.
        reader = csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=True)
        line = 1
        try:
            for row in reader:
                writer.writerow(row)
                line = reader.line_num + 1
                if out.tell() > _BLOCK_BYTES:
                    yield out.getvalue().encode()
                    out.seek(0)
                    out.truncate()
        except csv.Error as error:
            raise InputError(
                f"{path} line {line}: {error}", hint="a quoted field does not end there, or is broken"
            ) from None
        yield out.getvalue().encode()


def _lines(blocks: Iterator[bytes], dialect: Dialect) -> Iterator[bytes]:
    """The blocks, with the lines emptied that are not rows, and the header as wide as the rows.

    A line within quotes is left as it is.
    """
    comment = dialect.comment.encode() if dialect.comment else None
    trailing = (dialect.delimiter or ",").encode() * dialect.trailing
    last = max((dialect.header_line - (not trailing), dialect.units_line, *dialect.skip_rows))
    out = {dialect.units_line, *dialect.skip_rows}
    number, quoted, rest = 0, False, b""
    for block in blocks:
        if comment is None and number >= last and not rest:
            yield block
            continue
        *lines, rest = (rest + block).split(b"\n")
        kept = []
        for line in lines:
            number += 1
            begins = number < dialect.header_line or number in out
            if begins or (comment is not None and not quoted and line.startswith(comment)):
                kept.append(b"")
            elif trailing and number == dialect.header_line:
                kept.append(line.removesuffix(b"\r") + trailing)
            else:
                kept.append(line)
                quoted ^= line.count(b'"') % 2 == 1
        kept.append(b"")
        yield b"\n".join(kept)
        if comment is None and number >= last:
            yield rest
            rest = b""
    number += 1
    begins = number < dialect.header_line or number in out
    if not begins and (comment is None or quoted or not rest.startswith(comment)):
        yield rest


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = chunk
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size
