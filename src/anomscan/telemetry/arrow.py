"""NumPy to Arrow and back through their buffers: pyarrow's own conversions import pandas, which is slow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomscan.telemetry.series import Floats


def numbers(column: pa.ChunkedArray, dtype: str) -> NDArray[Any]:
    """A column of 64-bit numbers or timestamps without nulls as ``dtype`` (of 64 bits)."""
    parts = [_values(chunk, dtype) for chunk in column.chunks]
    return parts[0] if len(parts) == 1 else np.concatenate(parts or [np.empty(0, dtype)])


def floats(column: pa.ChunkedArray) -> Floats:
    """A float64 column; NaN for null."""
    parts = []
    for chunk in column.chunks:
        if chunk.null_count == len(chunk):
            parts.append(np.full(len(chunk), np.nan))
            continue
        values: Floats = _values(chunk, "float64")
        parts.append(np.where(_valid(chunk), values, np.nan) if chunk.null_count else values)
    return parts[0] if len(parts) == 1 else np.concatenate(parts or [np.empty(0)])


def flags(column: pa.Array) -> NDArray[np.bool_]:
    """A column of booleans; False for null."""
    data = column.buffers()[1]
    if data is None or len(column) == 0:
        return np.zeros(len(column), bool)
    flags = _unpacked(data, column)
    return flags & _valid(column) if column.null_count else flags


def codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    """A text column, plain or dictionary-encoded, as codes (-1 for null) into a list of texts."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if column.num_chunks == 0:
        return np.empty(0, np.int32), []
    column = column.unify_dictionaries()
    parts = []
    for chunk in column.chunks:
        indices: NDArray[np.int32] = _values(chunk.indices, "int32")
        parts.append(np.where(_valid(chunk), indices, np.int32(-1)) if chunk.null_count else indices)
    texts: list[str] = column.chunk(0).dictionary.to_pylist()
    return parts[0] if len(parts) == 1 else np.concatenate(parts), texts


def to_numbers(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Numbers as a column without nulls."""
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def to_floats(values: Floats) -> pa.Array:
    """Floats as a column with null for NaN."""
    known = ~np.isnan(values)
    if not known.any():
        return pa.nulls(len(values), pa.float64())  # quickly written
    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.float64(), len(values), [_bits(known), pa.py_buffer(values)])


def to_texts(texts: Sequence[str | None]) -> pa.Array:
    """Texts as a column, with null for None."""
    encoded = [b"" if text is None else text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)]).astype(np.int32)
    filled = _bits(np.array([text is not None for text in texts], bool)) if None in texts else None
    return pa.Array.from_buffers(pa.string(), len(texts), [filled, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))])


def to_codes(places: NDArray[np.int32], texts: Sequence[str]) -> pa.Array:
    """Codes (-1 for null) into texts as a dictionary-encoded text column."""
    buffers = [_bits(places >= 0), pa.py_buffer(np.ascontiguousarray(places))]
    return pa.DictionaryArray.from_arrays(pa.Array.from_buffers(pa.int32(), len(places), buffers), to_texts(texts))


def _values(chunk: pa.Array, dtype: str) -> NDArray[Any]:
    data = chunk.buffers()[1]
    if data is None or len(chunk) == 0:
        return np.empty(0, dtype)
    return np.frombuffer(data, dtype, len(chunk), chunk.offset * np.dtype(dtype).itemsize)


def _valid(chunk: pa.Array) -> NDArray[np.bool_]:
    return _unpacked(chunk.buffers()[0], chunk)


def _unpacked(bits: pa.Buffer, chunk: pa.Array) -> NDArray[np.bool_]:
    """The bit of each value of a chunk."""
    unpacked = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
    return unpacked[chunk.offset : chunk.offset + len(chunk)].astype(bool)


def _bits(valid: NDArray[np.bool_]) -> pa.Buffer | None:
    return None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
