"""A file's bytes, unpacked where it is packed; what is wrong with it is an error of one line."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, cast

from anomscan.errors import InputError

Stream = io.BufferedReader | gzip.GzipFile

#: How the names of packed files end.
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")


def unpacked_name(path: Path) -> str:
    """The file's name without what says how it is packed.

    >>> unpacked_name(Path("d/site.7.csv.gz"))
    'site.7.csv'
    """
    return path.name[: -len(path.suffix)] if path.suffix.lower() in PACKED else path.name


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """The file's bytes, unpacked where its name ends in one of ``PACKED``; a ``.zip`` holds one file.

    Raises
    ------
    InputError
        If it cannot be read, then or while it is.
    """
    packing = path.suffix.lower() if path.suffix.lower() in PACKED else ""
    name = {".gz": "gzip"}.get(packing, packing[1:])
    try:
        with path.open("rb") as raw, _unpacked(path, raw, packing) as stream:
            yield stream
    except EOFError:
        raise InputError(f"{path} is cut off: its {name} stream has no end") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is not whole {name}: {error}") from None
    except OSError as error:
        if packing and not error.errno:
            raise InputError(f"{path} is not whole {name}: {error}") from None
        raise InputError(f"{path} cannot be read: {os.strerror(error.errno) if error.errno else error}") from None
    except Exception as error:
        # The other packers have errors of their own, which are not imported for files that need none of them.
        if packing and type(error).__name__ in ("BadZipFile", "LZMAError"):
            raise InputError(f"{path} is not whole {name}: {error}") from None
        raise


def _unpacked(path: Path, raw: io.BufferedReader, packing: str) -> Any:
    """A context manager: a binary stream of the kind that ``packing`` asks for."""
    if packing == ".gz":
        return gzip.open(raw)
    if packing == ".bz2":
        import bz2

        return bz2.open(raw)
    if packing == ".xz":
        import lzma

        return lzma.open(raw)
    if packing == ".zst":
        import pyarrow as pa

        return io.BufferedReader(cast("Any", pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")))
    return _only_member(path, raw) if packing == ".zip" else nullcontext(raw)


def _only_member(path: Path, raw: BinaryIO) -> Any:
    import zipfile

    archive = zipfile.ZipFile(raw)
    members = [one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")]
    if len(members) != 1:
        raise InputError(f"{path} holds {len(members)} files, not one", hint="unpack it, and set path to the folder")
    if members[0].flag_bits & 1:
        raise InputError(f"{path} is locked with a password", hint="unpack it")
    return archive.open(members[0])
