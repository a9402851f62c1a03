"""Files that cannot be used: one line that names the thing, and never half a delivery taken for a whole one."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.sources.base import Request, Source
from anomscan.tables.salvage import Reject

Files = Callable[..., Source]
ONE = Columns(asset="a", timestamp="t", values=("v",))
HEAD = "a,t,v\n"
GOOD = HEAD + "x,2017-01-01,1\n"


def failure(source: Source) -> str:
    """Why a file is refused as a whole, or else its only bad row."""
    items: list[object] = []
    refused: InputError | None = None
    try:
        items += source.fetch(Request())
    except InputError as error:
        refused = error
    if refused is not None:
        assert refused.exit_code == 2
        text = str(refused)
    else:
        (text,) = (item.reason for item in items if isinstance(item, Reject))
        assert any(isinstance(item, pa.Table) and len(item) for item in items)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "t.csv is empty"),
        ("\n\n", "t.csv is empty"),
        (HEAD, "t.csv has no rows"),
        ("a,time,v\nx,2017-01-01,1\n", "t.csv has no column 't' (it has: a, time, v)"),
        ("a,T,v,tt\n", "has no column 't' (did you mean 'tt'? it has: a, T, v, tt)"),
        ("a,t,v,v\nx,2017-01-01,1,2\n", "t.csv has more than one column 'v'"),
        (GOOD + "x,2017-01-02", "t.csv line 3: the header has 3 fields, here are 2"),
        (GOOD + "\nx,2017-01-02,1,9\n" + "x,2017-01-03,1\n", "t.csv line 4: the header has 3 fields, here are 4"),
        (GOOD + 'x,2017-01-02,"1\nx,2017-01-03,1\n', "t.csv line 3: unexpected end of data"),
        (GOOD + 'x,2017-01-02,"1', "t.csv line 3: "),
        (GOOD + "x,2017-01-02,abc\n", "t.csv line 3, column 'v': 'abc' is not a number"),
        ('a,t,v\n"x\ny",2017-01-01,1\n\nx,2017-01-02,1_0\n', "t.csv line 5, column 'v': '1_0' is not a number"),
        (GOOD + "x,2017-01-02,1;5\n", "'1;5' is not a number"),
        (GOOD + "x,2017-01-02,0x1F\n", "'0x1F' is not a number"),
        (GOOD + "x,2017-01-02,inf\n", "t.csv line 3, column 'v': 'inf' is infinite"),
        (GOOD + "x,2017-01-02,-Infinity\n", "'-Infinity' is infinite"),
        (GOOD + "x,2017-01-02,1e999\n", "'1e999' is infinite"),
        (GOOD + ",2017-01-02,1\n", "t.csv line 3: no asset id in column 'a'"),
        (GOOD + "x,,1\n", "t.csv line 3, column 't': no timestamp"),
        (GOOD + "x,yesterday,1\n", "t.csv line 3, column 't': 'yesterday' is not a timestamp"),
        (GOOD + "x,2017-02-30,1\n", "'2017-02-30' is not a timestamp"),
        (GOOD + "x,20170102,1\n", "'20170102' is not a timestamp"),
        (GOOD + "x,0000-01-01,1\n", "'0000-01-01' is outside the years 1 to 9999"),
        (GOOD + "x,2017-01-02T06:00,1\n", "'2017-01-02T06:00' is not a date though the cadence is 1D"),
        (GOOD + "x,2017-01-02T00:00Z,1\n", "'2017-01-02T00:00Z' has an offset from UTC, unlike '2017-01-01'"),
        (GOOD + "x" * 100 + ",2017-01-02," + "y" * 100 + "\n", "'" + "y" * 40 + "...' is not a number"),
    ],
)
def test_csv(tmp_path: Path, files: Files, content: str, told: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    assert told in failure(files("t.csv", columns=ONE))


@pytest.mark.parametrize(
    "content", [GOOD.encode() + b"\xff,2017-01-02,1\n", GOOD.encode("utf-16"), b"\x00\x01\xff\xfe"]
)
def test_csv_that_is_not_text(tmp_path: Path, files: Files, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    assert "UTF-8" in failure(files("t.csv", columns=ONE, encoding="utf-8"))


def test_the_line_is_right_in_later_blocks(tmp_path: Path, files: Files) -> None:
    lines = [f"x,2017-01-01,{n:040d}\n" for n in range(100_000)]
    lines[99_000] = "x,2017-01-01,bad\n"
    (tmp_path / "t.csv").write_text(HEAD + "".join(lines))
    assert "t.csv line 99002, column 'v': 'bad'" in failure(files("t.csv", columns=ONE))


def test_a_quote_that_never_ends_swallows_nothing(tmp_path: Path, files: Files) -> None:
    """Even in a column that is not read: the rows after it would be gone without a word."""
    (tmp_path / "t.csv").write_text('a,t,v,note\nx,2017-01-01,1,"oops\nx,2017-01-02,1,fine\nx,2017-01-03,1,fine\n')
    assert "t.csv line 2" in failure(files("t.csv", columns=ONE))
    (tmp_path / "t.csv").write_text('a,t,v,note\nx,2017-01-01,1,"oops\nx,2017-01-02,1,"again\nx,2017-01-03,1,fine\n')
    assert "t.csv line 2" in failure(files("t.csv", columns=ONE))


def test_quotes_that_end_are_fine(tmp_path: Path, files: Files, read: Any) -> None:
    (tmp_path / "t.csv").write_text('a,t,v,note\r\nx,2017-01-01,1,"two\r\nlines"\r\n\r\n5" pipe,2017-01-02, 2 ,""\r\n')
    assert [row[0] for row in read(files("t.csv", columns=ONE))] == ['5" pipe', "x"]


@pytest.mark.parametrize(
    ("end", "warned"), [("x,2017-01-02,12", True), ("x,2017-01-02,", True), ('x,2017-01-02,"12"', False), ("", False)]
)
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_a_last_line_without_newline_is_told(
    tmp_path: Path, files: Files, parts: Any, name: str, end: str, warned: bool
) -> None:
    with (gzip.open if name.endswith("gz") else open)(tmp_path / name, "wt") as out:
        out.write(GOOD + end)
    tables, _, notices = parts(files(name, columns=ONE).fetch(Request()))
    assert sum(map(len, tables)) == (2 if end else 1)
    assert [notice.text for notice in notices] == (
        [f"{tmp_path / name} does not end with a newline: if it was cut off, its last field is too short"]
        if warned
        else []
    )


def test_gzip_cut_or_not_gzip(tmp_path: Path, files: Files) -> None:
    objects = b'{"a":"x","t":"2017-01-01","v":1}\n' * 5000
    for name, content in (("t.csv.gz", HEAD.encode() + b"x,2017-01-02,1\n" * 5000), ("t.jsonl.gz", objects)):
        whole = gzip.compress(content)
        (tmp_path / name).write_bytes(whole[:-9])
        assert f"{name} is cut off: its gzip stream has no end" in failure(files(name, columns=ONE))
        (tmp_path / name).write_bytes(b"plain")
        assert f"{name} is not whole gzip" in failure(files(name, columns=ONE))
        (tmp_path / name).write_bytes(whole[:-6] + b"wrong!")
        assert f"{name} is not whole gzip" in failure(files(name, columns=ONE))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "t.jsonl is empty"),
        ([""], "t.jsonl has no rows"),
        (['{"a":"x","t":"2017-01-01"}'], "t.jsonl has no column 'v' (it has: a, t)"),
        (['{"a":"x","tt":"2017-01-01"}'], "t.jsonl has no column 't' (did you mean 'tt'? it has: a, tt)"),
        (['{"a":"x","t":"2017-01-01","v":1}', '{"a":"x","t":"20'], "t.jsonl line 2 is not JSON"),
        (['{"a":"x","t":"2017-01-01","v":1}{}'], "t.jsonl line 1 is not JSON"),
        (['{"a":"\\uD800","t":"2017-01-01","v":1}'], "t.jsonl line 1 is not UTF-8 text"),
        (["[1, 2]"], "t.jsonl line 1 is not a JSON object"),
        (["[" * 100_000], "t.jsonl line 1 is not JSON"),
        (['{"a":"x","t":"2017-01-01","v":"abc"}'], "t.jsonl line 1, column 'v': 'abc' is not a number"),
        (['{"a":"x","t":"2017-01-01","v":true}'], "'True' is not a number"),
        (['{"a":"x","t":"2017-01-01","v":[1]}'], "'[1]' is not a number"),
        (["", '{"a":"x","t":"2017-01-01","v":Infinity}'], "t.jsonl line 2, column 'v': 'inf' is infinite"),
        (['{"a":"x","t":"2017-01-01","v":-1e999}'], "'-inf' is infinite"),
        (['{"a":"x","t":"2017-01-01","v":1' + "0" * 400 + "}"], "is infinite"),
        (['{"a":"x","t":1483228800,"v":1}'], "t.jsonl line 1, column 't': '1483228800' is not a timestamp"),
        (['{"a":"x","t":null,"v":1}'], "t.jsonl line 1: no timestamp in column 't'"),
        (['{"a":"x","t":"2017-01-01","v":1}', '{"a":"x","v":1}'], "t.jsonl line 2: no timestamp in column 't'"),
        (['{"a":null,"t":"2017-01-01","v":1}'], "t.jsonl line 1: no asset id in column 'a'"),
        (['{"a":"","t":"2017-01-01","v":1}'], "t.jsonl line 1: no asset id in column 'a'"),
        (['{"a":7.5,"t":"2017-01-01","v":1}'], "column 'a': '7.5' is not an asset id"),
        (['{"a":true,"t":"2017-01-01","v":1}'], "column 'a': 'True' is not an asset id"),
    ],
)
def test_json_lines(tmp_path: Path, files: Files, lines: list[str], told: str) -> None:
    (tmp_path / "t.jsonl").write_text("".join(line + "\n" for line in lines))
    assert told in failure(files("t.jsonl", columns=ONE))


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"t": ["2017-01-01"], "v": [1.0]}, "t.parquet has no column 'a' (it has: t, v)"),
        ({"a": ["x", "y"], "t": ["2017-01-01"] * 2, "v": [1.0, float("inf")]}, "row 2, column 'v': 'inf' is infinite"),
        ({"a": ["x"], "t": ["2017-01-01"], "v": [True]}, "row 1: column 'v' holds bool, not numbers"),
        ({"a": ["x"], "t": [1483228800], "v": [1.0]}, "row 1: column 't' holds int64, not timestamps"),
        ({"a": [7.0], "t": ["2017-01-01"], "v": [1.0]}, "column 'a' holds double; an asset id is text or an integer"),
        ({"a": ["x", None], "t": ["2017-01-01"] * 2, "v": [1.0, 1.0]}, "row 2: no asset id in column 'a'"),
        ({"a": [b"\xff"], "t": ["2017-01-01"], "v": [1.0]}, "column 'a' holds bytes that are not UTF-8"),
        ({"a": pa.array([], "string"), "t": pa.array([], "string"), "v": pa.array([], "double")}, "has no rows"),
    ],
)
def test_parquet(tmp_path: Path, files: Files, columns: dict[str, Any], told: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    assert told in failure(files("t.parquet", columns=ONE))


def test_parquet_cut_or_broken(tmp_path: Path, files: Files) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": ["x"] * 5000, "t": ["2017-01-01"] * 5000, "v": [n / 7 for n in range(5000)]}), path)
    whole = path.read_bytes()
    for content in (whole[:-20], whole[:100], b"PAR1", whole[:500] + bytes(2000) + whole[2500:]):
        path.write_bytes(content)
        assert "t.parquet" in failure(files("t.parquet", columns=ONE))
    path.write_bytes(b"")
    assert "t.parquet is empty" in failure(files("t.parquet", columns=ONE))


def test_no_such_file(tmp_path: Path, files: Files) -> None:
    assert f"there is no file {tmp_path / 'none.csv'}" in failure(files("none.csv"))
    assert "there is no file" in failure(files("none/*.csv"))
    (tmp_path / "empty").mkdir()
    assert "contains no file to read (looked for names that end in .csv, " in failure(files("empty"))
    (tmp_path / "t.doc").write_text("x")
    assert "the format of" in failure(files("t.doc"))


class TestOneFileAnAsset:
    COLUMNS = Columns(timestamp="t", values=("v",))

    def test_one_that_cannot_be_used_fails_alone(self, tmp_path: Path, files: Files, parts: Any) -> None:
        good = "t,v\n2017-01-01,1\n2017-01-02,2\n"
        contents = {
            "007.csv": good,
            "bad.csv": good + "2017-01-03,x\n",
            "cut.csv": "t,v\n2017-01-01\n",
            "z.9.csv": good,
        }
        for name, content in contents.items():
            (tmp_path / name).write_text(content)
        (tmp_path / "none.csv").write_text("")
        items = list(files(".", columns=self.COLUMNS).fetch(Request()))
        tables, failures, _ = parts(item for item in items if not isinstance(item, Reject))
        assert {row["asset"] for table in tables for row in table.to_pylist()} == {"007", "bad", "z.9"}
        assert [failure.asset for failure in failures] == ["cut", "none"]
        (reject,) = (item for item in items if isinstance(item, Reject))
        assert "bad.csv line 4, column 'v': 'x' is not a number" in reject.reason
        assert reject.row == {"asset": "bad", "t": "2017-01-03", "v": "x"}
        assert all(failure.error.exit_code == 2 for failure in failures)

    def test_no_row_of_a_failed_asset_is_delivered(self, tmp_path: Path, files: Files, parts: Any) -> None:
        (tmp_path / "asset=x").mkdir()
        (tmp_path / "asset=y").mkdir()
        (tmp_path / "asset=x" / "2016.csv").write_text("t,v\n2016-01-01,1\n")
        (tmp_path / "asset=x" / "2017.csv").write_text("t,v\n2017-01-01")
        (tmp_path / "asset=y" / "2017.csv").write_text("t,v\n2017-01-01,1\n")
        tables, failures, _ = parts(files("*/*.csv", columns=self.COLUMNS).fetch(Request()))
        assert [row["asset"] for table in tables for row in table.to_pylist()] == ["y"]
        assert [failure.asset for failure in failures] == ["x"]

    def test_a_single_file_that_cannot_be_used_is_an_error(self, tmp_path: Path, files: Files) -> None:
        (tmp_path / "x.csv").write_text("t,v\n2016-01-01,y\n")
        assert "x.csv line 2" in failure(files("x.csv", columns=self.COLUMNS))

    def test_only_the_files_asked_for_are_read(self, tmp_path: Path, files: Files, parts: Any) -> None:
        (tmp_path / "x.csv").write_text("t,v\n2016-01-01,1\n")
        (tmp_path / "y.csv").write_text("broken")
        tables, failures, _ = parts(files(".", columns=self.COLUMNS).fetch(Request(assets=("x",))))
        assert len(tables) == 1
        assert failures == []

    def test_files_that_differ_in_offsets_are_told(self, tmp_path: Path, files: Files, parts: Any) -> None:
        (tmp_path / "x.csv").write_text("t,v\n2016-01-01,1\n")
        (tmp_path / "y.csv").write_text("t,v\n2016-01-01T00:00Z,1\n")
        tables, failures, notices = parts(files(".", columns=self.COLUMNS).fetch(Request()))
        assert (len(tables), failures) == (2, [])
        (told,) = (notice.text for notice in notices)
        assert "with an offset from UTC, as '2016-01-01T00:00Z'" in told
        assert "x.csv line 2" in told
        assert "y.csv line 2" in told


def test_an_empty_file_of_a_long_table_is_told(tmp_path: Path, files: Files, parts: Any) -> None:
    (tmp_path / "x.csv").write_text(GOOD)
    (tmp_path / "y.csv").write_text(HEAD)
    tables, _, notices = parts(files(".", columns=ONE).fetch(Request()))
    assert len(tables) == 1
    assert [notice.text for notice in notices] == [f"{tmp_path / 'y.csv'} has no rows"]
    (tmp_path / "x.csv").write_text(HEAD)
    assert f"no file of {tmp_path} has rows" in failure(files(".", columns=ONE))


def test_format_says_what_a_name_does_not(tmp_path: Path, files: Files, read: Any) -> None:
    (tmp_path / "t.txt").write_text(GOOD)
    (tmp_path / "u.csv").write_text(json.dumps({"a": "x", "t": "2017-01-01", "v": 1}) + "\n")
    assert len(read(files("t.txt", columns=ONE, format="csv"))) == 1
    assert len(read(files("*.txt", columns=ONE, format="csv"))) == 1
    assert len(read(files("u.csv", columns=ONE, format="jsonl"))) == 1


@pytest.mark.parametrize("inside", ["export 2017.csv", "a.jsonl", "a.bin", ""])
def test_a_zip_is_read_by_the_name_of_the_file_in_it(tmp_path: Path, files: Files, read: Any, inside: str) -> None:
    row = '{"a": "x", "t": "2017-01-01", "v": 1}\n' if inside.endswith("jsonl") else "a,t,v\nx,2017-01-01,1\n"
    if inside:
        with zipfile.ZipFile(tmp_path / "Download (1).zip", "w") as archive:
            archive.writestr(inside, row)
    else:
        (tmp_path / "Download (1).zip").write_text("no archive")
    if inside.endswith((".csv", ".jsonl")):
        assert [each[0] for each in read(files("*.zip", columns=ONE))] == ["x"]
    else:
        assert "cannot be told from its name (set format to" in failure(files("Download (1).zip", columns=ONE))
