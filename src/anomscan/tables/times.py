"""Timestamps as sources write them -> UTC instants, or dates where the cadence is whole days."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomscan.errors import InputError
from anomscan.tables.days import Days, Moments
from anomscan.telemetry import arrow
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.patterns import NUMBERED, check_pattern

_OFFSET = r"(Z|[+-]\d{2}(:?\d{2})?)$"
_AWARE = rf"[T ]\d{{2}}:[0-9:.]*{_OFFSET}"
_ISO = rf"^\d{{4}}-\d{{2}}-\d{{2}}([T ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d{{1,9}})?)?({_OFFSET[:-1]})?)?$"
_FIRST = np.datetime64("0001-01-01", "us")
_LAST = np.datetime64("9999-12-31T23:59:59.999999", "us")

_MIDNIGHT_24 = r"([T ])24:00((:00(\.0+)?)?(Z|[+-]\d{2}:?\d{2})?)$"
_NUMBER = r"^[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?$"
_NUMBERS_HINT = f"if numbers are meant, set timestamp_format to what they count: {', '.join(NUMBERED)}"
_UNIX = np.datetime64("1970-01-01", "us")
_EXCEL = np.datetime64("1899-12-30", "us")
_FINER = r"\.\d{6}\d{0,2}[1-9]"
_DAY = np.timedelta64(1, "D")

#: Directives of a pattern that are plain numbers, how many digits each has in full, and what sets it off in ISO 8601.
_FIELDS = {"Y": (4, ""), "m": (2, "-"), "d": (2, "-"), "H": (2, "T"), "M": (2, ":"), "S": (2, ":"), "f": (6, ".")}

Place = Callable[[int], str]


class Times:
    """Reads the timestamps of one source, which all have an offset or all have none, unless they may be mixed.

    Parameters
    ----------
    cadence
        Where it is whole days a sample is a date, as :class:`anomscan.tables.days.Days` tells it. Otherwise it is an
        instant.
    timezone
        IANA name; where instants without an offset stand. None: they are refused.
    pattern
        How text is written, as for strptime; None for ISO 8601; or what numbers count, one of
        :data:`anomscan.telemetry.patterns.NUMBERED`.
    mixed
        Whether some may have an offset and others none.
    day_stamp
        Whether a daily sample is stamped at the start of its day or at the end.

    Raises
    ------
    ConfigError
        If the pattern cannot be one.
    """

    def __init__(
        self,
        cadence: Cadence,
        timezone: str | None,
        pattern: str | None,
        *,
        mixed: bool = False,
        day_stamp: Literal["start", "end"] = "start",
    ) -> None:
        if pattern is not None:
            check_pattern(pattern)
        self._cadence = cadence
        self._zone = timezone
        self._pattern = pattern
        self._mixed = mixed
        self._days = Days(timezone, day_stamp)
        self._dated = pattern is not None and pattern not in NUMBERED and not re.search("%[HIcX]", pattern)
        #: The first timestamp seen with (True) and without (False) an offset, and where it stood.
        self.seen: dict[bool, str] = {}

    def read(self, column: pa.Array, name: str, place: Place, *, typed: bool = False) -> pa.Array:
        """One column of timestamps.

        Parameters
        ----------
        column
            (n,) text, dates, timestamps, or numbers where the pattern says what they count.
        name
            The column's name, for errors.
        place
            Where row i stands, for errors.
        typed
            Whether the text is ISO 8601 whatever the pattern, as it came from typed values.

        Returns
        -------
        (n,) timestamp[us]: UTC instants, or midnights.

        Raises
        ------
        InputError
            A timestamp that is missing, not one, not a date where dates are due, ambiguous in the zone, or with an
            offset where others have none.
        """
        if column.null_count:
            row = pc.index(pc.is_null(column), True).as_py()
            raise InputError(f"{place(row)}: no timestamp in column '{name}'")
        if len(column) == 0:
            return pa.nulls(0, pa.timestamp("us"))
        if pa.types.is_date32(column.type) and self._cadence.whole_days and _within(column, _FIRST, _LAST):
            # A date is what is wanted, as it stands.
            first = self.seen.get(False, f"{shown(column[0])} at {place(0)}, column '{name}'")
            refuse_mix({**self.seen, False: first})
            self.seen[False] = first
            return column.cast(pa.timestamp("us"))
        # The same few instants return with each asset, so each is parsed once.
        coded = column.dictionary_encode()
        codes = _numbers(coded.indices)
        unique = coded.dictionary

        def where(code: int) -> str:
            return f"{place(int(np.argmax(codes == code)))}, column '{name}'"

        if pa.types.is_timestamp(unique.type) or pa.types.is_date(unique.type):
            wall, utc, aware = _from_typed(unique, where)
            if pa.types.is_timestamp(unique.type):
                unique = unique.cast(pa.timestamp("us", unique.type.tz))  # pyarrow shows nanoseconds by pandas
        elif pa.types.is_string(unique.type):
            unique = pc.utf8_trim_whitespace(unique)
            if "" in (texts := unique.to_pylist()):
                raise InputError(f"{where(texts.index(''))}: no timestamp")
            late = _match(unique, _MIDNIGHT_24)
            texts = pc.replace_substring_regex(unique, _MIDNIGHT_24, r"\100:00\2") if late.any() else unique
            if self._pattern in NUMBERED and _match(texts, _NUMBER).all():
                wall, utc, aware = _from_numbers(texts, self._pattern, where)
            elif self._pattern is None or typed:
                wall, utc, aware = _from_iso(texts, where)
            else:
                wall, utc, aware = _from_pattern(texts, self._pattern, where)
            if late.any() and not self._cadence.whole_days:  # of days it is the one that is written
                wall = wall + late * _DAY
                utc = None if utc is None else utc + late * _DAY
        elif self._pattern in NUMBERED and _is_number(unique.type):
            wall, utc, aware = _from_numbers(unique, self._pattern, where)
        else:
            raise InputError(f"{place(0)}: column '{name}' holds {unique.type}, not timestamps", hint=_NUMBERS_HINT)
        seen = dict(self.seen)
        for kind in (False, True):
            if kind not in seen and kind in aware:
                code = int(np.argmax(aware == kind))
                seen[kind] = f"{shown(unique[code])} at {where(code)}"
        if not self._mixed:
            refuse_mix(seen)
        read = self._dates if self._cadence.whole_days else self._instants
        moments = read(wall, utc, unique, where)
        bad = (moments < _FIRST) | (moments > _LAST)
        _refuse(bad, unique, where, "is outside the years 1 to 9999")
        # Only now: a row that was refused says nothing about the others.
        self.seen.update(seen)
        return arrow.to_numbers(moments[codes], pa.timestamp("us"))

    def _dates(self, wall: Moments, utc: Moments | None, texts: pa.Array, where: Place) -> Moments:
        complaint = f"is not a date though the cadence is {self._cadence.name}"
        if pa.types.is_date(texts.type) or self._dated:
            dated = np.ones(len(wall), bool)
        elif pa.types.is_string(texts.type):
            dated = _match(texts, rf"^\d{{4}}-\d{{2}}-\d{{2}}$|{_MIDNIGHT_24}")
        else:
            dated = np.zeros(len(wall), bool)
        return self._days.of(wall, utc, dated, lambda bad, hint: _refuse(bad, texts, where, complaint, hint=hint))

    def _instants(self, wall: Moments, utc: Moments | None, texts: pa.Array, where: Place) -> Moments:
        if utc is not None:
            return utc
        if self._zone is None:
            _refuse(
                np.ones(len(wall), bool),
                texts,
                where,
                "has no offset from UTC, and the source no time zone",
                hint='set timezone = "UTC", or where its clocks stand, as "Europe/Paris"',
            )
        _refuse((wall < _FIRST) | (wall > _LAST), texts, where, "is outside the years 1 to 9999")
        if self._zone == "UTC":
            return wall
        before, after = _offsets(wall, ZoneInfo(self._zone or "UTC"))
        hint = "write the timestamps with their offset from UTC"
        _refuse(before > after, texts, where, f"happens twice in {self._zone}, when clocks go back", hint=hint)
        _refuse(before < after, texts, where, f"does not exist in {self._zone}, when clocks go forward", hint=hint)
        return wall - before


def _within(dates: pa.Array, first: np.datetime64, last: np.datetime64) -> bool:
    ends = pc.min_max(dates.cast(pa.int32()))
    days = [moment.astype("datetime64[D]").astype(int) for moment in (first, last)]
    return bool(days[0] <= ends["min"].as_py() and ends["max"].as_py() <= days[1])


def refuse_mix(seen: dict[bool, str]) -> None:
    """Refuse timestamps of which some have an offset and some have none.

    Raises
    ------
    InputError
        Naming one of each.
    """
    if len(seen) == 2:
        raise InputError(
            f"timestamps with and without an offset from UTC: {seen[True]} and {seen[False]}",
            hint="write all of them alike",
        )


def wall_clock(moment: np.datetime64, timezone: str) -> datetime:
    """What clocks in a zone show at a UTC instant, without the zone."""
    utc = datetime.fromisoformat(str(moment.astype("datetime64[us]"))).replace(tzinfo=UTC)
    return utc.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)


def shown(value: object) -> str:
    """A value from a file as it stands in errors: quoted, and not endless.

    >>> shown("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'"
    """
    text = str(value)
    return f"'{text[:40]}...'" if len(text) > 60 else f"'{text}'"


_Read = tuple[Moments, Moments | None, NDArray[np.bool_]]
# Wall-clock time, UTC (None where there is no offset), and which have an offset. All (n,), without zone.


def _from_iso(texts: pa.Array, where: Place) -> _Read:
    wrong = ~_match(texts, _ISO)
    if wrong.any():
        first = texts[int(np.argmax(wrong))].as_py()
        hint = "write 2017-01-31 or 2017-01-31T06:00:00Z, or set timestamp_format"
        _refuse(wrong, texts, where, "is not a timestamp", hint=_NUMBERS_HINT if re.fullmatch(_NUMBER, first) else hint)
    aware = _match(texts, _AWARE)
    if not aware.any():
        return _parsed(texts, texts, where), None, aware
    bare = pc.if_else(pc.match_substring_regex(texts, _AWARE), pc.replace_substring_regex(texts, _OFFSET, ""), texts)
    wall = _parsed(bare, texts, where)
    ends = [text[len(rest) :] for text, rest in zip(texts.to_pylist(), bare.to_pylist(), strict=True)]
    minutes = {end: _minutes(end) for end in set(ends)}
    _refuse(np.array([minutes[end] is None for end in ends]), texts, where, "is not a timestamp")
    return wall, wall - np.array([minutes[end] for end in ends], "timedelta64[m]"), aware


def _minutes(offset: str) -> int | None:
    """An offset from UTC as ISO 8601 writes it; None if there is no such."""
    digits = offset[1:].replace(":", "")
    hours, minutes = int(digits[:2] or 0), int(digits[2:] or 0)
    if hours > 23 or minutes > 59:
        return None
    return (hours * 60 + minutes) * (-1 if offset[:1] == "-" else 1)


def _parsed(texts: pa.Array, shown: pa.Array, where: Place) -> Moments:
    """ISO text without an offset, as it stands."""
    with suppress(pa.ArrowInvalid):
        return _numbers(texts.cast(pa.timestamp("us"))).view("datetime64[us]")
    # At least one is no moment, or finer than Arrow reads.
    listed = texts.to_pylist()
    try:
        moments = np.array(listed).astype("datetime64[us]")
    except ValueError:  # it does not say which
        _refuse(np.array([not _is_moment(text) for text in listed]), shown, where, "is not a timestamp")
        raise
    _refuse(_match(texts, _FINER), shown, where, "is finer than a microsecond")
    return moments


def _is_moment(text: str) -> bool:
    try:
        np.datetime64(text)
    except ValueError:
        return False
    return True


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _from_numbers(column: pa.Array, pattern: str, where: Place) -> _Read:
    """Numbers or their text, by what the pattern says they count."""
    factor, divisor = NUMBERED[pattern]
    try:
        values = column.cast(pa.int64()).to_pylist()
    except pa.ArrowInvalid:  # fractions, or far beyond any year
        values = [Decimal(str(value)) for value in column.to_pylist()]
        _refuse(np.array([not value.is_finite() for value in values]), column, where, "is not a timestamp")
    start = _EXCEL if pattern == "excel" else _UNIX
    low, high = (int((end - start).astype(np.int64)) * divisor // factor for end in (_FIRST, _LAST))
    _refuse(
        np.array([not low < value < high for value in values]),
        column,
        where,
        f"is outside the years 1 to 9999 by timestamp_format '{pattern}'",
        hint="set timestamp_format to the unit that it counts",
    )
    finer = np.array([isinstance(value, int) and value % divisor != 0 for value in values])
    _refuse(finer, column, where, "is finer than a microsecond")
    step = 1_000 if pattern == "excel" else 1  # as finely as a float tells days
    counted = [
        value * factor // divisor if isinstance(value, int) else round(value * factor / divisor / step) * step
        for value in values
    ]
    wall = start + np.array(counted, "timedelta64[us]")
    if pattern == "excel":
        return wall, None, np.zeros(len(wall), bool)
    return wall, wall, np.ones(len(wall), bool)


def _from_pattern(texts: pa.Array, pattern: str, where: Place) -> _Read:
    if pattern in NUMBERED:
        _refuse(~_match(texts, _NUMBER), texts, where, f"does not fit timestamp_format '{pattern}'")
    wall = _padded(texts, pattern)
    if wall is not None:
        return wall, None, np.zeros(len(texts), bool)
    moments = []
    for code, text in enumerate(texts.to_pylist()):
        try:
            moments.append(_by_pattern(text, pattern))
        except ValueError:
            raise InputError(f"{where(code)}: {shown(text)} does not fit timestamp_format '{pattern}'") from None
    finer = np.array([moment is None for moment in moments])
    _refuse(finer, texts, where, "is finer than a microsecond")
    read = [moment for moment in moments if moment is not None]
    wall = np.array([moment.replace(tzinfo=None) for moment in read], "datetime64[us]")
    if "%z" not in pattern:
        return wall, None, np.zeros(len(texts), bool)
    return wall, wall - np.array([moment.utcoffset() for moment in read], "timedelta64[us]"), np.ones(len(texts), bool)


def _padded(texts: pa.Array, pattern: str) -> Moments | None:
    """Read text in which every number has all its digits, as nearly all text has, at once.

    Returns
    -------
    What strptime gives; None where one text or the pattern is of another kind, or one is no moment.
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
        return _numbers(pc.replace_substring_regex(texts, regex, iso).cast(pa.timestamp("us"))).view("datetime64[us]")
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


def _from_typed(column: pa.Array, where: Place) -> _Read:
    zone = getattr(column.type, "tz", None)
    if pa.types.is_date(column.type):
        column = column.cast(pa.date32(), safe=False).cast(pa.timestamp("s"))
    stored = _numbers(column.cast(pa.timestamp(column.type.unit))).view(f"datetime64[{column.type.unit}]")
    moments = stored.astype("datetime64[us]")
    _refuse(moments != stored, column, where, "is finer than a microsecond")
    if zone is None:
        return moments, None, np.zeros(len(column), bool)
    _refuse((moments < _FIRST) | (moments > _LAST), column, where, "is outside the years 1 to 9999")
    known = pa.lib.string_to_tzinfo(zone)
    offsets = [moment.astimezone(known).utcoffset() for moment in _datetimes(moments, UTC)]
    return moments + np.array(offsets, "timedelta64[us]"), moments, np.ones(len(column), bool)


def _offsets(wall: Moments, zone: ZoneInfo) -> tuple[NDArray[np.timedelta64], NDArray[np.timedelta64]]:
    """What wall-clock times are ahead of UTC by, before and after a change of clock; the same where there is none."""
    days, places = np.unique(wall.astype("datetime64[D]"), return_inverse=True)
    starts = _both(days.astype("datetime64[us]"), zone)
    ends = _both(np.minimum(days + _DAY, _LAST.astype("datetime64[D]")).astype("datetime64[us]"), zone)
    # A day that begins and ends with the same offset has no change, so that its times need not be asked one by one.
    calm = ((starts == starts[:1]) & (ends == starts[:1])).all(axis=0)[places]
    found = starts[:, places]
    found[:, ~calm] = _both(wall[~calm], zone)
    return found[0], found[1]


def _both(wall: Moments, zone: ZoneInfo) -> NDArray[np.timedelta64]:
    """(2, n) offsets before and after a change of clock at that time."""
    moments = _datetimes(wall, zone)
    return np.array(
        [[moment.replace(fold=fold).utcoffset() for moment in moments] for fold in (0, 1)], "timedelta64[us]"
    )


def _datetimes(moments: Moments, zone: tzinfo) -> Sequence[datetime]:
    return [moment.replace(tzinfo=zone) for moment in moments.astype("datetime64[us]").tolist()]


def _numbers(column: pa.Array) -> NDArray[np.int64]:
    return arrow.numbers(pa.chunked_array([column.cast(pa.int64())]), "int64")


def _match(texts: pa.Array, pattern: str) -> NDArray[np.bool_]:
    return np.array(pc.match_substring_regex(texts, pattern).to_pylist(), bool)


def _refuse(bad: NDArray[np.bool_], texts: pa.Array, where: Place, complaint: str, *, hint: str | None = None) -> None:
    """Name the first that is bad, if one is."""
    if bad.any():
        code = int(np.argmax(bad))
        raise InputError(f"{where(code)}: {shown(texts[code])} {complaint}", hint=hint)
