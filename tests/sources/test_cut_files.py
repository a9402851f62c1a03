"""A file cut at any byte is refused, or told, or happens to end where a row ends."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from anomscan.errors import InputError
from anomscan.sources.base import Notice, Request, Source


def outcome(source: Source) -> tuple[int, bool]:
    """How many rows it gave, and whether anything was said."""
    try:
        items = list(source.fetch(Request()))
    except InputError:
        return 0, True
    return sum(len(item) for item in items if isinstance(item, pa.Table)), any(isinstance(i, Notice) for i in items)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_text(tmp_path: Path, files: Callable[..., Source], write: Any, fleet: list[Any], kind: str) -> None:
    path = write[kind](tmp_path / f"whole.{kind}", fleet)
    whole = path.read_bytes()
    cut = tmp_path / f"cut.{kind}"
    for end in range(0, len(whole), 3):
        cut.write_bytes(whole[:end])
        rows, told = outcome(files(cut))
        row_ends_here = whole[:end].endswith((b"not read\n", b"}\n", b"}"))
        assert told or (row_ends_here and rows == whole[:end].count(b"not read\n" if kind == "csv" else b"}")), end


def test_gzip_and_parquet(tmp_path: Path, files: Callable[..., Source], write: Any, fleet: list[Any]) -> None:
    packed = write["csv"](tmp_path / "whole.csv.gz", fleet, gzip.open)
    for path in (packed, write["parquet"](tmp_path / "whole.parquet", fleet)):
        whole = path.read_bytes()
        cut = tmp_path / path.name.replace("whole", "cut")
        for end in range(0, len(whole), 13):
            cut.write_bytes(whole[:end])
            assert outcome(files(cut)) == (0, True), end
