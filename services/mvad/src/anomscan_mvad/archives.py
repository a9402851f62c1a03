"""Reads the CSV files of a file, a folder or a zip, none of which is trusted."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from anomscan_mvad import limits
from anomscan_mvad.errors import DataError

_END = b"PK\x05\x06"
_END_BYTES = 22


def csv_files(path: Path, max_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Yield each CSV file's name and content.

    Parameters
    ----------
    path : Path
        A CSV file, a zip or a folder. Subfolders and other files are skipped, as the service did.
    max_bytes : int
        Limit of the total size, unpacked.

    Raises
    ------
    DataError
        If the archive is broken or hostile, or there is too much data.
    """
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.suffix.lower() == ".csv":
                content = file.read_bytes()
                max_bytes -= len(content)
                if max_bytes < 0:
                    raise _too_large(file.name)
                yield file.name, content
    elif _is_zip(path):
        yield from _members(path, max_bytes)
    else:
        yield path.name, path.read_bytes()


def _is_zip(path: Path) -> bool:
    with path.open("rb") as reader:
        return reader.read(4) in (b"PK\x03\x04", _END)


def _members(path: Path, max_bytes: int) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as reader:
        _check_directory(reader, path.name)
        try:
            with zipfile.ZipFile(reader) as archive:
                for member in _checked(archive.infolist(), path.name):
                    content = _unpack(archive, member, max_bytes)
                    max_bytes -= len(content)
                    yield member.filename, content
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
            raise DataError("ReadingFileError", f"Errors occurred when reading {path.name}. {error}") from None


def _check_directory(reader: IO[bytes], name: str) -> None:
    """Refuse a huge table of contents before reading it into memory."""
    size = reader.seek(0, io.SEEK_END)
    reader.seek(max(0, size - _END_BYTES - 0xFFFF))
    tail = reader.read()
    at = tail.rfind(_END)
    reader.seek(0)
    if at < 0 or len(tail) < at + _END_BYTES:
        raise DataError("ReadingFileError", f"Errors occurred when reading {name}. The archive is cut off.")
    entries = int.from_bytes(tail[at + 10 : at + 12], "little")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if entries > limits.MAX_FILES or directory > limits.MAX_DIRECTORY_BYTES:
        raise DataError("ReadingFileError", f"{name} holds too many files; at most {limits.MAX_FILES}.")


def _checked(members: list[zipfile.ZipInfo], name: str) -> list[zipfile.ZipInfo]:
    if len(members) > limits.MAX_FILES:
        raise DataError("ReadingFileError", f"{name} holds {len(members)} files; at most {limits.MAX_FILES}.")
    kept = []
    for member in members:
        inside = member.filename
        parts = inside.replace("\\", "/").split("/")
        # Nothing is ever written under a member's name, but a name like this means a hostile archive.
        if ".." in parts or inside.startswith(("/", "\\")) or ":" in parts[0] or "\0" in inside:
            raise DataError("ReadingFileError", f"{name} holds a file that points outside of it: {inside[:80]!r}.")
        if len(parts) > 1 or not inside.lower().endswith(".csv"):
            continue
        if member.flag_bits & 0x1:
            raise DataError("ReadingFileError", f"Errors occurred when reading {inside}. It is encrypted.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                "ReadingFileError", f"Errors occurred when reading {inside}. Use deflate or no compression."
            )
        kept.append(member)
    names = [member.filename for member in kept]
    if len(set(names)) != len(names):
        raise DataError("DuplicatedVariables", "There are multiple variables with the same name.")
    return kept


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> bytes:
    if member.file_size > limit:
        raise _too_large(member.filename)
    pieces, size = [], 0
    with archive.open(member) as reader:
        # The sizes stated in the archive are not trusted, so the unpacked bytes are counted too.
        while piece := reader.read(1024 * 1024):
            size += len(piece)
            if size > limit:
                raise _too_large(member.filename)
            pieces.append(piece)
    return b"".join(pieces)


def _too_large(name: str) -> DataError:
    return DataError("FileSizeTooLarge", f"The size of file {name} is too large.")
