"""A file of scores read row by row into dicts."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import UTC, datetime
from pathlib import Path

EMPTY = {"", "-", "nan", "-nan", "null", "none", "na", "n/a", "\\n", "#n/a"}
END = "the end"


class RefusedError(Exception):
    """Something is wrong with a file, in ``line``, where it has one."""

    def __init__(self, line: int | None) -> None:
        super().__init__(line)
        self.line = line


def reference_scores(path: Path) -> dict[str, dict[datetime, float]]:
    """Scores by asset and UTC instant, NaN where there is none."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RefusedError(None) from None
    rows = csv_rows(text) if path.suffix == ".csv" else json_rows(text)
    scores: dict[str, dict[datetime, float]] = {}
    for line, asset, timestamp, score in rows:
        try:
            instant = datetime.fromisoformat(timestamp)
            instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
            number = math.nan if score.strip().lower() in EMPTY else float(score)
        except (ValueError, OverflowError):
            raise RefusedError(line) from None
        if math.isinf(number):
            raise RefusedError(line)
        known = scores.setdefault(asset, {}).setdefault(instant, number)
        if known != number and not (math.isnan(known) and math.isnan(number)):
            raise RefusedError(line)
    if not scores:
        raise RefusedError(None)
    return scores


def csv_rows(text):
    ended = not text or text.endswith(("\n", "\r"))
    # A row after the last is seen as such, unless a quoted field is still open there.
    reader = csv.reader(io.StringIO(text + ("" if ended else "\n") + END, newline=""))
    rows = [(reader.line_num, row) for row in reader]
    header, rows = rows[0][1], rows[1:]
    if header == [END] or not header:
        return
    if {"asset", "timestamp", "score"} - set(header):
        raise RefusedError(None)
    for number, (line, row) in enumerate(rows, 1):
        if number == len(rows):
            if row != [END]:
                raise RefusedError(rows[-2][0] + 1 if number > 1 else 2)
            return
        if len(row) != len(header):
            raise RefusedError(line)
        yield line, *(row[header.index(column)] for column in ("asset", "timestamp", "score"))
    raise RefusedError(1)


def json_rows(text):
    for line, row in enumerate(io.StringIO(text, newline=None), 1):
        if not row.strip():
            continue
        try:
            found = json.loads(row)
            asset, timestamp, score = (found[column] for column in ("asset", "timestamp", "score"))
        except (ValueError, KeyError, TypeError):
            raise RefusedError(line) from None
        yield line, str(asset), str(timestamp), "" if score is None else str(score)
