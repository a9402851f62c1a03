"""A file of scores line by line: slow, but it knows the position of everything."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from operator import length_hint
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anomscan.detectors.recorded.rows import COLUMNS, Rows, micros, number
from anomscan.errors import InputError

if TYPE_CHECKING:
    from _csv import Reader

_BATCH_ROWS = 1 << 16

#: The number of a line, and its content: asset, timestamp, score.
Line = tuple[int, str, str, str]


def csv_lines(path: Path) -> Iterator[Line]:
    """The rows of a CSV with a header; a row that spans lines has the number of its last.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column or is cut off.
    """
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # An empty line after the last is a row of its own, unless a quote is still open there.
            end = iter(("",))
            reader = csv.reader(chain(file, end))
            header, places = csv_places(path, reader)
            line = reader.line_num
            for row in reader:
                if not length_hint(end):
                    if row:
                        raise InputError(f"{path} line {line + 1}: a quoted field does not end: cut off?")
                    break
                line = reader.line_num
                if len(row) != len(header):
                    raise InputError(f"{path} line {line} has {len(row)} of {len(header)} fields: cut off?")
                asset, timestamp, score = (row[place] for place in places)
                yield line, asset, timestamp, score
            else:
                if header:
                    raise InputError(f"{path} line 1: a quoted field does not end: cut off?")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text, somewhere after line {line}") from None
    except (OSError, csv.Error) as error:
        raise unreadable(path, error) from None


def csv_places(path: Path, reader: Reader) -> tuple[list[str], list[int]]:
    """The header, and the places of ``COLUMNS`` in it.

    Raises
    ------
    InputError
        If one of them is missing.
    """
    header = next(reader, [])
    missing = [column for column in COLUMNS if column not in header]
    if header and missing:
        raise InputError(f"{path} has no column '{missing[0]}'", hint=f"it has {', '.join(header)}")
    return header, [header.index(column) for column in COLUMNS if header]


def json_lines(path: Path) -> Iterator[Line]:
    """The objects of JSON lines; blank lines are skipped.

    Raises
    ------
    InputError
        If the file cannot be read, or a line is no object with ``COLUMNS``.
    """
    line = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line, text in enumerate(file, 1):
                if not text.strip():
                    continue
                try:
                    row = json.loads(text)
                    asset, timestamp, score = (row[column] for column in COLUMNS)
                    str(asset).encode()  # half a surrogate pair is a valid escape, but not text
                except (ValueError, KeyError, TypeError, RecursionError):
                    raise InputError(
                        f"{path} line {line} is not a JSON object with {', '.join(COLUMNS)}: cut off?"
                    ) from None
                yield line, str(asset), str(timestamp), "" if score is None else str(score)
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text, somewhere after line {line}") from None
    except OSError as error:
        raise unreadable(path, error) from None


def parsed(path: Path, lines: Iterable[Line]) -> Iterator[Rows]:
    """Lines as rows.

    Raises
    ------
    InputError
        An invalid timestamp or score, with its line.
    """
    # A line's values are checked before the next line, so that the first wrong one is named.
    read = ((line[1], *_values(path, line)) for line in lines)
    while batch := list(islice(read, _BATCH_ROWS)):
        codes: dict[str, int] = {}
        assets = [codes.setdefault(asset, len(codes)) for asset, _, _ in batch]
        yield Rows(
            list(codes),
            np.array(assets, np.int32),
            np.array([instant for _, instant, _ in batch], np.int64),
            np.array([score for _, _, score in batch], np.float64),
        )


def refuse_contradiction(path: Path, lines: Iterable[Line], asset: str, instant: int) -> None:
    """Name the line that contradicts an earlier one, if there is one.

    Parameters
    ----------
    instant
        The timestamp whose scores differ, in microseconds since 1970.

    Raises
    ------
    InputError
        Naming that line, and both scores.
    """
    known: float | None = None
    for line in lines:
        if line[1] != asset or micros(line[2]) != instant:
            continue
        _, score = _values(path, line)
        if known is not None and score != known and not (np.isnan(score) and np.isnan(known)):
            raise InputError(
                f"{path} line {line[0]}: asset '{asset}' has two scores at {line[2]}: {known!r} and {score!r}"
            )
        known = score


def unreadable(path: Path, error: Exception) -> InputError:
    """The error for a file that cannot be read."""
    reason = error.strerror if isinstance(error, OSError) else error
    return InputError(f"{path} cannot be read: {reason}", hint="name a file of scores in the detector's path")


def _values(path: Path, line: Line) -> tuple[int, float]:
    place, _, timestamp, score = line
    try:
        return micros(timestamp), number(score)
    except ValueError as error:
        raise InputError(f"{path} line {place}: {error}") from None
