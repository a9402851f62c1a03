"""Timestamps as sources write them -> UTC instants, or dates where the cadence is whole days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from anomscan.errors import ConfigError, InputError
from anomscan.telemetry.cadence import Cadence

_OFFSET = r"(Z|[+-]\d{2}(:?\d{2})?)$"
_AWARE = rf"[T ]\d{{2}}:[0-9:.]*{_OFFSET}"
_ISO = rf"^\d{{4}}-\d{{2}}-\d{{2}}([T ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d{{1,9}})?)?({_OFFSET[:-1]})?)?$"
_FIRST = np.datetime64("0001-01-01", "us")
_LAST = np.datetime64("9999-12-31T23:59:59.999999", "us")

Place = Callable[[int], str]


class Times:
    """Reads the timestamps of one source, which all have an offset or all have none.

    Parameters
    ----------
    cadence
        Where it is whole days a sample is the date as written (of a timestamp with an offset: the date there), and its
        time of day must be 00:00. Otherwise a sample is an instant.
    timezone
        IANA name; where instants without an offset stand. None: they are refused.
    pattern
        How text is written, as for strptime; None for ISO 8601.

    Raises
    ------
    ConfigError
        If the pattern cannot be one.
    """

    def __init__(self, cadence: Cadence, timezone: str | None, pattern: str | None) -> None:
        if pattern is not None and ("%" not in pattern or "%Z" in pattern):
            raise ConfigError(
                f"timestamp_format '{pattern}' is not understood", hint="write it as %d.%m.%Y %H:%M; %z is an offset"
            )
        self._cadence = cadence
        self._zone = timezone
        self._pattern = pattern
        #: The first timestamp seen with (True) and without (False) an offset, and where it stood.
        self.seen: dict[bool, str] = {}

    def read(self, column: pa.Array, name: str, place: Place, *, typed: bool = False) -> pa.Array:
        """One column of timestamps.

        Parameters
        ----------
        column
            (n,) text, dates or timestamps.
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
            return pa.array([], pa.timestamp("us"))
        if pa.types.is_date32(column.type) and self._cadence.whole_days and _within(column, _FIRST, _LAST):
            # A date is what is wanted, as it stands.
            first = self.seen.get(False, f"{shown(column[0])} at {place(0)}, column '{name}'")
            refuse_mix({**self.seen, False: first})
            self.seen[False] = first
            return column.cast(pa.timestamp("us"))
        # The same few instants return with each asset, so each is parsed once.
        coded = column.dictionary_encode()
        codes = coded.indices.to_numpy()
        unique = coded.dictionary

        def where(code: int) -> str:
            return f"{place(int(np.argmax(codes == code)))}, column '{name}'"

        if pa.types.is_timestamp(unique.type) or pa.types.is_date(unique.type):
            wall, utc, aware = _from_typed(unique, where)
        elif pa.types.is_string(unique.type):
            unique = pc.utf8_trim_whitespace(unique)
            if "" in (texts := unique.to_pylist()):
                raise InputError(f"{where(texts.index(''))}: no timestamp")
            if self._pattern is None or typed:
                wall, utc, aware = _from_iso(unique, where)
            else:
                wall, utc, aware = _from_pattern(unique, self._pattern, where)
        else:
            raise InputError(
                f"{place(0)}: column '{name}' holds {unique.type}, not timestamps", hint="write them as ISO 8601 text"
            )
        seen = dict(self.seen)
        for kind in (False, True):
            if kind not in seen and kind in aware:
                code = int(np.argmax(aware == kind))
                seen[kind] = f"{shown(unique[code])} at {where(code)}"
        refuse_mix(seen)
        moments = (
            self._dates(wall, unique, where) if self._cadence.whole_days else self._instants(wall, utc, unique, where)
        )
        bad = (moments < _FIRST) | (moments > _LAST)
        _refuse(bad, unique, where, "is outside the years 1 to 9999")
        # Only now: a row that was refused says nothing about the others.
        self.seen.update(seen)
        return pa.array(moments[codes], pa.timestamp("us"))

    def _dates(self, wall: pd.DatetimeIndex, texts: pa.Array, where: Place) -> np.ndarray[Any, np.dtype[np.datetime64]]:
        _refuse(
            _numpy(wall) != _numpy(wall.normalize()),
            texts,
            where,
            f"is not a date though the cadence is {self._cadence.name}",
            hint="declare the step between the samples as the cadence",
        )
        return _numpy(wall)

    def _instants(
        self, wall: pd.DatetimeIndex, utc: pd.DatetimeIndex | None, texts: pa.Array, where: Place
    ) -> np.ndarray[Any, np.dtype[np.datetime64]]:
        if utc is None:
            if self._zone is None:
                _refuse(
                    np.ones(len(wall), bool),
                    texts,
                    where,
                    "has no offset from UTC, and the source no time zone",
                    hint='set timezone = "UTC", or where its clocks stand, as "Europe/Paris"',
                )
            zone = ZoneInfo(self._zone or "UTC")
            local = wall.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward")
            hint = "write the timestamps with their offset from UTC"
            utc = local.tz_convert("UTC").tz_localize(None)
            _refuse(
                np.isnat(_numpy(utc)), texts, where, f"happens twice in {self._zone}, when clocks go back", hint=hint
            )
            shifted = _numpy(local.tz_localize(None)) != _numpy(wall)
            _refuse(shifted, texts, where, f"does not exist in {self._zone}, when clocks go forward", hint=hint)
        return _numpy(utc)


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


_Read = tuple[pd.DatetimeIndex, pd.DatetimeIndex | None, np.ndarray[Any, np.dtype[np.bool_]]]
# Wall-clock time, UTC (None where there is no offset), and which have an offset. All (n,), without zone.


def _from_iso(texts: pa.Array, where: Place) -> _Read:
    _refuse(
        ~_match(texts, _ISO),
        texts,
        where,
        "is not a timestamp",
        hint="write 2017-01-31 or 2017-01-31T06:00:00Z, or set timestamp_format",
    )
    aware = _match(texts, _AWARE)
    if not aware.any():
        wall = _parsed(texts, texts, where)
        return wall, None, aware
    bare = pc.if_else(pa.array(aware), pc.replace_substring_regex(texts, _OFFSET, ""), texts)
    return _parsed(bare, texts, where), _parsed(texts, texts, where), aware


def _parsed(texts: pa.Array, shown: pa.Array, where: Place) -> pd.DatetimeIndex:
    """ISO text as UTC; text without an offset as it stands."""
    index = pd.to_datetime(texts.to_pylist(), format="ISO8601", utc=True, errors="coerce").tz_localize(None)
    _refuse(index.isna(), shown, where, "is not a timestamp")
    return _microseconds(index, shown, where)


def _from_pattern(texts: pa.Array, pattern: str, where: Place) -> _Read:
    complaint = f"does not fit timestamp_format '{pattern}'"
    if "%z" not in pattern:
        index = pd.to_datetime(texts.to_pylist(), format=pattern, errors="coerce")
        _refuse(index.isna(), texts, where, complaint)
        return _microseconds(index, texts, where), None, np.zeros(len(texts), bool)
    # pandas keeps no offsets that differ from row to row, and a date needs its own.
    moments = []
    for code, text in enumerate(texts.to_pylist()):
        try:
            moments.append(datetime.strptime(text, pattern))  # %z is in the pattern, so the moment has a zone
        except ValueError:
            raise InputError(f"{where(code)}: {shown(text)} {complaint}") from None
    wall = pd.DatetimeIndex([moment.replace(tzinfo=None) for moment in moments])
    utc = pd.to_datetime(moments, utc=True).tz_localize(None)
    return _microseconds(wall, texts, where), _microseconds(utc, texts, where), np.ones(len(texts), bool)


def _from_typed(column: pa.Array, where: Place) -> _Read:
    zone = getattr(column.type, "tz", None)
    if pa.types.is_date(column.type):
        column = column.cast(pa.date32(), safe=False).cast(pa.timestamp("s"))
    index = pd.DatetimeIndex(column.cast(pa.timestamp(column.type.unit)).to_numpy(zero_copy_only=False))
    index = _microseconds(index, column, where)
    if zone is None:
        return index, None, np.zeros(len(column), bool)
    local = index.tz_localize("UTC").tz_convert(column.type.to_pandas_dtype().tz).tz_localize(None)
    return local, index, np.ones(len(column), bool)


def _microseconds(index: pd.DatetimeIndex, texts: pa.Array, where: Place) -> pd.DatetimeIndex:
    whole = index.as_unit("us")
    _refuse(whole != index, texts, where, "is finer than a microsecond")
    return whole


def _numpy(index: pd.DatetimeIndex) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    return index.to_numpy().astype("datetime64[us]")


def _match(texts: pa.Array, pattern: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    matched: np.ndarray[Any, np.dtype[np.bool_]] = pc.match_substring_regex(texts, pattern).to_numpy(
        zero_copy_only=False
    )
    return matched


def _refuse(
    bad: np.ndarray[Any, np.dtype[np.bool_]], texts: pa.Array, where: Place, complaint: str, *, hint: str | None = None
) -> None:
    """Name the first that is bad, if one is."""
    if bad.any():
        code = int(np.argmax(bad))
        raise InputError(f"{where(code)}: {shown(texts[code])} {complaint}", hint=hint)
