"""CSV as loggers, spreadsheets and other countries write it: what is not said is found out, and told."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anomscan.config import Columns, FilesSource
from anomscan.errors import ConfigError, InputError
from anomscan.sources.base import Request, Source
from anomscan.tables.salvage import Reject

Files = Callable[..., Source]
Parts = Callable[[Iterator[Any]], tuple[list[Any], list[Any], list[Any]]]
COLUMNS = Columns(asset="a", timestamp="t", values=("v",))
ROWS = [("x", datetime(2017, 1, 1), 0.81, None), ("x", datetime(2017, 1, 2), 1234.5, None)]


def found(files: Files, parts: Parts, content: str | bytes, name: str = "t.csv", **keys: Any) -> tuple[Any, str]:
    """The rows, and what was told."""
    source = files(name, columns=COLUMNS, **keys)
    path = Path(source._settings.path)  # type: ignore[attr-defined]
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    tables, failures, notices = parts(source.fetch(Request()))
    assert failures == []
    rows = [tuple(row.values())[:-1] for table in tables for row in table.to_pylist()]
    return rows, "; ".join(notice.text.replace(f"{path} is read with ", "") for notice in notices)


TOLD = "; say so in the settings if it is right"


SEMICOLONS = 'delimiter = ";", decimal = ","'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,t,v\nx,2017-01-01,0.81\nx,2017-01-02,1234.5\n", ""),
        ("a;t;v\nx;2017-01-01;0,81\nx;2017-01-02;1234,5\n", 'delimiter = ";", decimal = ","'),
        ("a;t;v\r\nx;2017-01-01;0,81\r\nx;2017-01-02;1.234,5\r\n", 'delimiter = ";", decimal = ",", thousands = "."'),
        ("a;t;v\nx;2017-01-01;0.81\nx;2017-01-02;1234.5\n", 'delimiter = ";"'),
        ("a\tt\tv\nx\t2017-01-01\t0.81\nx\t2017-01-02\t1234.5\n", 'delimiter = "\\t"'),
        ("a, t, v\nx,2017-01-01,0.81\nx,2017-01-02,1234.5\n", ""),
        ("a,t,v\nx,2017-01-01,0.81\n,,\na,t,v\nx,2017-01-02,1234.5\n,,\n", ""),
        ("a,t,v\n[],[yyyy],[kWh]\nx,2017-01-01,0.81\nx,2017-01-02,1234.5\n", "units_row = true"),
        ("# 7\na,t,v\nx,2017-01-01,0.81\n# off\nx,2017-01-02,1234.5\n", 'comment = "#"'),
        ("Plant 7\n\na,t,v\nx,2017-01-01,0.81\nx,2017-01-02,1234.5\n", "a header in line 3"),
        ("sep=;\na;t;v\nx;2017-01-01;0.81\nx;2017-01-02;1234.5\n", 'delimiter = ";", a header in line 2'),
        ("\n\na,t,v\nx,2017-01-01,0.81\nx,2017-01-02,1234.5", None),
        ("a;t;v\n;;kWh\nx;2017-01-01;0,81\nx;2017-01-02;1234,5\n", f"{SEMICOLONS}, units_row = true"),
        ("a;t;v\n-;yyyy-mm-dd;W/m2\nx;2017-01-01;0,81\nx;2017-01-02;1234,5\n", f"{SEMICOLONS}, units_row = true"),
        ("a;t;v;\nx;2017-01-01;0,81\nx;2017-01-02;1234,5\n", SEMICOLONS),
        ("a;t;v\nx;2017-01-01;0,81;\nx;2017-01-02;1234,5;;\n;;;;\n", SEMICOLONS),
        ("a;t;v\r\nx;2017-01-01;0,81;;\r\nx;2017-01-02;1234,5\r\n", SEMICOLONS),
        ("\na;t;v\nx;2017-01-01;0,81;\nx;2017-01-02;1234,5;\n", f"{SEMICOLONS}, a header in line 2"),
        ("a;t;v;note\nx;2017-01-01;0,81\nx;2017-01-02;1234,5\n", SEMICOLONS),
        ("a;t;v\nx;2017-01-01;8,1E-01\nx;2017-01-02;12.345E-1\n", f'{SEMICOLONS}, thousands = "."'),
        ("a;t;v\nx;2017-01-01;0,81\nx;2017-01-02;1 234,5\n", f'{SEMICOLONS}, thousands = " "'),
        ("a;t;v\nx;2017-01-01;0,81\nx;2017-01-02;1\xa0234,5\n", f'{SEMICOLONS}, thousands = " "'),
        ("a;t;v\nx;2017-01-01;0,81\nx;2017-01-02;1\u202f234,5\n", f'{SEMICOLONS}, thousands = " "'),
        ("a;t;v\nx;2017-01-01;0.81\nx;2017-01-02;1'234.5\n", 'delimiter = ";", thousands = "\'"'),
        ("a;t;v\nx;2017-01-01;0.81\nx;2017-01-02;1\u2019234.5\n", 'delimiter = ";", thousands = "\'"'),
        ('a,t,v\nx,2017-01-01,0.81\nx,2017-01-02,"1,234.5"\n', 'thousands = ","'),
        ('a,t,v\nx,2017-01-01,"0,81"\nx,2017-01-02,"1234,5"\n', 'decimal = ","'),
        ('"a", "t", "v"\n"x", "2017-01-01", "0.81"\n\n"x", "2017-01-02", "1234.5"\n', ""),
        ("a;t;v\rx;2017-01-01;0,81\rx;2017-01-02;1234,5\r", f"{SEMICOLONS}, lines that end with CR"),
        ("a,t,v\nx,2017-01-01,0.81\nx,2017-01-02,1234.5\n\x1a\n", ""),
    ],
)
def test_what_is_not_said_is_found_out(files: Files, parts: Parts, content: str, told: str | None) -> None:
    rows, said = found(files, parts, content)
    assert rows == ROWS
    if told is not None:
        assert said == (told + TOLD if told else "")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_encodings(files: Files, parts: Parts, encoding: str) -> None:
    content = "note,a,t,v\nça,ç,2017-01-01,0.81\n".encode(encoding)
    rows, said = found(files, parts, content)
    assert rows == [("ç", datetime(2017, 1, 1), 0.81, None)]
    assert said == ("" if encoding == "utf-8-sig" else f'encoding = "{encoding}"{TOLD}')


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["0,81", "12.345"], [0.81, 12345.0]),
        (["0.81", "12,345"], [0.81, 12345.0]),
        (["1.234.567", "890"], [1234567.0, 890.0]),
        (["1 234 567", "-1 000"], [1234567.0, -1000.0]),
        (["\N{MINUS SIGN}1.234,5", "0,5-"], [-1234.5, -0.5]),
        (["1.234", "2.345"], [1.234, 2.345]),
        (["1,234", "2,345"], [1.234, 2.345]),
        (["-", "n/a"], [None, None]),
    ],
)
def test_signs(files: Files, parts: Parts, texts: list[str], values: list[float | None]) -> None:
    rows = [f"x;2017-01-{day:02};{text}\n" for day, text in enumerate(texts, 1)]
    assert [row[2] for row in found(files, parts, "a;t;v\n" + "".join(rows))[0]] == values


def test_numbers_that_may_be_thousands_are_told_or_refused(files: Files, parts: Parts) -> None:
    _, said = found(files, parts, "a;t;v\nx;2017-01-01;1.234\n")
    assert said == f'delimiter = ";", decimal = ".", so that 1.234 is less than a thousand{TOLD}'
    with pytest.raises(InputError, match=r"'1,234' is not a number \(if it is one, write it as 1234[.]5; for files"):
        found(files, parts, 'a,t,v\nx,2017-01-01,"1,234"\n')
    assert found(files, parts, 'a,t,v\nx,2017-01-01,"1,234"\n', decimal=",")[0][0][2] == 1.234
    assert found(files, parts, 'a,t,v\nx,2017-01-01,"1,234"\n', thousands=",")[0][0][2] == 1234.0


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Total 7", "line 4: the header has 3 fields, here are 1"),
        ("Total;;1235,31", "line 4, column 't': no timestamp"),
        ("x;2017-01-03", "line 4: the header has 3 fields, here are 2"),
        ("x;2017-01-03;1;5", "line 4: the header has 3 fields, here are 4"),
    ],
)
def test_a_row_that_is_none_costs_itself_alone(tmp_path: Path, files: Files, row: str, reason: str) -> None:
    (tmp_path / "t.csv").write_text(f"a;t;v\nx;2017-01-01;0,81\n\n{row}\nx;2017-01-02;1234,5\n")
    items = list(files("t.csv", columns=COLUMNS).fetch(Request()))
    assert sum(len(item) for item in items if isinstance(item, pa.Table)) == 2
    (reject,) = (item for item in items if isinstance(item, Reject))
    assert reason in reject.reason
    (tmp_path / "t.csv").write_text(f"a;t;v\n{row}\n")
    with pytest.raises(InputError, match=reason.replace("line 4", "line 2")):
        list(files("t.csv", columns=COLUMNS).fetch(Request()))


@pytest.mark.parametrize("broken", ['"x", "2017-01-02", "1', '"x", "2017-01-02", "1\n"x", "2017-01-03", "2"'])
def test_a_quote_after_a_blank_that_never_ends_swallows_nothing(tmp_path: Path, files: Files, broken: str) -> None:
    (tmp_path / "t.csv").write_text(f'"a", "t", "v"\n"x", "2017-01-01", "1"\n{broken}\n"x", "2017-01-04", "1"\n')
    with pytest.raises(InputError, match=r"t\.csv line 3: "):
        list(files("t.csv", columns=COLUMNS).fetch(Request()))


def test_the_columns_are_told_whatever_the_delimiter(tmp_path: Path, files: Files) -> None:
    (tmp_path / "t.csv").write_text("Plant 7\nA;T;V\nx;2017-01-01;0,81\n")
    with pytest.raises(InputError, match=r"t\.csv has no column 'a' \(it has: A, T, V\)"):
        list(files("t.csv", columns=COLUMNS).fetch(Request()))


def test_blanks_are_a_delimiter_where_it_is_said(files: Files, parts: Parts) -> None:
    content = "a  t          v\nx  2017-01-01    0.81\nx  2017-01-02 1234.5  \n"
    assert found(files, parts, content, delimiter=" ") == (ROWS, "")


def test_what_is_said_is_not_told(files: Files, parts: Parts) -> None:
    content = "Plant\n! a;t;v\na;t;v\nx;2017-01-01;0,81\nBAD\nx;2017-01-02;1 234,5\n! end\n".encode("cp1252")
    keys = {
        "delimiter": ";",
        "decimal": ",",
        "thousands": " ",
        "encoding": "cp1252",
        "comment": "!",
        "skip_rows": (1, 5),
        "units_row": False,
    }
    assert found(files, parts, content, **keys) == (ROWS, "")


def test_it_is_told_once_and_only_before_there_is_history(tmp_path: Path, files: Files, parts: Parts) -> None:
    for name in ("1.csv", "2.csv"):
        (tmp_path / name).write_text(f"a;t;v\n{name};2017-01-01;0,81\n")
    source = files("", columns=COLUMNS)
    first = parts(source.fetch(Request()))[2]
    assert len(first) == 1
    since = {"1.csv": np.datetime64("2017-01-01", "us")}
    assert parts(source.fetch(Request(since=since)))[2] == []


def test_a_line_keeps_its_number(tmp_path: Path, files: Files) -> None:
    (tmp_path / "t.csv").write_text("# 7\n# 8\na;t;v\n[-];[-];[-]\nx;2017-01-01;1,5\n;;\n# off\nx;2017-01-02;1.5\n")
    (reject,) = (item for item in files("t.csv", columns=COLUMNS).fetch(Request()) if isinstance(item, Reject))
    assert "t.csv line 8, column 'v': '1.5' is not a number" in reject.reason


def test_a_comment_sign_within_quotes_is_text(files: Files, parts: Parts) -> None:
    rows, _ = found(files, parts, '# 7\na,t,v\n"x\n# y",2017-01-01,0.81\n')
    assert rows == [("x\n# y", datetime(2017, 1, 1), 0.81, None)]


@pytest.mark.parametrize(
    "keys", [{"decimal": ",", "thousands": ","}, {"encoding": "latin-99"}, {"encoding": "base64"}, {"delimiter": ";;"}]
)
def test_settings_that_cannot_be(keys: dict[str, str]) -> None:
    with pytest.raises((ConfigError, ValueError)):
        FilesSource(kind="files", path=Path("t.csv"), cadence="1D", columns=COLUMNS, **keys)  # type: ignore[arg-type]


def test_packed_tables(tmp_path: Path, files: Files, parts: Parts) -> None:
    content = b"a;t;v\nx;2017-01-01;0,81\nx;2017-01-02;1234,5\n"
    packed = pa.compress(content, codec="zstd", asbytes=True)
    for ending, packing in {"bz2": bz2.compress(content), "xz": lzma.compress(content), "zst": packed}.items():
        assert found(files, parts, packing, f"t.csv.{ending}")[0] == ROWS
    (tmp_path / "t.csv.zst").write_bytes(packed[:-20])
    with pytest.raises(InputError, match=r"t\.csv\.zst is not whole zst"):
        list(files("t.csv.zst", columns=COLUMNS).fetch(Request()))
