"""Timestamps as sources write them -> UTC instants, or dates where the cadence is whole days."""

from __future__ import annotations

import re
from typing import Literal, Self
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomscan.config import SourceSettings
from anomscan.errors import InputError
from anomscan.tables.days import Days
from anomscan.tables.moments import (
    MIDNIGHT_24,
    NUMBER,
    RowsError,
    Where,
    from_iso,
    from_numbers,
    from_pattern,
    from_typed,
    integers,
    is_number,
    match,
    number_hint,
    refuse,
    shown,
)
from anomscan.tables.zones import FIRST, LAST, Moments, offsets
from anomscan.telemetry import arrow
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.patterns import NUMBERED, check_pattern

_DAY = np.timedelta64(1, "D")


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

    @classmethod
    def of(cls, settings: SourceSettings, cadence: Cadence) -> Self:
        """Those of a source.

        Raises
        ------
        ConfigError
            If its ``timestamp_format`` cannot be one.
        """
        return cls(cadence, settings.timezone, settings.timestamp_format, day_stamp=settings.day_stamp)

    def read(self, column: pa.Array, name: str, place: Where, *, typed: bool = False) -> pa.Array:
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
            missing = np.flatnonzero(arrow.flags(pc.is_null(column)))
            raise RowsError.of(missing, lambda row: f": no timestamp in column '{name}'", place)
        if len(column) == 0:
            return pa.nulls(0, pa.timestamp("us"))
        if pa.types.is_date32(column.type) and self._cadence.whole_days and _within(column, FIRST, LAST):
            # A date is what is wanted, as it stands.
            self._refuse_mix(np.zeros(len(column), bool), False, column, lambda row: f"{place(row)}, column '{name}'")
            self.seen.setdefault(False, f"{shown(column[0])} at {place(0)}, column '{name}'")
            return column.cast(pa.timestamp("us"))
        # The same few instants return with each asset, so each is parsed once.
        coded = column.dictionary_encode()
        codes, unique = integers(coded.indices), coded.dictionary
        kind = unique.type
        counted = self._pattern in NUMBERED and is_number(kind)
        if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_string(kind) or counted):
            hint = number_hint(str(unique[0])) if is_number(kind) else None
            raise InputError(f"{place(0)}: column '{name}' holds {kind}, not timestamps", hint=hint)

        def where(code: int) -> str:
            return f"{place(int(np.argmax(codes == code)))}, column '{name}'"

        try:
            moments, aware, unique = self._moments(unique, np.bincount(codes), where, typed=typed)
        except RowsError as error:
            what, wrong = error.what, np.isin(codes, error.rows)

            def what_of_row(row: int) -> str:
                return f", column '{name}'{what(int(codes[row]))}"

            raise RowsError.of(np.flatnonzero(wrong), what_of_row, place, hint=error.hint) from None
        # Only now: a row that was refused says nothing about the others.
        for offset in (False, True):
            if offset not in self.seen and offset in aware:
                code = int(np.argmax(aware == offset))
                self.seen[offset] = f"{shown(unique[code])} at {where(code)}"
        return arrow.to_numbers(moments[codes], pa.timestamp("us"))

    def _moments(
        self, column: pa.Array, counts: NDArray[np.int64], where: Where, *, typed: bool
    ) -> tuple[Moments, NDArray[np.bool_], pa.Array]:
        """Distinct timestamps, each there so many times -> UTC instants or midnights; which have an offset; as text."""
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            wall, utc, aware = from_typed(column, where)
            if pa.types.is_timestamp(column.type):
                column = column.cast(pa.timestamp("us", column.type.tz))  # pyarrow shows nanoseconds by pandas
        elif pa.types.is_string(column.type):
            column = pc.utf8_trim_whitespace(column)
            empty = np.array([not text for text in column.to_pylist()])
            if empty.any():
                raise RowsError.of(np.flatnonzero(empty), lambda code: ": no timestamp", where)
            late = match(column, MIDNIGHT_24)
            texts = pc.replace_substring_regex(column, MIDNIGHT_24, r"\100:00\2") if late.any() else column
            if self._pattern in NUMBERED and match(texts, NUMBER).all():
                wall, utc, aware = from_numbers(texts, self._pattern, where)
            elif self._pattern is None or typed:
                wall, utc, aware = from_iso(texts, where)
            else:
                wall, utc, aware = from_pattern(texts, self._pattern, where)
            if late.any() and not self._cadence.whole_days:  # of days it is the one that is written
                wall = wall + late * _DAY
                utc = None if utc is None else utc + late * _DAY
        else:
            wall, utc, aware = from_numbers(column, str(self._pattern), where)
        if not self._mixed:
            with_offset, without = counts[aware].sum(), counts[~aware].sum()
            self._refuse_mix(aware, bool(with_offset > without or (with_offset == without and aware[0])), column, where)
        read = self._dates if self._cadence.whole_days else self._instants
        moments = read(wall, utc, column, where)
        refuse((moments < FIRST) | (moments > LAST), column, where, "is outside the years 1 to 9999")
        return moments, aware, column

    def _refuse_mix(self, aware: NDArray[np.bool_], usual: bool, column: pa.Array, where: Where) -> None:
        """Refuse timestamps with an offset where others have none, and the other way round.

        Parameters
        ----------
        aware
            (n,) which have one.
        usual
            Whether most have one; what was seen before counts for more.
        """
        usual = next(iter(self.seen), usual)
        if (aware == usual).all():
            return
        other = self.seen.get(usual)
        if other is None:
            like = int(np.argmax(aware == usual))
            other = f"{shown(column[like])} at {where(like)}"
        has = "has no" if usual else "has an"
        raise RowsError.of(
            np.flatnonzero(aware != usual),
            lambda row: f": {shown(column[row])} {has} offset from UTC, unlike {other}",
            where,
            hint="write all of them alike",
        )

    def _dates(self, wall: Moments, utc: Moments | None, texts: pa.Array, where: Where) -> Moments:
        complaint = f"is not a date though the cadence is {self._cadence.name}"
        if pa.types.is_date(texts.type) or self._dated:
            dated = np.ones(len(wall), bool)
        elif pa.types.is_string(texts.type):
            dated = match(texts, rf"^\d{{4}}-\d{{2}}-\d{{2}}$|{MIDNIGHT_24}")
        else:
            dated = np.zeros(len(wall), bool)
        return self._days.of(wall, utc, dated, lambda bad, hint: refuse(bad, texts, where, complaint, hint=hint))

    def _instants(self, wall: Moments, utc: Moments | None, texts: pa.Array, where: Where) -> Moments:
        if utc is not None:
            return utc
        if self._zone is None:
            refuse(
                np.ones(len(wall), bool),
                texts,
                where,
                "has no offset from UTC, and the source no time zone",
                hint='set timezone = "UTC", or where its clocks stand, as "Europe/Paris"',
            )
        refuse((wall < FIRST) | (wall > LAST), texts, where, "is outside the years 1 to 9999")
        if self._zone == "UTC":
            return wall
        before, after = offsets(wall, ZoneInfo(self._zone or "UTC"))
        hint = "write the timestamps with their offset from UTC"
        refuse(before > after, texts, where, f"happens twice in {self._zone}, when clocks go back", hint=hint)
        refuse(before < after, texts, where, f"does not exist in {self._zone}, when clocks go forward", hint=hint)
        return wall - before


def _within(dates: pa.Array, first: np.datetime64, last: np.datetime64) -> bool:
    ends = pc.min_max(dates.cast(pa.int32()))
    days = [moment.astype("datetime64[D]").astype(int) for moment in (first, last)]
    return bool(days[0] <= ends["min"].as_py() and ends["max"].as_py() <= days[1])
