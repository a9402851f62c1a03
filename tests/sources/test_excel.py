"""Workbooks as people keep them."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from anomscan.config import Columns
from anomscan.errors import InputError, MissingExtraError
from anomscan.sources.base import Request, Source
from anomscan.tables.salvage import Reject
from workbooks import write_xlsx

Files = Callable[..., Source]
Parts = Callable[..., tuple[list[Any], list[Any], list[Any]]]
COLUMNS = Columns(asset="a", timestamp="t", values=("v",), health="h")
DAY = datetime(2017, 1, 1)


def rows_of(source: Source) -> list[tuple[Any, ...]]:
    tables = [item for item in source.fetch(Request()) if isinstance(item, pa.Table)]
    return sorted((tuple(row.values())[:-1] for table in tables for row in table.to_pylist()), key=str)


def test_a_sheet_as_spreadsheets_have_it(tmp_path: Path, files: Files, parts: Parts) -> None:
    rows = [
        ["Plant report", None, None, None, None],
        [],
        ["note", "a ", "t", "v", "h"],
        [None, None, None, "[%]", None],
        ["x", "A", date(2017, 1, 1), 0.5, "Good"],
        [None, 7, datetime(2017, 1, 2), 12, 3],
        [],
        ["a", "007", "2017-01-03", " n/a ", None],
        ["note", "a", "t", "v", "h"],
        [None, "A", 42739, "0,75", " "],
        [None, "A", date(2017, 1, 5), "#N/A", ""],
    ]
    path = write_xlsx(tmp_path / "t.xlsx", {"Cover": [["a", "b"]], "Daten": rows})
    source = files("t.xlsx", columns=COLUMNS)
    assert rows_of(source) == [
        ("007", datetime(2017, 1, 3), None, None),
        ("7", datetime(2017, 1, 2), 12.0, "3"),
        ("A", datetime(2017, 1, 1), 0.5, "Good"),
        ("A", datetime(2017, 1, 4), 0.75, None),
        ("A", datetime(2017, 1, 5), None, None),
    ]
    (told,) = (item.text for item in parts(source.fetch(Request()))[2])
    assert told == (
        f'{path} is read with decimal = ",", sheet = "Daten", a header in line 3, units_row = true; say so in the '
        "settings if it is right"
    )


def test_dates_written_as_text_may_stand_among_dates(tmp_path: Path, files: Files) -> None:
    rows = [["a", "t", "v", "h"], ["A", "01.02.2017", 1, None], ["A", date(2017, 2, 2), 2, None]]
    write_xlsx(tmp_path / "t.xlsx", {"S": rows})
    source = files("t.xlsx", columns=COLUMNS, timestamp_format="%d.%m.%Y")
    assert [row[1:3] for row in rows_of(source)] == [(datetime(2017, 2, 1), 1.0), (datetime(2017, 2, 2), 2.0)]


@pytest.mark.parametrize("step", [timedelta(minutes=10), timedelta(seconds=1), timedelta(milliseconds=250)])
def test_times_of_day_are_exact(tmp_path: Path, files: Files, step: timedelta) -> None:
    moments = [DAY + row * step for row in range(2_000)]
    serials = [(moment - datetime(1899, 12, 30)) / timedelta(1) for moment in moments]
    columns = Columns(timestamp="t", values=("v",))
    for name, cells in (("dates", moments), ("serials", serials)):
        rows = [["t", "v"], *([cell, 1] for cell in cells)]
        write_xlsx(tmp_path / f"{name}.xlsx", {"S": rows})
        source = files(f"{name}.xlsx", columns=columns, cadence="1s", timezone="UTC")
        assert sorted(row[1] for row in rows_of(source)) == moments


def test_rows_that_cannot_be_used_are_named(tmp_path: Path, files: Files) -> None:
    rows = [
        ["a", "t", "v", "h"],
        ["A", DAY, 1, None],
        ["A", "soon", 2, None],
        ["B", DAY, True, None],
        ["Total", None, 3],
    ]
    path = write_xlsx(tmp_path / "t.xlsx", {"S": rows})
    rejects = [item for item in files("t.xlsx", columns=COLUMNS).fetch(Request()) if isinstance(item, Reject)]
    assert sorted(reject.reason for reject in rejects) == [
        f"{path} row 3, column 't': 'soon' is not a timestamp",
        f"{path} row 4, column 'v': 'True' is not a number",
        f"{path} row 5: no timestamp in column 't'",
    ]


def test_wide(tmp_path: Path, files: Files) -> None:
    rows = [["t", "A", "B", None, "Sum"], [DAY, 1, None, None, 1], [DAY + timedelta(1), "x", 0.5, "remark", 2]]
    write_xlsx(tmp_path / "t.xlsx", {"S": rows})
    source = files("t.xlsx", layout="wide", columns=Columns(timestamp="t", values=("v",), ignore=("Sum",)))
    assert [row[:3] for row in rows_of(source)] == [("A", DAY, 1.0), ("B", DAY + timedelta(1), 0.5)]


def test_a_sheet_may_be_named(tmp_path: Path, files: Files, parts: Parts) -> None:
    header = ["a", "t", "v", "h"]
    write_xlsx(tmp_path / "t.xlsx", {"1": [header, ["A", DAY, 1]], "2": [["off"], header, ["A", DAY, 2]]})
    source = files("t.xlsx", columns=COLUMNS, sheet="2", skip_rows=[1])
    assert [row[2] for row in rows_of(source)] == [2.0]
    assert parts(source.fetch(Request()))[2] == []
    (told,) = (item.text for item in parts(files("t.xlsx", columns=COLUMNS).fetch(Request()))[2])
    assert "sheet = \"1\", not sheet '2', which has the columns, too;" in told
    with pytest.raises(InputError, match=r"t\.xlsx has no sheet '3' \(it has: 1, 2\)"):
        rows_of(files("t.xlsx", columns=COLUMNS, sheet="3"))


def test_broken_workbooks(tmp_path: Path, files: Files) -> None:
    path = write_xlsx(tmp_path / "whole.xlsx", {"S": [["x", "y"], [1, 2]]})
    with pytest.raises(InputError, match=r"whole\.xlsx has no column 'a'"):
        rows_of(files("whole.xlsx", columns=COLUMNS))
    whole = path.read_bytes()
    for end in range(0, len(whole), 101):
        (tmp_path / "t.xlsx").write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"t\.xlsx is not a whole workbook"):
            rows_of(files("t.xlsx", columns=COLUMNS))
    write_xlsx(tmp_path / "t.xlsx", {"S": []})
    with pytest.raises(InputError, match=r"t\.xlsx is empty"):
        rows_of(files("t.xlsx", columns=COLUMNS))


@pytest.mark.parametrize("place", ["XFD1048576", "ZZZZZZZ1", "A4294967295"])
def test_a_cell_far_away_does_not_end_the_process(tmp_path: Path, files: Files, place: str) -> None:
    path = write_xlsx(tmp_path / "t.xlsx", {"S": [["a", "t", "v", "h"], ["A", DAY, 1, "Ok"]]})
    rewrite(path, 'r="D2"', f'r="{place}"')
    with pytest.raises(InputError, match=r"t\.xlsx takes more memory to read than there is, or more than 4 GB"):
        rows_of(files("t.xlsx", columns=COLUMNS))


def test_a_date_that_is_none_does_not_end_the_process(tmp_path: Path, files: Files) -> None:
    path = write_xlsx(tmp_path / "t.xlsx", {"S": [["a", "t", "v", "h"], ["A", DAY, 1, "Ok"]]})
    rewrite(path, "<v>42736.0</v>", "<v>-1e300</v>")
    with pytest.raises(InputError, match=r"t\.xlsx is not a whole workbook"):
        rows_of(files("t.xlsx", columns=COLUMNS))


def test_the_end_of_time_does_not_round_up(tmp_path: Path, files: Files) -> None:
    rows = [["a", "t", "v", "h"], ["A", 2_958_465.9999999995, 1, "Ok"], ["A", DAY, 2, "Ok"]]
    write_xlsx(tmp_path / "t.xlsx", {"S": rows})
    assert [row[2] for row in rows_of(files("t.xlsx", columns=COLUMNS))] == [2.0]


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path: Path, files: Files) -> None:
    path = write_xlsx(tmp_path / "t.xlsx", {"S": [["a", "t", "v", "h"], ["A", DAY, 1, "Ok"]]})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as book, book.open("large", "w") as member:
        for _ in range(300):
            member.write(bytes(1 << 20))
    with pytest.raises(InputError, match=r"t\.xlsx unpacks to more than 200 times its size"):
        rows_of(files("t.xlsx", columns=COLUMNS))


def rewrite(path: Path, old: str, new: str) -> None:
    with zipfile.ZipFile(path) as book:
        members = {name: book.read(name).decode() for name in book.namelist()}
    assert any(old in text for text in members.values())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in members.items():
            book.writestr(name, text.replace(old, new))


def test_a_folder_with_an_open_workbook(tmp_path: Path, files: Files) -> None:
    write_xlsx(tmp_path / "A.xlsx", {"S": [["t", "v"], [DAY, 1]]})
    (tmp_path / "~$A.xlsx").write_bytes(b"\x05owner")
    (tmp_path / "B.csv").write_text("t,v\n2017-01-01,2\n")
    source = files("", columns=Columns(timestamp="t", values=("v",)))
    assert [row[::2] for row in rows_of(source)] == [("A", 1.0), ("B", 2.0)]


def test_without_the_extra(tmp_path: Path, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    write_xlsx(tmp_path / "t.xlsx", {"S": [["a", "t", "v", "h"]]})
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(MissingExtraError, match=r"reading Excel files needs the extra 'excel' \(pip install"):
        rows_of(files("t.xlsx", columns=COLUMNS))
