r"""The model file of a forest.

=====================  ==================================================================================
8 bytes                the magic ``ANOMRCF\n``
uint32                 the format's version
uint32                 length of the header in bytes
header                 JSON, UTF-8: ``settings`` (with the caller's facts) and ``arrays`` [name, dtype, shape];
                       filled up with blanks, so that the arrays begin at a multiple of 64 bytes
arrays                 one after another as the header lists them, C order, little-endian
32 bytes               SHA-256 of all that precedes
=====================  ==================================================================================

Numbers are little-endian. Nothing in it is executed on reading, and no time is written into it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from anomscan.detectors.rcf.soundness import flaw
from anomscan.detectors.rcf.trees import Trees
from anomscan.errors import ModelError
from anomscan.storage.durable import replace_file
from anomscan.storage.untrusted import parse_json, read_regular
from anomscan.wording import counted

VERSION = 1
_MAGIC = b"ANOMRCF\n"
_PREFIX = struct.Struct("<8sII")
_ALIGNMENT = 64
_DIGEST_BYTES = hashlib.sha256().digest_size
_DTYPES = {"roots": "<i4", "left": "<i4", "axis": "<i4", "cut": "<f4", "mass": "<i4", "low": "<f4", "high": "<f4"}
_RETRAIN = "run anomscan train"


def write(path: str | os.PathLike[str], trees: Trees, settings: dict[str, Any]) -> None:
    """Write a forest.

    Parameters
    ----------
    path
        Its place; the folder is made if it is missing.
    trees
        The trees.
    settings
        What JSON can say.

    Raises
    ------
    OutputError
        If it cannot be written; an old file stays.
    """
    digest = hashlib.sha256()
    with replace_file(path) as file:
        for part in _parts(trees, settings):
            digest.update(part)
            file.write(part)
        file.write(digest.digest())


def checksum(trees: Trees, settings: dict[str, Any]) -> str:
    """The SHA-256 of the file of a forest that was written, in hexadecimal digits, as :func:`read` would give it."""
    digest = hashlib.sha256()
    for part in _parts(trees, settings):
        digest.update(part)
    return digest.hexdigest()


def read(path: str | os.PathLike[str]) -> tuple[Trees, dict[str, Any], str]:
    """Read a forest.

    Returns
    -------
    The trees, the settings given to :func:`write`, and the file's checksum.

    Raises
    ------
    ModelError
        If there is none, or it is cut off, damaged, of another version or not a forest at all, or one that no training
        would give.
    """
    content = _content(path)
    _, version, header_bytes = _PREFIX.unpack_from(content)
    if version != VERSION:
        raise ModelError(
            f"model {path} has format version {version}, this anomscan reads version {VERSION}",
            hint=f"{_RETRAIN} to rewrite it, or use the version of anomscan that wrote it",
        )
    body, digest = memoryview(content)[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise ModelError(f"model {path} is cut off or damaged: its checksum is wrong", hint=_RETRAIN)
    try:
        trees, settings = _parse(body, _PREFIX.size + header_bytes)
        wrong = flaw(trees)
    except KeyError as error:
        wrong = f"its header lacks {error}, or knows more than this anomscan"
    except (ValueError, TypeError) as error:
        wrong = str(error)
    if wrong is not None:
        raise ModelError(f"model {path} is not a sound forest: {wrong}", hint=_RETRAIN)
    return trees, settings, digest.hex()


def _parts(trees: Trees, settings: dict[str, Any]) -> Iterator[bytes]:
    """The file without its checksum."""
    arrays = [np.ascontiguousarray(getattr(trees, name), dtype) for name, dtype in _DTYPES.items()]
    listed = [[name, dtype, array.shape] for (name, dtype), array in zip(_DTYPES.items(), arrays, strict=True)]
    header = json.dumps({"settings": settings, "arrays": listed}, sort_keys=True, allow_nan=False).encode()
    header += b" " * (-(_PREFIX.size + len(header)) % _ALIGNMENT)
    yield _PREFIX.pack(_MAGIC, VERSION, len(header))
    yield header
    for array in arrays:
        yield array.tobytes()


def _parse(body: memoryview, start: int) -> tuple[Trees, dict[str, Any]]:
    header = parse_json(bytes(body[_PREFIX.size : start]))
    arrays = {}
    for name, dtype, shape in header["arrays"]:
        if _DTYPES[name] != dtype:
            raise ValueError(f"its {name} are {dtype}")
        if len(shape) > 2 or not all(type(length) is int and length >= 0 for length in shape):
            raise ValueError(f"its {name} have an invalid shape")
        stop = start + math.prod(shape) * np.dtype(dtype).itemsize
        if stop > len(body):
            raise ValueError("it is shorter than its arrays")
        arrays[name] = np.frombuffer(body[start:stop], dtype).reshape(shape)
        start = stop
    if start != len(body):
        raise ValueError("it holds more than its arrays")
    settings = {name: header["settings"][name] for name in ("sample_size", "seed", "sampling", "facts")}
    for name, least in (("sample_size", 1), ("seed", 0)):
        if type(settings[name]) is not int or settings[name] < least:
            raise ValueError(f"its {name} is invalid")
    if not isinstance(settings["sampling"], str) or not isinstance(settings["facts"], dict):
        raise TypeError("its facts are invalid")
    return Trees(**arrays), settings


def _content(path: str | os.PathLike[str]) -> bytes:
    try:
        content = read_regular(path)
    except FileNotFoundError:
        raise ModelError(f"there is no model {path}", hint=_RETRAIN) from None
    except OSError as error:
        raise ModelError(f"model {path} cannot be read: {error.strerror}", hint="name another file") from error
    if content[: len(_MAGIC)] != _MAGIC[: len(content)]:
        raise ModelError(f"{path} is not a forest", hint=f"name the right file, or {_RETRAIN}")
    if len(content) < _PREFIX.size + _DIGEST_BYTES:
        raise ModelError(f"model {path} is cut off after {counted(len(content), 'byte')}", hint=_RETRAIN)
    return content
