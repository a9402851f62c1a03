"""Find out how a table is written: its encoding and delimiter, where it begins, the signs in its numbers."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from anomscan.tables.dialects import Dialect
from anomscan.tables.opening import opened
from anomscan.tables.values import MISSING

HEAD_BYTES = 64 << 10
#: So many lines may stand before the header.
PREAMBLE = 50
#: So many lines after it are looked at.
ROWS = 200
DELIMITERS = (",", ";", "\t", "|")
_BOMS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
LINE_ENDS = re.compile("\r\n|\n|\r")
_BRACKETED = re.compile(r"\[.*\]|\(.*\)")
_UNSIGNED = re.compile(r"[+\-\N{MINUS SIGN}]?\s*(.*?)([eE][+-]?\d+)?\s*%?\s*-?")
#: Digits in groups of three, and perhaps a decimal sign after them.
_GROUPED = re.compile(
    r"\d{1,3}(?:([.,' \N{RIGHT SINGLE QUOTATION MARK}\xa0\u2009\u202f])\d{3})(?:\1\d{3})*(?:([.,])\d*)?"
)
#: What numbers between commas have in them only if they have other signs than usual.
_MARKED = re.compile(r"\d[,' \u2019\xa0\u2009\u202f]\d")
_SIMPLE = re.compile(r"\d*([.,])\d*")
_USUAL_MARKS = {"\u2019": "'", "\xa0": " ", "\u2009": " ", "\u202f": " "}


@dataclass(frozen=True, slots=True)
class Sought:
    """What a table is known by.

    Parameters
    ----------
    names
        The names that its header has.
    timestamp
        That of the timestamps.
    values
        Those of the numbers; None for all but ``timestamp``, whatever their names.
    """

    names: Sequence[str]
    timestamp: str
    values: Sequence[str] | None


def sniffed(path: Path, said: Dialect, sought: Sought) -> Dialect:
    """The dialect of a file: as it was said, the rest found out from its first lines.

    The header is the first line that has all names, by the usual delimiters in turn.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    with opened(path) as raw:
        head = raw.read(HEAD_BYTES)
    encoding = said.encoding or encoding_of(head)
    found = replace(said, encoding=encoding, delimiter=said.delimiter or ",", decimal=said.decimal or ".")
    try:
        # The head may end within a character.
        text = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)().decode(head)
    except UnicodeDecodeError:
        return found
    lines = LINE_ENDS.split(text)
    found = replace(found, old_line_ends="\r" in text and "\n" not in text)
    if len(head) == HEAD_BYTES:
        lines.pop()  # it may be cut
    delimiters = DELIMITERS if said.delimiter is None else (said.delimiter,)
    for delimiter in delimiters:
        for number, line in enumerate(lines[:PREAMBLE], 1):
            if number not in said.skip_rows and set(sought.names) <= set(cells_of(line, delimiter)):
                return _beginning(replace(found, delimiter=delimiter), said, sought, lines, number)
    return _likely(found, said, lines, delimiters)


def _beginning(found: Dialect, said: Dialect, sought: Sought, lines: list[str], number: int) -> Dialect:
    """What the lines before the header, in line ``number``, and after it tell."""
    delimiter = found.delimiter or ","
    before, header = lines[: number - 1], cells_of(lines[number - 1], delimiter)
    if said.comment is None and any(line.startswith("#") for line in before):
        found = replace(found, comment="#")
    spaced = delimiter == " " or any(f'{delimiter} "' in line for line in lines[number - 1 : number + ROWS])
    comment = found.comment
    rows = [
        (place, cells_of(line, delimiter))
        for place, line in enumerate(lines[number : number + 2 * ROWS], number + 1)
        if line and place not in said.skip_rows and not (comment and line.startswith(comment))
    ][:ROWS]
    # Fields that the first row has beyond the header, if it is the header that ends without the delimiters of the rows.
    more = len(rows[0][1]) - len(header) if rows and not any(rows[0][1][len(header) :]) else 0
    begins = number if any(before) or more > 0 else 1
    found = replace(found, header_line=begins, spaced=spaced, trailing=max(0, more))
    found = with_signs(found, said, sought, header, [row for _, row in rows])
    return replace(found, units_line=rows[0][0] if found.units_row and rows else 0)


def with_signs(
    found: Dialect, said: Dialect, sought: Sought, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> Dialect:
    """What the rows after the header tell: whether the first holds units, and the signs in the numbers."""
    timestamp = header.index(sought.timestamp)
    if sought.values is None:
        places = [place for place in range(len(header)) if place != timestamp]
    else:
        places = [header.index(name) for name in sought.values]
    if said.units_row is None and rows:
        found = replace(found, units_row=_holds_units(rows[0], timestamp, places))
    cells = [row[place] for row in rows for place in places if place < len(row)]
    decimal, thousands, doubt = _signs(cells, said, found.delimiter or ";")
    return replace(found, decimal=decimal, thousands=thousands, doubt=doubt)


def _holds_units(row: Sequence[str], timestamp: int, places: Iterable[int]) -> bool:
    if any(row) and all(not cell or _BRACKETED.fullmatch(cell) for cell in row):
        return True
    values = [row[place] for place in places if place < len(row)]
    words = [cell for cell in values if cell and cell.lower() not in MISSING]
    stamped = timestamp < len(row) and any(letter.isdigit() for letter in row[timestamp])
    return bool(words) and not stamped and not any(map(_is_number, words))


def _is_number(cell: str) -> bool:
    digits = _bare(cell)
    return digits.isdigit() or bool(_SIMPLE.fullmatch(digits) or _GROUPED.fullmatch(digits))


def _bare(cell: str) -> str:
    """The cell without sign, exponent and per cent."""
    match = _UNSIGNED.fullmatch(cell)
    return match[1] if match else cell


def _signs(cells: Iterable[str], said: Dialect, delimiter: str) -> tuple[str, str | None, str | None]:
    """The decimal sign, the mark between groups of three digits, and a number that may be meant otherwise."""
    cells = list(cells)
    if delimiter == "," and said.decimal != "," and said.thousands is None and not _MARKED.search("\n".join(cells)):
        return ".", None, None
    decimals: Counter[str] = Counter()
    marks: Counter[str] = Counter()
    either: list[tuple[str, str]] = []  # with one mark before three digits, as 1.234
    for digits in map(_bare, cells):
        if digits.isdigit():
            continue
        if grouped := _GROUPED.fullmatch(digits):
            mark, decimal = grouped.groups()
            if mark == decimal or (decimal is None and mark in ".," and digits.count(mark) == 1):
                if mark != decimal:
                    either.append((digits, mark))
                continue
            marks[_USUAL_MARKS.get(mark, mark)] += 1
            if decimal is not None:
                decimals[decimal] += 1
        elif simple := _SIMPLE.fullmatch(digits):
            decimals[simple[1]] += 1
    # Digits that begin with 0 are not a group of three.
    decimals.update(mark for digits, mark in either if digits.startswith("0"))
    either = [each for each in either if not each[0].startswith("0")]
    for mark in marks:
        if mark in ".," and not decimals:
            decimals[",."[mark == ","]] += 1
    return _chosen(decimals, marks, either, said, delimiter)


def _chosen(
    decimals: Counter[str], marks: Counter[str], either: list[tuple[str, str]], said: Dialect, delimiter: str
) -> tuple[str, str | None, str | None]:
    doubt = None
    if said.decimal is not None:
        decimal = said.decimal
    elif said.thousands in (".", ","):
        decimal = "," if said.thousands == "." else "."
    elif decimals:
        decimal = decimals.most_common(1)[0][0]
    elif delimiter == ",":
        decimal = "."  # "1,234" in quotes is then refused, so that somebody says what it means
    else:
        decimal = "," if either and all(mark == "," for _, mark in either) else "."
        doubt = next((digits for digits, mark in either if mark == "."), None)
    if said.thousands is not None:
        return decimal, said.thousands, None
    if decimals or said.decimal is not None:
        marks.update(mark for _, mark in either)
    return decimal, next((mark for mark, _ in marks.most_common() if mark != decimal), None), doubt


def _likely(found: Dialect, said: Dialect, lines: list[str], delimiters: Sequence[str]) -> Dialect:
    """Where no line has the names: the line with the most cells, so that an error can tell them."""
    tried = [
        (len(cells_of(line, delimiter)), -number, delimiter)
        for delimiter in delimiters
        for number, line in enumerate(lines[:PREAMBLE], 1)
        if number not in said.skip_rows
    ]
    cells, number, delimiter = max(tried, key=lambda one: one[:2], default=(0, -1, found.delimiter))
    begins = -number if cells > 1 and any(lines[: -number - 1]) else 1
    return replace(found, delimiter=delimiter if cells > 1 else found.delimiter, header_line=begins)


def encoding_of(head: bytes) -> str:
    """The encoding of a file, by its first bytes."""
    for bom, name in _BOMS.items():
        if head.startswith(bom):
            return name
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        # Of text in European languages nearly every other byte is 0.
        if len(head) > 3 and head[start::2].count(0) > 0.8 * len(head[start::2]) and not head[1 - start :: 2].count(0):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "utf-8" if _CONTROL.search(head) else "cp1252"
    return "utf-8"


def cells_of(line: str, delimiter: str) -> list[str]:
    """The cells of a line without the blanks around them; none where it is not CSV."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]
    except csv.Error:
        return []
