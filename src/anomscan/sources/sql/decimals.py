"""Decimals of Arrow -> float64, the nearest; without what is slow to import."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_EXACT = 1 << 53


def float_schema(schema: pa.Schema) -> pa.Schema:
    """A schema with float64 for decimals."""
    fields = [field.with_type(pa.float64()) if pa.types.is_decimal(field.type) else field for field in schema]
    return pa.schema(fields)


def with_floats(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch with its decimals as float64, rounded once, as their text would be."""
    columns = [_floats(column) if pa.types.is_decimal(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=float_schema(batch.schema))


def _floats(column: pa.Array) -> pa.Array:
    valid, data = column.buffers()
    words = np.frombuffer(data, "<i8")[2 * column.offset : 2 * (column.offset + len(column))]
    small, sign = words[::2].copy(), words[1::2]
    exact = small.min(initial=0) >= -_EXACT and small.max(initial=0) <= _EXACT and bool((sign == small >> 63).all())
    if not exact:
        # Not at once, as Arrow's own way rounds more than once.
        return column.cast(pa.string()).cast(pa.float64())
    # A quotient of two exact float64 is rounded once.
    values = small / 10.0**column.type.scale
    return pa.Array.from_buffers(pa.float64(), len(column), [_aligned(valid, column), pa.py_buffer(values)])


def _aligned(valid: pa.Buffer | None, column: pa.Array) -> pa.Buffer | None:
    if valid is None or column.offset == 0:
        return valid
    return pa.py_buffer(np.packbits(np.asarray(column.is_valid()), bitorder="little"))
