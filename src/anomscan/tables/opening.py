"""A file's bytes, unpacked where it is packed; what is wrong with it is an error of one line."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from anomscan.errors import InputError

Stream = io.BufferedReader | gzip.GzipFile


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """The file's bytes, unpacked where it is named ``.gz``.

    Raises
    ------
    InputError
        If it cannot be read, then or while it is.
    """
    packed = path.suffix.lower() == ".gz"
    try:
        with path.open("rb") as raw, gzip.open(raw) if packed else nullcontext(raw) as stream:
            yield stream
    except EOFError:
        raise InputError(f"{path} is cut off: its gzip stream has no end") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is not whole gzip: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {os.strerror(error.errno) if error.errno else error}") from None
