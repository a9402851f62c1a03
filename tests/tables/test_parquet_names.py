"""Names of columns in a Parquet file that are no text."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomscan.errors import InputError
from anomscan.tables import parquet_files


def test_a_name_that_is_no_utf8_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"asseté": ["A"], "x": [1.0]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xf3x"))
    with pytest.raises(InputError, match=r"data\.parquet is not whole Parquet"), parquet_files._opened(path):
        pass
