"""Files as a source that nobody could read to their end, or that no table could be."""

from __future__ import annotations

import gzip
import os
import socket
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.tables import opening, parquet_files
from anomscan.tables.formats import reader
from anomscan.tables.opening import opened
from anomscan.tables.salvage import Reject

COLUMNS = Columns(asset="asset", timestamp="day", values=("x",))


def read(path: Path) -> list[Reject]:
    kind = {".parquet": "parquet", ".jsonl": "jsonl"}.get(path.suffix, "csv")
    return [item for item in reader(kind)(path, COLUMNS, []) if isinstance(item, Reject)]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.jsonl", "t.parquet"])
@pytest.mark.parametrize("what", ["pipe", "socket", "device"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, name: str, what: str, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    path = Path(name)
    if what == "pipe":
        os.mkfifo(path)
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(name)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match=rf"{name} cannot be read"):
        read(path)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.csv.gz"])
def test_a_line_without_end_is_refused(tmp_path: Path, name: str, monkeypatch) -> None:
    monkeypatch.setattr(opening, "LONGEST_LINE", 1 << 20)
    content = b"asset,day,x\n" * (not name.endswith("jsonl")) + b"7" * (3 << 20)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(InputError, match=r"has a line of more than 1 MB \(is it a table, as text\?\)"):
        read(tmp_path / name)


def test_lines_that_end_as_on_an_old_macintosh_are_lines(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(opening, "LONGEST_LINE", 1000)
    (tmp_path / "t.csv").write_bytes(b"a,2020-01-01,1\r" * 100_000)
    with opened(tmp_path / "t.csv") as stream:
        assert len(stream.read()) == 1_500_000


def test_what_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(opening, "_SURELY", 1 << 20)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"asset,day,x\n" + b"\n" * (4 << 20)))
    with pytest.raises(InputError, match=r"t\.csv\.gz unpacks to more than 500 times its size"):
        read(tmp_path / "t.csv.gz")


def test_a_row_group_beyond_the_memory_is_refused_before_it_is_read(tmp_path: Path, monkeypatch) -> None:
    rows = pa.table({"asset": ["a"] * 1000, "day": ["2020-01-01"] * 1000, "x": np.random.default_rng(0).random(1000)})
    pq.write_table(rows, tmp_path / "t.parquet", use_dictionary=False)
    read(tmp_path / "t.parquet")
    monkeypatch.setattr(parquet_files, "LARGEST_GROUP", 1000)
    with pytest.raises(InputError, match=r"row group 1 unpacks to .* GB, .*\(write it in smaller row groups"):
        read(tmp_path / "t.parquet")
    monkeypatch.setattr(parquet_files, "_SURELY_ROWS", 10)
    monkeypatch.setattr(parquet_files, "_ROWS_A_BYTE", 0)
    with pytest.raises(InputError, match=r"says that it has 1,000 rows in [\d,]+ bytes"):
        read(tmp_path / "t.parquet")


def test_text_in_parquet_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    bad = pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xb2\xb2"))
    pq.write_table(pa.table({"asset": bad, "day": ["2020-01-01"], "x": [1.0]}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="is not whole Parquet"):
        read(tmp_path / "t.parquet")


def test_a_key_that_stands_twice_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"asset": "a", "day": "2020-01-01", "x": 1, "x": 2}\n')
    (reject,) = read(tmp_path / "t.jsonl")
    assert "t.jsonl line 1 is not JSON: the key 'x' stands twice" in reject.reason
