"""Which asset a file is, where no column says so; files that are no plain files at all."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.sources.base import AssetFailure, Request, Source

Files = Callable[..., Source]
NAMELESS = Columns(asset=None, timestamp="t", values=("v",))


def laid(folder: Path, *names: str) -> None:
    """CSV files, in each the number of the file as its value."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"t,v\n2017-01-0{number + 1},{number}\n")


@pytest.mark.parametrize(
    ("pattern", "names", "assets"),
    [
        ("plants/*/data.csv", ["plants/alpha/data.csv", "plants/beta/data.csv"], ["alpha", "beta"]),
        ("plants/*/raw/data.csv", ["plants/alpha/raw/data.csv", "plants/beta/raw/data.csv"], ["alpha", "beta"]),
        ("p/*/*.csv", ["p/asset_id=alpha/part-0.csv", "p/asset_id=beta/part-0.csv"], ["alpha", "beta"]),
        ("p/*/*.csv", ["p/asset_id=alpha/part-0.csv", "p/asset_id=alpha/part-1.csv"], ["alpha", "alpha"]),
        ("p/*/*.csv", ["p/asset_id=alpha/part-0.csv"], ["alpha"]),
        ("p/*/*/*.csv", ["p/year=2016/asset=x/0.csv", "p/year=2017/asset=x/0.csv"], ["x", "x"]),
        ("p/*/*.csv", ["p/north/a.csv", "p/south/b.csv"], ["a", "b"]),
        ("p/*.csv", ["p/site.7.csv", "p/site.8.csv"], ["site.7", "site.8"]),
        ("env=prod/*.csv", ["env=prod/a.csv", "env=prod/b.csv"], ["a", "b"]),
    ],
)
def test_the_part_that_differs_is_the_asset(
    tmp_path: Path, files: Files, read: Any, pattern: str, names: list[str], assets: list[str]
) -> None:
    laid(tmp_path, *names)
    rows = read(files(pattern, columns=NAMELESS))
    assert [row[0] for row in sorted(rows, key=lambda row: row[2])] == assets


@pytest.mark.parametrize(
    ("pattern", "names", "message"),
    [
        ("p/*/*.csv", ["p/2016/a.csv", "p/2017/a.csv", "p/2017/b.csv"], "would both be asset 'a'"),
        ("p/*", ["p/a.csv", "p/a.csv.gz", "p/b.csv"], "would both be asset 'a'"),
        ("p/*/*/*.csv", ["p/year=2016/site=x/0.csv", "p/year=2017/site=x/0.csv"], "which of year, site is the asset"),
    ],
)
def test_two_files_never_become_one_asset_silently(
    tmp_path: Path, files: Files, pattern: str, names: list[str], message: str
) -> None:
    laid(tmp_path, *names)
    with pytest.raises(InputError, match=rf"{message}.*set columns\.asset"):
        list(files(pattern, columns=NAMELESS).fetch(Request()))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("pattern", "column", "names"),
    [
        ("p/*/*.*", "asset_id", ["p/asset_id=A/part-0", "p/asset_id=B/part-0"]),
        ("p/*/*/*.*", "site", ["p/year=2016/site=A/0", "p/year=2017/site=B/0"]),
        ("p/*/*/*.*", "unit", ["p/asset=x/unit=A/0", "p/asset=x/unit=B/0"]),
        ("p/**/*.*", "id", ["p/id=A/x/0", "p/id=B/0"]),
        ("p/*/*.*", "id", ["p/id=A/0", "p/id=B%2F7/0"]),
    ],
)
def test_a_folder_may_stand_for_the_column_of_the_asset(
    tmp_path: Path, files: Files, read: Any, pattern: str, column: str, names: list[str], ending: str
) -> None:
    for number, name in enumerate(names):
        path = tmp_path / f"{name}.{ending}"
        path.parent.mkdir(parents=True)
        duckdb.sql(f"COPY (SELECT {number}.5 AS v, DATE '2017-01-01' AS t) TO '{path}'")
    rows = read(files(pattern, columns=Columns(asset=column, timestamp="t", values=("v",))))
    assert sorted((row[0], row[2]) for row in rows) == [("A", 0.5), ("B/7" if "%2F" in names[1] else "B", 1.5)]


def test_the_column_in_the_files_counts_before_their_folders(tmp_path: Path, files: Files, read: Any) -> None:
    (tmp_path / "id=folder").mkdir()
    (tmp_path / "id=folder" / "a.csv").write_text("id,t,v\nfile,2017-01-01,1\n")
    assert [row[0] for row in read(files("*/*.csv", columns=Columns(asset="id", timestamp="t", values=("v",))))] == [
        "file"
    ]


@pytest.mark.parametrize("column", ["t", "v", "h"])
def test_a_folder_that_stands_for_another_column_is_refused_with_the_way_out(
    tmp_path: Path, files: Files, column: str
) -> None:
    (tmp_path / f"{column}=2017-01-01").mkdir()
    row = {name: each for name, each in {"a": "x", "t": "2017-01-01", "v": "1", "h": "Ok"}.items() if name != column}
    (tmp_path / f"{column}=2017-01-01" / "0.csv").write_text(f"{','.join(row)}\n{','.join(row.values())}\n")
    with pytest.raises(InputError, match=f"has no column '{column}', of which the name of a folder tells .*duckdb"):
        list(files("*/*.csv", columns=Columns(asset="a", timestamp="t", values=("v",), health="h")).fetch(Request()))


@pytest.mark.parametrize(("mark", "kind"), [("_delta_log/0.json", "Delta"), ("metadata/v1.metadata.json", "Iceberg")])
@pytest.mark.parametrize("path", ["lake", "lake/*.csv", "lake/*/*.csv"])
def test_the_files_of_a_lake_are_no_table(tmp_path: Path, files: Files, mark: str, kind: str, path: str) -> None:
    laid(tmp_path, "lake/a.csv", "lake/day=1/b.csv", f"lake/{mark}")
    with pytest.raises(InputError, match=rf"lake is a table in the {kind} format.*duckdb") as caught:
        list(files(path, columns=Columns(asset="a", timestamp="t", values=("v",))).fetch(Request()))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("mark", "kind"), [("_delta_log/0.json", "Delta"), ("metadata/v1.metadata.json", "Iceberg")])
def test_a_lake_is_told_though_all_its_files_lie_below(tmp_path: Path, files: Files, mark: str, kind: str) -> None:
    laid(tmp_path, "lake/data/day=1/b.csv", f"lake/{mark}")
    with pytest.raises(InputError, match=rf"lake is a table in the {kind} format.*duckdb"):
        list(files("lake", columns=NAMELESS).fetch(Request()))


def test_of_a_folder_of_folders_the_pattern_is_told(tmp_path: Path, files: Files, read: Any) -> None:
    laid(tmp_path, "plants/alpha/data.csv", "plants/beta/data.csv")
    with pytest.raises(InputError, match=r"contains no file to read \(those in folders below it are") as caught:
        list(files("plants", columns=NAMELESS).fetch(Request()))
    (pattern,) = re.findall(r'path = "([^"]+)"', str(caught.value))
    assert {row[0] for row in read(files(pattern, columns=NAMELESS))} == {"alpha", "beta"}


def test_a_folder_called_metadata_is_no_lake(tmp_path: Path, files: Files, read: Any) -> None:
    laid(tmp_path, "plain/a.csv", "plain/metadata/notes.csv")
    assert [row[0] for row in read(files("plain", columns=NAMELESS))] == ["a"]


def test_duckdb_reads_a_partitioned_folder(tmp_path: Path) -> None:
    """What the hint promises, without the extension of Delta, which DuckDB would fetch."""
    for asset in ("alpha", "beta"):
        folder = tmp_path / f"asset_id={asset}"
        folder.mkdir()
        duckdb.sql(f"COPY (SELECT 1.5 AS v, DATE '2017-01-01' AS t) TO '{folder / 'part-0.parquet'}'")
    found = duckdb.sql(
        f"SELECT asset_id, t, v FROM read_parquet('{tmp_path}/*/*.parquet', hive_partitioning = true) ORDER BY 1"
    )
    assert [row[0] for row in found.fetchall()] == ["alpha", "beta"]


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such names")
def test_a_name_that_is_no_text_costs_its_file_alone(tmp_path: Path, files: Files) -> None:
    strange = os.fsdecode(b"b\xff.csv")
    laid(tmp_path, "d/a.csv", f"d/{strange}", "d/c.csv")
    for path in ("d", "d/*.csv"):
        *rows, failure = files(path, columns=NAMELESS).fetch(Request())
        assert [table["asset"][0].as_py() for table in rows] == ["a", "c"]
        assert isinstance(failure, AssetFailure)
        assert failure.asset == r"b\xff.csv"
        assert str(failure.error) == (
            r"the file name 'b\xff.csv' is not UTF-8 text, so it cannot give an asset id (rename the file)"
        )
    with pytest.raises(InputError, match=r"the file name 'b.xff\.csv' is not UTF-8 text"):
        list(files(f"d/{strange}", columns=NAMELESS).fetch(Request()))


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such names")
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_where_a_column_says_the_asset_a_name_need_be_no_text(
    tmp_path: Path, files: Files, read: Any, ending: str
) -> None:
    path = tmp_path / os.fsdecode(b"b\xff." + ending.encode())
    rows = pa.table({"a": ["x"], "t": ["2017-01-01"], "v": [1.0]})
    if ending == "parquet":
        with path.open("wb") as file:
            pq.write_table(rows, file)
    else:
        path.write_text("a,t,v\nx,2017-01-01,1\n" if ending == "csv" else '{"a": "x", "t": "2017-01-01", "v": 1}\n')
    assert [row[0] for row in read(files(path.name, columns=Columns(asset="a", timestamp="t", values=("v",))))] == ["x"]


def test_a_pipe_is_no_source(tmp_path: Path, files: Files) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match=r"pipe\.csv is a pipe, a device or a socket, not a file"):
        list(files("pipe.csv", columns=NAMELESS).fetch(Request()))
