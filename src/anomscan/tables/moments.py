"""Timestamps as they are written -> what a clock showed, and the instant where an offset is written with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomscan.errors import InputError
from anomscan.tables.pattern_hints import pattern_hint
from anomscan.tables.zones import FIRST, LAST, Moments, datetimes
from anomscan.telemetry import arrow
from anomscan.telemetry.cadence import instant_text
from anomscan.telemetry.patterns import NUMBERED, written_offset

_OFFSET = r"(Z|[+-]\d{2}(:?\d{2})?)$"
_AWARE = rf"[T ]\d{{2}}:[0-9:.]*{_OFFSET}"
_ISO = rf"^\d{{4}}-\d{{2}}-\d{{2}}([T ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d{{1,9}})?)?({_OFFSET[:-1]})?)?$"
MIDNIGHT_24 = r"([T ])24:00((:00(\.0+)?)?(Z|[+-]\d{2}:?\d{2})?)$"
NUMBER = r"^[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?$"
_UNIX = np.datetime64("1970-01-01", "us")
_EXCEL = np.datetime64("1899-12-30", "us")
#: Of 1990 and of 2100: what a number that may count something since 1970 is thought to be between.
_FIRST_UNIX_US, _LAST_UNIX_US = 631_152_000_000_000, 4_102_444_800_000_000
_FINER = r"\.\d{6}\d{0,2}[1-9]"

#: Directives of a pattern that are plain numbers, how many digits each has in full, and what sets it off in ISO 8601.
_FIELDS = {"Y": (4, ""), "m": (2, "-"), "d": (2, "-"), "H": (2, "T"), "M": (2, ":"), "S": (2, ":"), "f": (6, ".")}

#: A date with the day where the month belongs.
_DAY_FIRST = re.compile(r"\d{4}-(1[3-9]|2\d|3[01])-(0[1-9]|1[0-2])(?!\d)")
#: Where row i stands, for errors.
Where = Callable[[int], str]
#: Wall-clock time, UTC (None where there is no offset), and which have an offset. All (n,), without zone.
Read = tuple[Moments, Moments | None, NDArray[np.bool_]]


def from_iso(texts: pa.Array, where: Where) -> Read:
    """Text in ISO 8601.

    Raises
    ------
    InputError
        For the first that is not, by ``where``; as do the others here.
    """
    wrong = ~match(texts, _ISO)
    if wrong.any():
        first = texts[int(np.argmax(wrong))].as_py()
        hint = number_hint(first) if re.fullmatch(NUMBER, first) else pattern_hint(first)
        refuse(wrong, texts, where, "is not a timestamp", hint=hint)
    aware = match(texts, _AWARE)
    if not aware.any():
        return _parsed(texts, texts, where), None, aware
    bare = pc.if_else(pc.match_substring_regex(texts, _AWARE), pc.replace_substring_regex(texts, _OFFSET, ""), texts)
    wall = _parsed(bare, texts, where)
    ends = [text[len(rest) :] for text, rest in zip(texts.to_pylist(), bare.to_pylist(), strict=True)]
    minutes = {end: _minutes(end) for end in set(ends)}
    refuse(np.array([minutes[end] is None for end in ends]), texts, where, "is not a timestamp")
    return wall, wall - np.array([minutes[end] for end in ends], "timedelta64[m]"), aware


def _minutes(offset: str) -> int | None:
    """An offset from UTC as ISO 8601 writes it; None if there is no such."""
    digits = offset[1:].replace(":", "")
    hours, minutes = int(digits[:2] or 0), int(digits[2:] or 0)
    if hours > 23 or minutes > 59:
        return None
    return (hours * 60 + minutes) * (-1 if offset[:1] == "-" else 1)


def _parsed(texts: pa.Array, shown: pa.Array, where: Where) -> Moments:
    """ISO text without an offset, as it stands."""
    with suppress(pa.ArrowInvalid):
        return integers(texts.cast(pa.timestamp("us"))).view("datetime64[us]")
    # At least one is not a moment, or finer than Arrow reads.
    listed = texts.to_pylist()
    try:
        moments = np.array(listed).astype("datetime64[us]")
    except ValueError:  # it does not say which
        wrong = [not _is_moment(text) for text in listed]
        found = _DAY_FIRST.match(listed[wrong.index(True)])
        hint = 'month and day look swapped: timestamp_format = "%Y-%d-%m"' if found else None
        refuse(np.array(wrong), shown, where, "is not a timestamp", hint=hint)
        raise
    refuse(match(texts, _FINER), shown, where, "is finer than a microsecond")
    return moments


def _is_moment(text: str) -> bool:
    try:
        np.datetime64(text)
    except ValueError:
        return False
    return True


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type holds numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def number_hint(number: str) -> str:
    """Which timestamp_format a number may ask for: the one that makes a moment of these decades of it."""
    for unit, (factor, divisor) in NUMBERED.items():
        plain = unit != "excel" and re.fullmatch(NUMBER, number)
        counted = int(Decimal(number) * factor / divisor) if plain else 0
        if _FIRST_UNIX_US < counted < _LAST_UNIX_US:
            moment = instant_text(_UNIX + np.timedelta64(counted // 1_000_000, "s"))
            return f'if numbers are meant, set timestamp_format = "{unit}", which makes it {moment}'
    return f"if numbers are meant, set timestamp_format to what they count: {', '.join(NUMBERED)}"


def from_numbers(column: pa.Array, pattern: str, where: Where) -> Read:
    """Numbers or their text, by what the pattern says they count."""
    factor, divisor = NUMBERED[pattern]
    try:
        values = column.cast(pa.int64()).to_pylist()
    except pa.ArrowInvalid:  # fractions, or far beyond any year
        values = [_decimal(str(value)) for value in column.to_pylist()]
        refuse(np.array([not value.is_finite() for value in values]), column, where, "is not a timestamp")
    start = _EXCEL if pattern == "excel" else _UNIX
    low, high = (int((end - start).astype(np.int64)) * divisor // factor for end in (FIRST, LAST))
    refuse(
        np.array([not low < value < high for value in values]),
        column,
        where,
        f"is outside the years 1 to 9999 by timestamp_format '{pattern}'",
        hint="set timestamp_format to the unit that it counts",
    )
    finer = np.array([isinstance(value, int) and value % divisor != 0 for value in values])
    refuse(finer, column, where, "is finer than a microsecond")
    step = 1_000 if pattern == "excel" else 1  # as finely as a float tells days
    counted = [
        value * factor // divisor if isinstance(value, int) else round(value * factor / divisor / step) * step
        for value in values
    ]
    wall = start + np.array(counted, "timedelta64[us]")
    if pattern == "excel":
        return wall, None, np.zeros(len(wall), bool)
    return wall, wall, np.ones(len(wall), bool)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def from_pattern(texts: pa.Array, pattern: str, where: Where) -> Read:
    """Text by a pattern of strptime; one that ends in Z or in an offset gives instants, as %z does."""
    if pattern in NUMBERED:
        refuse(~match(texts, NUMBER), texts, where, f"does not fit timestamp_format '{pattern}'")
    wall, utc = _padded(texts, pattern), None
    if wall is None:
        wall, utc = _one_by_one(texts, pattern, where)
    if (minutes := written_offset(pattern)) is not None:
        utc = wall - np.timedelta64(minutes, "m")
    return wall, utc, np.full(len(texts), utc is not None)


def _one_by_one(texts: pa.Array, pattern: str, where: Where) -> tuple[Moments, Moments | None]:
    moments: list[datetime | None] = []
    unfit = np.zeros(len(texts), bool)
    listed = texts.to_pylist()
    for code, text in enumerate(listed):
        try:
            moments.append(_by_pattern(text, pattern))
        except ValueError:
            moments.append(None)
            unfit[code] = True
    hint = _swapped(listed[int(np.argmax(unfit))], pattern) if unfit.any() else None
    refuse(unfit, texts, where, f"does not fit timestamp_format '{pattern}'", hint=hint)
    finer = np.array([moment is None for moment in moments])
    refuse(finer, texts, where, "is finer than a microsecond")
    read = [moment for moment in moments if moment is not None]
    wall = np.array([moment.replace(tzinfo=None) for moment in read], "datetime64[us]")
    if "%z" not in pattern:
        return wall, None
    return wall, wall - np.array([moment.utcoffset() for moment in read], "timedelta64[us]")


def _swapped(text: str, pattern: str) -> str | None:
    """The hint where text fits a pattern with day and month in the other order."""
    other = re.sub("%[dm]", lambda found: "%m" if found[0] == "%d" else "%d", pattern)
    if other == pattern:
        return None
    try:
        _by_pattern(text, other)
    except ValueError:
        return None
    return f'month and day look swapped: timestamp_format = "{other}"'


def _padded(texts: pa.Array, pattern: str) -> Moments | None:
    """Read text in which every number has all its digits, as nearly all text has, at once.

    Returns
    -------
    What strptime gives; None where one text or the pattern is of another kind, or one is not a moment.
    """
    parts = re.split(r"%(.)", pattern)
    literals, names = parts[::2], parts[1::2]
    order = [name for name in _FIELDS if name in names]
    if len(names) != len(order) or order != list(_FIELDS)[: len(order)] or len(order) not in (3, 5, 6, 7):
        return None
    numbers = [rf"([0-9]{{{_FIELDS[name][0]}}})" for name in names]
    regex = "".join(re.escape(literal) + number for literal, number in zip(literals, [*numbers, ""], strict=True))
    if not pc.all(pc.match_substring_regex(texts, f"^{regex}$")).as_py():
        return None
    iso = "".join(rf"{_FIELDS[name][1]}\{names.index(name) + 1}" for name in order)
    with suppress(pa.ArrowInvalid):
        return integers(pc.replace_substring_regex(texts, regex, iso).cast(pa.timestamp("us"))).view("datetime64[us]")
    return None


def _by_pattern(text: str, pattern: str) -> datetime | None:
    """Text by a pattern, in which %f takes up to nine digits; None if the last three of them are not zero."""
    try:
        return datetime.strptime(text, pattern)
    except ValueError:
        if "%f" not in pattern or "%z" in pattern:
            raise
    for digits in re.finditer(r"\d{7,}", text):
        for more in (1, 2, 3):
            cut = digits.end() - more
            try:
                moment = datetime.strptime(text[:cut] + text[digits.end() :], pattern)
            except ValueError:
                continue
            return None if text[cut : digits.end()].strip("0") else moment
    raise ValueError(text)


def from_typed(column: pa.Array, where: Where) -> Read:
    """Dates or timestamps of Arrow."""
    zone = getattr(column.type, "tz", None)
    if pa.types.is_date(column.type):
        column = column.cast(pa.date32(), safe=False).cast(pa.timestamp("s"))
    stored = integers(column.cast(pa.timestamp(column.type.unit))).view(f"datetime64[{column.type.unit}]")
    moments = stored.astype("datetime64[us]")
    refuse(moments != stored, column, where, "is finer than a microsecond")
    if zone is None:
        return moments, None, np.zeros(len(column), bool)
    refuse((moments < FIRST) | (moments > LAST), column, where, "is outside the years 1 to 9999")
    known = pa.lib.string_to_tzinfo(zone)
    offsets = [moment.astimezone(known).utcoffset() for moment in datetimes(moments, UTC)]
    return moments + np.array(offsets, "timedelta64[us]"), moments, np.ones(len(column), bool)


def integers(column: pa.Array) -> NDArray[np.int64]:
    """A column without nulls as int64, (n,)."""
    return arrow.numbers(pa.chunked_array([column.cast(pa.int64())]), "int64")


def match(texts: pa.Array, pattern: str) -> NDArray[np.bool_]:
    """Which texts have a match of a regular expression, (n,)."""
    return np.array(pc.match_substring_regex(texts, pattern).to_pylist(), bool)


class RowsError(InputError):
    """Rows that cannot be used; the message tells the first of them."""

    #: (m,) their places, m > 0.
    rows: NDArray[np.int64]
    #: What is wrong with one of them, as it stands in a message after its place.
    what: Callable[[int], str]

    @classmethod
    def of(
        cls, rows: NDArray[np.int64], what: Callable[[int], str], where: Where, *, hint: str | None = None
    ) -> RowsError:
        """The error about some rows; ``where`` says where row i stands."""
        first = int(rows[0])
        error = cls(f"{where(first)}{what(first)}", hint=hint)
        error.rows, error.what = rows, what
        return error


def refuse(bad: NDArray[np.bool_], texts: pa.Array, where: Where, complaint: str, *, hint: str | None = None) -> None:
    """Name those that are bad, if any is.

    Raises
    ------
    RowsError
        With all of them.
    """
    if bad.any():
        raise RowsError.of(np.flatnonzero(bad), lambda row: f": {shown(texts[row])} {complaint}", where, hint=hint)


def shown(value: object) -> str:
    """A value from a file as it stands in errors: quoted, and not endless.

    >>> shown("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'"
    """
    text = str(value)
    return f"'{text[:40]}...'" if len(text) > 60 else f"'{text}'"
