"""How a CSV is written: its delimiter, encoding, decimal sign, and the lines that are no rows."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from anomscan.errors import InputError
from anomscan.tables.opening import Stream, opened

_BLOCK_BYTES = 1 << 20
_HEAD_BYTES = 64 << 10
#: So many lines may stand before the header.
PREAMBLE = 50
#: So many rows after it are looked at.
ROWS = 200
_DELIMITERS = (",", ";", "\t", "|")
_BOMS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_DECIMAL_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+")
_BRACKETED = re.compile(r"\[.*\]|\(.*\)")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV is written; what is None is found out by :func:`sniffed`, or not there.

    Parameters
    ----------
    delimiter, decimal, thousands, encoding, comment
        As in the settings.
    skip_rows
        Lines that are left out, counted from 1.
    units_row
        Whether the row after the header holds units.
    header_line
        The line of the header, counted from 1.
    sheet
        Of a workbook.
    """

    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    comment: str | None = None
    skip_rows: tuple[int, ...] = ()
    units_row: bool | None = None
    header_line: int = 1
    sheet: str | None = None

    @property
    def plain(self) -> bool:
        """Whether the bytes of the file need no change: UTF-8, with no lines to leave out."""
        return self.encoding == "utf-8" and not self.skip_rows and self.comment is None and self.header_line == 1

    def numbers(self, texts: pa.Array) -> pa.Array:
        """Text of numbers as programs write them; what is no number here stays none."""
        if self.thousands:
            mark, sign = re.escape(self.thousands), re.escape(self.decimal or ".")
            grouped = pc.match_substring_regex(texts, rf"^[+-]?\d{{1,3}}({mark}\d{{3}})+({sign}\d*)?$")
            texts = pc.if_else(grouped, pc.replace_substring(texts, self.thousands, ""), texts)
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
        return ", ".join(found)


#: Commas, UTF-8, and every line a row.
USUAL = Dialect(",", ".", encoding="utf-8")


def sniffed(path: Path, said: Dialect, wanted: Sequence[str], *, wide: bool = False) -> Dialect:
    """The dialect of a file: as it was said, the rest found out from its first lines.

    The header is the first line that has all wanted columns, by the usual delimiters in turn. In a ``wide`` table all
    other columns are wanted, too.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    with opened(path) as raw:
        head = raw.read(_HEAD_BYTES)
    encoding = said.encoding or _encoding(head)
    decimal = said.decimal or ("," if said.thousands == "." else ".")
    found = replace(said, encoding=encoding, delimiter=said.delimiter or ",", decimal=decimal)
    try:
        # The head may end within a character.
        text = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)().decode(head)
    except UnicodeDecodeError:
        return found
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    for delimiter in _DELIMITERS if said.delimiter is None else (said.delimiter,):
        for number, line in enumerate(lines[:PREAMBLE], 1):
            header = _cells(line, delimiter)
            if number not in said.skip_rows and set(wanted) <= set(header):
                before = lines[: number - 1]
                if said.comment is None and any(line.startswith("#") for line in before):
                    found = replace(found, comment="#")
                found = replace(found, delimiter=delimiter, header_line=number if any(before) else 1)
                rows = (_cells(line, delimiter) for line in islice(lines, number, number + ROWS) if line)
                places = list(range(len(header))) if wide else [header.index(name) for name in wanted]
                return by_rows(found, said, rows, places)
    return found


def by_rows(found: Dialect, said: Dialect, rows: Iterator[list[str]], places: list[int]) -> Dialect:
    """What the rows after the header tell; ``places`` are those of the wanted columns."""
    first = next(rows, [])
    if said.units_row is None:
        units = any(first) and all(not cell or _BRACKETED.fullmatch(cell) for cell in first)
        found = replace(found, units_row=units)
    if said.decimal is None and said.thousands is None and found.delimiter != ",":
        cells = (row[place] for row in (first, *rows) for place in places if place < len(row))
        if commas := [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell)]:
            found = replace(found, decimal=",", thousands="." if any("." in cell for cell in commas) else None)
    return found


def _encoding(head: bytes) -> str:
    for bom, name in _BOMS.items():
        if head.startswith(bom):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "utf-8" if _CONTROL.search(head) else "cp1252"
    return "utf-8"


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]
    except csv.Error:
        return []


@contextmanager
def cleaned(path: Path, dialect: Dialect) -> Iterator[Stream]:
    """The file as UTF-8; lines that are no rows are empty, so that the others keep their numbers.

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
            lines = _Chunks(_lines(_decoded(raw, dialect), dialect))
            with cast("io.BufferedReader", io.BufferedReader(lines, _BLOCK_BYTES)) as stream:
                yield stream
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not text in {dialect.encoding}: {error}", hint="set encoding") from None


def _decoded(raw: Stream, dialect: Dialect) -> Iterator[bytes]:
    blocks = iter(lambda: raw.read(_BLOCK_BYTES), b"")
    if dialect.encoding in (None, "utf-8"):
        yield from blocks
    else:
        yield from (text.encode() for text in codecs.iterdecode(blocks, str(dialect.encoding)))


def _lines(blocks: Iterator[bytes], dialect: Dialect) -> Iterator[bytes]:
    """The blocks, with the lines emptied that are no rows; a line within quotes is left as it is."""
    comment = dialect.comment.encode() if dialect.comment else None
    last = max((dialect.header_line - 1, *dialect.skip_rows))
    number, quoted, rest = 0, False, b""
    for block in blocks:
        if comment is None and number >= last and not rest:
            yield block
            continue
        *lines, rest = (rest + block).split(b"\n")
        kept = []
        for line in lines:
            number += 1
            begins = number < dialect.header_line or number in dialect.skip_rows
            if begins or (comment is not None and not quoted and line.startswith(comment)):
                kept.append(b"")
            else:
                kept.append(line)
                quoted ^= line.count(b'"') % 2 == 1
        kept.append(b"")
        yield b"\n".join(kept)
        if comment is None and number >= last:
            yield rest
            rest = b""
    number += 1
    begins = number < dialect.header_line or number in dialect.skip_rows
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
