"""How a column's timestamps are written, and what they are."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomscan.errors import InputError
from anomscan.guessing.sample import Column
from anomscan.guessing.unsure import UnsureError
from anomscan.guessing.words import names_time
from anomscan.tables.moments import Read, from_iso, from_numbers, from_pattern, from_typed
from anomscan.tables.zones import Moments
from anomscan.telemetry import arrow
from anomscan.telemetry.patterns import NUMBERED

#: So large a share of a column must be times; the others would be put aside.
_MOSTLY = 0.98
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?)?")
_WORD = r"[A-Za-z]{3,9}\.?"
_DATE = re.compile(rf"(\d{{1,4}}|{_WORD})([-/. ]\s?)(\d{{1,2}}|{_WORD})(,?[-/. ]\s?)(\d{{4}}|\d{{2}})(?!\d)")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)([.,]\d{1,9})?)?(\s?[AaPp][Mm])?")
_CLOCK_ONLY = re.compile(r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?(\s?[AaPp][Mm])?")
_ZONE = re.compile(r"\s?(Z|UTC|GMT|[+-]\d\d:?\d\d)")
_COMPACT = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_BASIC = re.compile(r"(\d{8})([T_ -])(\d{4}|\d{6})(Z|[+-]\d\d:?\d\d)?")
#: Digits that may count seconds as well.
_SHORT_YEAR = "%y%m%d%H%M"
#: Of 1990 and of 2100, in seconds.
_FIRST, _LAST = 631_152_000, 4_102_444_800
#: Of 1955 and of 2100, in Excel's days.
_FIRST_DAY, _LAST_DAY = 20_089, 73_051


@dataclass(frozen=True)
class Stamps:
    """The timestamps of a column.

    Parameters
    ----------
    pattern
        As ``timestamp_format``; None for ISO 8601 and for what is typed.
    wall
        (n,) as written, NaT where a cell is not a time.
    utc
        (n,) the instants, where an offset is written; None where none is.
    dates
        Whether only dates are written.
    """

    pattern: str | None
    wall: Moments
    utc: Moments | None
    dates: bool

    @property
    def moments(self) -> Moments:
        """The instants, or what is written where there is no offset."""
        return self.wall if self.utc is None else self.utc


def is_clock(column: Column) -> bool:
    """Whether a column holds times of day without a date."""
    texts = [text for text in column.codes[1][:200] if text]
    return bool(texts) and all(_CLOCK_ONLY.fullmatch(text) for text in texts)


def stamps_of(column: Column, said: str | None = None) -> Stamps | None:
    """What a column's timestamps are; None where it holds none.

    Parameters
    ----------
    said
        The user's word for how they are written.

    Raises
    ------
    UnsureError
        Where day and month may be meant the other way round.
    """
    if column.filled == 0:
        return None
    if column.typed_time:
        return _typed(column)
    codes, texts = column.codes
    if said is not None:
        return _read(column, texts, codes, said)
    counted = _counting(column)
    if counted == "unix" and _digits(texts):
        refuse_two_meanings(column.name, texts)
        if _fits(texts, _COMPACT[10]):
            counted = _COMPACT[10]
    if counted is not None:
        return _read(column, texts, codes, counted)
    if column.numbers is not None and not _digits(texts):
        return None
    shown = texts[:: max(1, len(texts) // 20_000)]
    if sum(bool(_ISO.fullmatch(text)) for text in shown) >= _MOSTLY * len(shown):
        return _read(column, texts, codes, None)
    pattern = _pattern(column.name, texts)
    return None if pattern is None else _read(column, texts, codes, pattern)


def _digits(texts: list[str]) -> bool:
    return len(texts[0]) in _COMPACT and all(len(text) == len(texts[0]) for text in texts[:1000])


def refuse_two_meanings(name: str, texts: list[str]) -> None:
    """Ask where ten digits may be a date and a time with a year of two digits, or seconds since 1970.

    Raises
    ------
    UnsureError
        If all of them may be both.
    """
    if len(texts) > 1 and _fits(texts, _SHORT_YEAR):
        raise UnsureError(
            f"'{texts[0]}' in column '{name}' may be a date and a time, or seconds since 1970",
            "--timestamp-format",
            [_SHORT_YEAR, "unix"],
        )


def _fits(texts: list[str], pattern: str) -> bool:
    """Whether all texts are times by a pattern, of 1950 to 2100."""
    try:
        wall = _by(arrow.to_texts(texts), pattern)[0]
    except InputError:
        return False
    return bool(((wall > np.datetime64("1950")) & (wall < np.datetime64("2100"))).all())


def _counting(column: Column) -> str | None:
    """What numbers count, where their column is called after time and they lie in these decades."""
    if column.numbers is None or not names_time(column.name):
        return None
    low, high = float(np.nanmin(column.numbers)), float(np.nanmax(column.numbers))
    for name, (numerator, denominator) in NUMBERED.items():
        first, last = (each * numerator / denominator / 1e6 for each in (low, high))
        if name != "excel" and first > _FIRST and last < _LAST:
            return name
    return "excel" if low > _FIRST_DAY and high < _LAST_DAY else None


def _pattern(name: str, texts: list[str]) -> str | None:
    """The pattern of strptime that the texts have in common."""
    length = len(texts[0])
    if _digits(texts) and all(text.isdigit() for text in texts):
        return _COMPACT[length] if 1950 < int(texts[0][:4]) < 2100 else None
    if basic := _basic(texts):
        return basic
    matches = [(_DATE.match(text), text) for text in texts]
    dated = [(match.groups(), _clock(text[match.end() :])) for match, text in matches if match is not None]
    dates = [(date, rest) for date, rest in dated if rest is not None]
    if len(dates) < _MOSTLY * len(texts):
        return None
    rests = Counter(rest for _, rest in dates)
    rest, count = rests.most_common(1)[0]
    if count < _MOSTLY * len(texts):
        examples = {_clock_of(text): text for text in texts}
        kinds = ", ".join(f"'{text}'" for own, text in examples.items() if own is not None)
        raise UnsureError(f"column '{name}' has times written in several ways: {kinds}", "--timestamp-format")
    return _date_pattern(name, [date for date, own in dates if own == rest]) + str(rest)


def _basic(texts: list[str]) -> str | None:
    """The pattern of ISO 8601 without dashes and colons, as 20240131T0600Z; None where they are otherwise."""
    found = Counter(
        (match[2], len(match[3]), match[4] if match[4] in (None, "Z") else "%z")
        for match in map(_BASIC.fullmatch, texts)
        if match is not None
    )
    if not found or found.most_common(1)[0][1] < _MOSTLY * len(texts):
        return None
    (between, digits, zone), _ = found.most_common(1)[0]
    return f"%Y%m%d{between}%H%M{'%S' if digits == 6 else ''}{zone or ''}"


def _clock_of(text: str) -> str | None:
    match = _DATE.match(text)
    return None if match is None else _clock(text[match.end() :])


def _clock(rest: str) -> str | None:
    """The pattern of what follows the date."""
    if not rest:
        return ""
    gap = re.match(r"(,?\s+|T|_|-|;)", rest)
    match = None if gap is None else _CLOCK.match(rest, gap.end())
    if gap is None or match is None:
        return None
    _, _, seconds, fraction, half = match.groups()
    pattern = gap[0] + ("%I" if half else "%H") + ":%M" + (":%S" if seconds else "")
    if fraction:
        pattern += f"{fraction[0]}%f"
    if half:
        pattern += (" " if half[0].isspace() else "") + "%p"
    rest = rest[match.end() :]
    zone = _ZONE.fullmatch(rest)
    if rest and zone is None:
        return None
    if rest:
        pattern += rest if zone is not None and zone[1] in ("Z", "UTC", "GMT") else rest[: -len(rest.strip())] + "%z"
    return pattern


def _date_pattern(name: str, dates: list[tuple[str, ...]]) -> str:
    first, between, second, after, third = dates[0]
    if first[0].isalpha() or second[0].isalpha():
        month = first if first[0].isalpha() else second
        named = "%B" if len(month.rstrip(".")) > 3 else "%b"
        if any(len(date[0 if first[0].isalpha() else 2].rstrip(".")) != 3 for date in dates):
            named = "%B"
        parts = (named, "%d") if first[0].isalpha() else (_year(first) or "%d", named)
        return f"{parts[0]}{between}{parts[1]}{after}{'%d' if parts[0] == '%Y' else _year(third) or '%y'}"
    if len(first) == 4:
        return f"%Y{between}%m{after}%d"
    firsts, seconds = ({int(date[place]) for date in dates} for place in (0, 2))
    year = _year(third) or "%y"
    day_first = f"%d{between}%m{after}{year}"
    month_first = f"%m{between}%d{after}{year}"
    if year == "%y" and between == "-":
        raise UnsureError(
            f"'{''.join(dates[0])}' in column '{name}' may be meant in several ways",
            "--timestamp-format",
            [day_first, "%y-%m-%d", month_first],
        )
    if max(firsts) > 12 and max(seconds) <= 12:
        return day_first
    if max(seconds) > 12 and max(firsts) <= 12:
        return month_first
    if between.strip() == "." and max(seconds) <= 12:
        return day_first
    raise UnsureError(
        f"'{''.join(dates[-1])}' in column '{name}': which is the day, which the month?",
        "--timestamp-format",
        [day_first, month_first],
    )


def _year(text: str) -> str | None:
    return "%Y" if len(text) == 4 and text.isdigit() else None


def _read(column: Column, texts: list[str], codes: NDArray[np.int32], pattern: str | None) -> Stamps | None:
    """The timestamps by a pattern; None where it does not fit nearly all."""
    try:
        read, kept = _tolerant(texts, pattern)
    except InputError:
        return None
    if len(kept) < _MOSTLY * len(texts):
        return None
    wall, utc, aware = read
    if aware.any() and not aware.all():
        raise UnsureError(f"column '{column.name}' has times with an offset from UTC and without", "--timestamp-column")
    dates = pattern not in NUMBERED and all(":" not in text and len(text) < 12 for text in texts[:50])
    return Stamps(
        pattern,
        _spread(wall, kept, codes, len(texts)),
        None if not aware.any() or utc is None else _spread(utc, kept, codes, len(texts)),
        dates,
    )


def _tolerant(texts: list[str], pattern: str | None) -> tuple[Read, NDArray[np.int64]]:
    """Read what fits; the places of the texts that do."""
    kept = np.arange(len(texts))
    for _ in range(4):
        column = arrow.to_texts([texts[place] for place in kept.tolist()])
        try:
            return _by(column, pattern), kept
        except InputError as error:
            rows = getattr(error, "rows", None)
            if rows is None or len(rows) == len(kept):
                raise
            kept = np.delete(kept, rows)
    raise InputError("no times")


def _by(column: pa.Array, pattern: str | None) -> Read:
    if pattern in NUMBERED:
        return from_numbers(column, str(pattern), str)
    return from_iso(column, str) if pattern is None else from_pattern(column, pattern, str)


def _spread(found: Moments, kept: NDArray[np.int64], codes: NDArray[np.int32], texts: int) -> Moments:
    """Of each row, given those of the texts that are kept."""
    by_text = np.full(texts + 1, np.datetime64("NaT", "us"), "datetime64[us]")
    by_text[kept] = found
    return by_text[codes]


def _typed(column: Column) -> Stamps:
    filled = column.cells.drop_null()
    wall, utc, aware = from_typed(filled, str)
    places = np.flatnonzero(np.array(column.cells.is_valid().to_pylist(), bool))
    dates = bool(pa.types.is_date(column.cells.type) or (wall == wall.astype("datetime64[D]")).all())

    def spread(found: Moments) -> Moments:
        full = np.full(len(column.cells), np.datetime64("NaT", "us"), "datetime64[us]")
        full[places] = found
        return full

    return Stamps(None, spread(wall), spread(utc) if utc is not None and aware.any() else None, dates)
