"""Numbers as sources write them: words for none, per cent, and limits to what is plausible."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomscan.errors import InputError
from anomscan.tables.moments import RowsError, Where, is_number, shown
from anomscan.telemetry import arrow
from anomscan.telemetry.rows import value_column

#: How every source may spell a missing value, in small letters or capitals.
MISSING = ("", "-", "n/a", "na", "nan", "-nan", "none", "null", r"\n", "#n/a", "<na>", "nat")
_CASES = tuple(dict.fromkeys(case for word in MISSING for case in (word, word.upper(), word.title(), "NaN", "NaT")))
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.ASCII | re.IGNORECASE)
_PERCENT = r"\s*%$"
_INTEGER = re.compile(r"[+-]?\d{1,400}", re.ASCII)

#: From here on not every integer is a float64.
EXACT = 2.0**53

Signs = Callable[[pa.Array], pa.Array]


class Numbers:
    """Reads the values of one source.

    Parameters
    ----------
    missing
        How it spells a missing value beside ``MISSING``; what is a number there means that number, however written.
    """

    def __init__(self, missing: Iterable[str] = ()) -> None:
        words = [word.strip() for word in missing]
        self._words = arrow.to_texts([*_CASES, *words])
        self._codes = np.array([float(word) for word in words if _NUMBER.fullmatch(word)], np.float64)
        self._percent = ""  # where a per cent sign was first seen
        self.rounded: list[str] = []  # at most one sentence: which integer a value does not keep

    def told(self) -> list[str]:
        """What the user should hear of how values were read."""
        return [f"per cent signs are read as hundredths, {self._percent}"] if self._percent else []

    def read(self, column: pa.Array, name: str, place: Where, signs: Signs | None = None) -> pa.Array:
        """One column of values.

        Parameters
        ----------
        column
            (n,) numbers or text. ``12.5 %`` is 0.125.
        name
            The column's name, for errors.
        place
            Where row i stands, for errors.
        signs
            Makes plain numbers of text with other signs; None where they are plain.

        Returns
        -------
        (n,) float64, null where missing.

        Raises
        ------
        InputError
            For the first that is not a finite number.
        """
        kind = column.type
        if pa.types.is_string(kind):
            numbers = self._parsed(column, name, place, signs)
        elif pa.types.is_null(kind) or is_number(kind):
            numbers = column.cast(pa.float64(), safe=False)
        else:
            raise InputError(f"{place(0)}: column '{name}' holds {kind}, not numbers")
        if not self.rounded:
            self.rounded += _inexact(column, numbers, name, place)
        if len(self._codes):
            codes = self._codes.astype(np.float32).astype(np.float64) if pa.types.is_float32(kind) else self._codes
            numbers = _without(numbers, pc.is_in(numbers, arrow.to_numbers(codes, pa.float64())))
        if pc.all(pc.is_finite(numbers)).as_py() is not False:  # None where all are missing
            return numbers
        infinite = arrow.flags(pc.is_inf(numbers))
        if infinite.any():
            raise RowsError.of(
                np.flatnonzero(infinite),
                lambda row: f", column '{name}': {shown(column[row])} is infinite",
                place,
                hint="leave the value empty where there is none",
            )
        return _without(numbers, pc.is_nan(numbers))

    def _parsed(self, column: pa.Array, name: str, place: Where, signs: Signs | None) -> pa.Array:
        if signs is None and (numbers := _cast(column)) is not None:
            return numbers
        trimmed = pc.utf8_trim_whitespace(column)
        texts = pc.if_else(pc.is_in(trimmed, self._words), pa.nulls(1, pa.string())[0], trimmed)
        plain = texts if signs is None else signs(texts)
        numbers = _cast(plain)
        if numbers is not None:
            return numbers
        share = pc.match_substring_regex(texts, _PERCENT)
        if pc.any(share).as_py():
            bare = pc.replace_substring_regex(texts, _PERCENT, "")
            hundredths = pc.replace_substring_regex(bare if signs is None else signs(bare), "$", "e-2")
            plain = pc.if_else(share, hundredths, plain)
        numbers = _each(plain, column, name, place)
        if not self._percent and pc.any(share).as_py():
            row = int(np.argmax(arrow.flags(share)))
            self._percent = f"{place(row)}, column '{name}': {shown(column[row])} as {numbers[row]}"
        return numbers


def _inexact(column: pa.Array, numbers: pa.Array, name: str, place: Where) -> list[str]:
    """The first integer of a column that a float64 does not keep, as a sentence; nothing if there is none."""
    ends = pc.min_max(numbers)
    if not max(-(ends["min"].as_py() or 0), ends["max"].as_py() or 0) >= EXACT:
        return []
    for row in np.flatnonzero(np.abs(arrow.floats(pa.chunked_array([numbers]))) >= EXACT).tolist():
        written, kept = str(column[row].as_py()).strip(), numbers[row].as_py()
        if _INTEGER.fullmatch(written) and int(written) != kept:
            shorter = f"{written[:40]}, an integer of {len(written)} digits, is kept as {kept!r}"
            return [f"{place(row)}, column '{name}': {shorter}: values are 64-bit floats"]
    return []


def _each(texts: pa.Array, column: pa.Array, name: str, place: Where) -> pa.Array:
    """Text as float64, one by one, so that a text that is not a number can be named."""
    # SAP writes the sign at the end.
    ahead = pc.replace_substring_regex(texts, r"^(\d[\d.]*)-$", r"-\1")
    listed = pc.replace_substring(ahead, "\N{MINUS SIGN}", "-").to_pylist()
    wrong = np.array([text is not None and not _NUMBER.fullmatch(text) for text in listed], bool)
    if wrong.any():
        hint = "if it stands for a missing value, name it in missing"
        if re.search(r"\d[.,;' ]+\d", listed[int(np.argmax(wrong))] or ""):
            hint = "if it is one, write it as 1234.5; for files decimal and thousands say how it is written"
        raise RowsError.of(
            np.flatnonzero(wrong),
            lambda row: f", column '{name}': {shown(column[row])} is not a number",
            place,
            hint=hint,
        )
    return arrow.to_floats(np.array([np.nan if text is None else float(text) for text in listed]))


def _cast(texts: pa.Array) -> pa.Array | None:
    """Text as float64; None where Arrow cannot read one, or reads as NaN what is not missing, such as nan(1)."""
    try:
        numbers = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    return None if pc.any(pc.is_nan(numbers)).as_py() else numbers


def _without(numbers: pa.Array, out: pa.Array) -> pa.Array:
    return pc.if_else(out, pa.nulls(1, pa.float64())[0], numbers)


class Plausible:
    """Puts aside what a variable cannot be.

    Parameters
    ----------
    limits
        Variable -> its lowest and its highest value.
    """

    def __init__(self, limits: Mapping[str, tuple[float, float]] | None = None) -> None:
        self._limits = {value_column(name): (name, low, high) for name, (low, high) in (limits or {}).items()}

    def without(self, rows: pa.Table) -> tuple[pa.Table, dict[int, str]]:
        """The rows with impossible values missing, and by row what they were."""
        found: dict[int, str] = {}
        for column, (name, low, high) in self._limits.items():
            values = arrow.floats(rows[column])
            out = (values < low) | (values > high)
            if out.any():
                for row in np.flatnonzero(out).tolist():
                    before = f"{found[row]}; " if row in found else ""
                    found[row] = f"{before}column '{name}': {values[row]:g} is not plausible ({low:g} to {high:g})"
                place = rows.schema.get_field_index(column)
                kept = arrow.to_floats(np.where(out, np.nan, values))
                rows = rows.set_column(place, rows.schema.field(place), kept)
        return rows, found
