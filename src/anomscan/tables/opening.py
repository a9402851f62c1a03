"""A file's bytes, unpacked where it is packed; what is wrong with it is an error of one line."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, cast

from anomscan.errors import InputError
from anomscan.storage.untrusted import open_regular

Stream = io.BufferedReader | gzip.GzipFile

#: The most bytes of a line.
LONGEST_LINE = 16 << 20

#: Beyond so many bytes a file may not be more than so many times as large as it is packed.
_SURELY, _WELL_PACKED = 1 << 30, 500

_BLOCK_BYTES = 1 << 18

#: How the names of packed files end.
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")


def unpacked_name(path: Path) -> str:
    """The file's name without what says how it is packed.

    >>> unpacked_name(Path("d/site.7.csv.gz"))
    'site.7.csv'
    """
    return path.name[: -len(path.suffix)] if path.suffix.lower() in PACKED else path.name


@contextmanager
def opened(path: Path, *, longest_line: int | None = None) -> Iterator[Stream]:
    """The file's bytes, unpacked where its name ends in one of ``PACKED``; a ``.zip`` holds one file.

    Raises
    ------
    InputError
        If it cannot be read, then or while it is; it is not a file but a pipe or a device; a line is longer than
        ``longest_line`` (by default ``LONGEST_LINE``), or it unpacks to what no table packs so well.
    """
    packing = path.suffix.lower() if path.suffix.lower() in PACKED else ""
    name = {".gz": "gzip"}.get(packing, packing[1:])
    try:
        with open_regular(path) as raw, _unpacked(path, raw, packing) as stream:
            yield io.BufferedReader(
                _Bounded(path, stream, os.fstat(raw.fileno()).st_size, longest_line or LONGEST_LINE), _BLOCK_BYTES
            )
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
        if packing and type(error).__name__ in ("BadZipFile", "LZMAError", "NotImplementedError"):
            raise InputError(f"{path} is not whole {name}: {error}") from None
        raise


def _unpacked(path: Path, raw: IO[bytes], packing: str) -> Any:
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


class _Bounded(io.RawIOBase):
    """A stream that ends in an error where it cannot be a table: nobody would wait for its end, or has room for it."""

    def __init__(self, path: Path, stream: Any, size: int, longest_line: int) -> None:
        self._path, self._stream, self._longest = path, stream, longest_line
        self._most = max(_SURELY, _WELL_PACKED * size)
        self._read = self._line = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._stream.readinto(buffer) or 0
        self._read += count
        block = bytes(memoryview(buffer)[:count])
        end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self._line = self._line + count if end < 0 else count - end - 1
        if self._line > self._longest:
            raise InputError(
                f"{self._path} has a line of more than {self._longest >> 20} MB", hint="is it a table, as text?"
            )
        if self._read > self._most:
            raise InputError(
                f"{self._path} unpacks to more than {_WELL_PACKED:,} times its size", hint="if it is a table, unpack it"
            )
        return count


def member_name(path: Path) -> str:
    """The name of the one file in a ``.zip``; "" where it cannot be read.

    Raises
    ------
    InputError
        If it holds more than one, or none that can be opened.
    """
    import zipfile

    try:
        with open_regular(path) as raw, _only_member(path, raw) as member:
            return str(member.name)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return ""


def _only_member(path: Path, raw: IO[bytes]) -> Any:
    import zipfile

    archive = zipfile.ZipFile(raw)
    members = [one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")]
    if len(members) != 1:
        raise InputError(f"{path} holds {len(members)} files, not one", hint="unpack it, and set path to the folder")
    if members[0].flag_bits & 1:
        raise InputError(f"{path} is locked with a password", hint="unpack it")
    return archive.open(members[0])
