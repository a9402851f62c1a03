"""Packed files: read as what is in them, and refused in one line where they are not whole."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from anomscan.errors import InputError
from anomscan.tables.formats import format_of
from anomscan.tables.opening import opened

CONTENT = b"".join(b"%d,%d\n" % (number, number * number) for number in range(5_000))


def zipped(content: bytes, *more: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("t.csv", "__MACOSX/t.csv", *more):
            archive.writestr(name, content)
    return file.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
    ".zip": zipped,
}


def read(path: Path) -> bytes:
    with opened(path) as stream:
        return b"".join(stream)


@pytest.mark.parametrize("packing", PACKERS)
def test_packed_files_are_read(tmp_path: Path, packing: str) -> None:
    path = tmp_path / f"t.csv{packing.upper()}"
    path.write_bytes(PACKERS[packing](CONTENT))
    assert read(path) == CONTENT
    assert format_of(path) == "csv"
    assert format_of(tmp_path / f"t.parquet{packing}") is None


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("damage", ["cut", "other"])
def test_files_that_are_not_whole_are_refused(tmp_path: Path, packing: str, damage: str) -> None:
    path = tmp_path / f"t.csv{packing}"
    packed = PACKERS[packing](CONTENT)
    path.write_bytes(packed[: len(packed) // 2] if damage == "cut" else CONTENT)
    with pytest.raises(InputError, match=r"t\.csv.* (is cut off|is not whole)") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_zip_holds_one_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.zip"
    path.write_bytes(zipped(CONTENT, "u.csv"))
    with pytest.raises(InputError, match="holds 2 files, not one"):
        read(path)
