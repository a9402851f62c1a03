"""Cells of CSV as programs and spreadsheets both read them: no text of the data is a formula."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What a spreadsheet takes for the beginning of a formula, behind blanks, and in full width too; quotes before it are
# ours, or could be taken for ours.
_FORMULA = re.compile(r"\s*'*\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def csv_row(cells: Iterable[str | float | None]) -> str:
    r"""A row, all text quoted; None is an empty cell.

    >>> print(csv_row(["007", 1.5, None, "=1+1"]), end="")
    "007",1.5,,"'=1+1"
    """
    return ",".join(csv_cell(cell) for cell in cells) + "\n"


def csv_cell(cell: str | float | None) -> str:
    """One cell."""
    if cell is None:
        return ""
    if not isinstance(cell, str):
        return str(cell)
    return '"' + guarded(cell).replace('"', '""') + '"'


def guarded(text: str) -> str:
    """The text behind a single quote, if a spreadsheet would take it for a formula; any other text as it is.

    Different texts stay different, and a reader that takes away one quote before a formula has the text again.

    >>> guarded("=HYPERLINK(A1)"), guarded("'=A1"), guarded("S-01")
    ("'=HYPERLINK(A1)", "''=A1", 'S-01')
    """
    return f"'{text}" if _FORMULA.match(text) else text
