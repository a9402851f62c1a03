"""What the hint of an unreadable timestamp says is right: with it the file is read."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.sources.base import Request

COLUMNS = Columns(asset="a", timestamp="t", values=("v",))


@pytest.mark.parametrize(
    ("text", "several"),
    [
        ("31.01.2017", False),
        ("31/01/2017", False),
        ("01/31/2017", False),
        ("31-01-2017", False),
        ("2017/01/31", False),
        ("2017.01.31", False),
        ("31.01.17", False),
        ("31.01.2017 00:00", False),
        ("01/31/2017 12:00:00 AM", False),
        ("Jan 31 2017", False),
        ("January 31, 2017", False),
        ("31-Jan-2017", False),
        ("01/02/2017", True),
    ],
)
def test_the_pattern_that_is_named_reads_the_file(tmp_path: Path, files: Any, text: str, several: bool) -> None:
    (tmp_path / "t.csv").write_text(f"a;t;v\nx;{text};1\n")
    with pytest.raises(InputError, match=r"is not a timestamp \(set timestamp_format = ") as caught:
        list(files("t.csv", columns=COLUMNS).fetch(Request()))
    assert ("whichever it is" in str(caught.value)) == several
    patterns = re.findall(r'"(%[^"]*)"', str(caught.value))
    days = set()
    for pattern in patterns:
        items = list(files("t.csv", columns=COLUMNS, timestamp_format=pattern).fetch(Request()))
        rows = [row for table in items if hasattr(table, "num_rows") for row in table.to_pylist()]
        days |= {row["timestamp"].date() for row in rows}
    assert days == ({date(2017, 1, 2), date(2017, 2, 1)} if several else {date(2017, 1, 31)})


def test_what_fits_no_pattern_is_shown_how_to_write_it(tmp_path: Path, files: Any) -> None:
    (tmp_path / "t.csv").write_text("a,t,v\nx,soon,1\n")
    with pytest.raises(InputError, match=r"\(write 2017-01-31 or 2017-01-31T06:00:00Z, or set timestamp_format\)"):
        list(files("t.csv", columns=COLUMNS).fetch(Request()))
