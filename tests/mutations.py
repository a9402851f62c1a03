"""Files that somebody changed on purpose: still of the right form and with right checksums, but wrong within."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

#: What stands in a document where raw JSON text is put in that json.dumps would not write.
_RAW = {
    "\ue000deep list": "[" * 60_000 + "]" * 60_000,
    "\ue000deep object": '{"a":' * 60_000 + "1" + "}" * 60_000,
    "\ue000surrogate": '"\\ud800"',
    "\ue000NaN": "NaN",
    "\ue000infinite": "1e999",
    "\ue000minus infinite": "-Infinity",
    "\ue000long": "9" * 5000,
    "\ue000huge": "1" + "0" * 400,
    "\ue000cut": "",
    "\ue000-0": "-0",
}
_VALUES = [
    *_RAW,
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    2**64,
    0.5,
    -1e300,
    1e-320,
    "",
    " ",
    "a",
    "\0",
    "\x1b[2J\n",
    "../../etc/passwd",
    "/etc/passwd",
    "batch-000001.parquet",
    "x" * 100_000,
    "1970-01-01",
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01",
    [],
    [[]],
    [None],
    {},
    {"": None},
    list(range(1000)),
]


def document(rng: random.Random, content: bytes) -> bytes:
    """JSON text with one to three of its values, keys or lists changed."""
    holder = [json.loads(content)]
    twice = False
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        twice |= _change(rng, holder)
    text = json.dumps(holder[0])
    if twice and text.startswith("{") and len(text) > 2:
        text = text[:-1] + ", " + text[1:]  # every key twice
    for name, raw in _RAW.items():
        text = text.replace(json.dumps(name), raw)
    return text.encode()


def _change(rng: random.Random, holder: list[Any]) -> bool:
    places = _places(holder)
    parent, key = rng.choice(places)
    what = rng.randrange(8)
    if what == 0 and len(places) > 1:
        other, place = rng.choice(places[1:])
        parent[key] = json.loads(json.dumps(other[place]))
    elif what == 1 and parent is not holder:
        del parent[key]
    elif what == 2 and isinstance(parent[key], list) and parent[key]:
        parent[key] = parent[key] * 2
    elif what == 3 and isinstance(parent[key], list) and parent[key]:
        parent[key] = parent[key][: rng.randrange(len(parent[key]))]
    elif what == 4 and isinstance(parent[key], (int, float)) and not isinstance(parent[key], bool):
        parent[key] += rng.choice((1, -1, 0.5, 2**31, 10**6))
    elif what == 5:
        return True
    else:
        parent[key] = copy.deepcopy(rng.choice(_VALUES))
    return False


def _places(holder: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every value, the whole first."""
    found, waiting = [], [holder]
    while waiting:
        one = waiting.pop()
        for key in one if isinstance(one, dict) else range(len(one)):
            found.append((one, key))
            if isinstance(one[key], (dict, list)):
                waiting.append(one[key])
    return found


def lines(rng: random.Random, content: bytes) -> bytes:
    """JSON lines with one of them changed."""
    parts = content.splitlines(keepends=True)
    place = rng.randrange(len(parts))
    what = rng.randrange(6)
    if what == 0:
        parts[place] = flipped(rng, parts[place])
    elif what == 1:
        parts.insert(rng.randrange(len(parts)), parts[place])
    else:
        parts[place] = document(rng, parts[place]) + b"\n"
    return b"".join(parts)


def flipped(rng: random.Random, content: bytes) -> bytes:
    """The content with some bits turned over, some bytes missing, or some twice."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if not changed:
            break
        place = rng.randrange(len(changed))
        what = rng.randrange(5)
        if what == 0:
            del changed[place : place + rng.randrange(1, 40)]
        elif what == 1:
            changed[place:place] = changed[place : place + rng.randrange(1, 40)]
        elif what == 2:
            changed[place] = rng.choice((0, 10, 34, 44, 255))
        else:
            changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed)


def table(rng: random.Random, content: bytes) -> bytes:
    """A Parquet file with some of its rows, columns or types changed, or with bits turned over in its pages."""
    if rng.randrange(5) == 0:
        return flipped(rng, content)
    rows = pq.read_table(io.BytesIO(content))
    for _ in range(rng.choice((1, 1, 2))):
        rows = _changed_table(rng, rows)
    out = io.BytesIO()
    kinds = {"compression": rng.choice(["lz4", "zstd", "none"]), "write_page_checksum": rng.random() < 0.8}
    try:
        pq.write_table(rows, out, store_schema=rng.random() < 0.3, row_group_size=rng.choice((1, 7, 10_000)), **kinds)
    except pa.ArrowException:  # there is no such Parquet
        return flipped(rng, content)
    return out.getvalue()


_KINDS: list[pa.DataType] = [
    pa.int8(),
    pa.int32(),
    pa.int64(),
    pa.uint64(),
    pa.float32(),
    pa.float64(),
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.timestamp("s"),
    pa.timestamp("ns"),
    pa.timestamp("us", "UTC"),
    pa.bool_(),
    pa.date32(),
    pa.dictionary(pa.int32(), pa.string()),
    pa.decimal128(20, 3),
    pa.list_(pa.int64()),
    pa.null(),
]


def _changed_table(rng: random.Random, rows: pa.Table) -> pa.Table:
    if not rows.num_columns:
        return rows
    place = rng.randrange(rows.num_columns)
    column = rows.column(place).combine_chunks()
    name, count = rows.schema.names[place], len(rows)
    what = rng.randrange(11)
    if what == 0:
        return rows.remove_column(place)
    if what == 1:
        return rows.rename_columns(
            [*rows.schema.names[:place], rng.choice(["x", "asset", ""]), *rows.schema.names[place + 1 :]]
        )
    if what == 2:
        return rows.append_column(name, column)
    if what == 3:
        return rows.slice(0, rng.randrange(count) if count else 0)
    if what == 4:
        return pa.concat_tables([rows, rows])
    if what == 5:
        return rows.take(pa.array(np.random.default_rng(rng.randrange(99)).permutation(count)))
    if what == 6:
        kind = rng.choice(_KINDS)
        try:
            return rows.set_column(place, name, column.cast(kind, safe=False))
        except pa.ArrowException:
            return rows.set_column(place, name, pa.nulls(count, kind))
    if not count:
        return rows
    values = (column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column).to_pylist()
    for _ in range(rng.choice((1, 1, count))):
        values[rng.randrange(count)] = _cell(rng, column.type, values)
    try:
        changed = pa.array(values, column.type.value_type if pa.types.is_dictionary(column.type) else column.type)
        return rows.set_column(place, name, changed)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return rows.set_column(place, name, pa.nulls(count, pa.float64()))


def _cell(rng: random.Random, kind: pa.DataType, values: list[Any]) -> Any:
    if rng.randrange(4) == 0:
        return None
    if rng.randrange(3) == 0:
        return rng.choice(values)
    if pa.types.is_floating(kind):
        return rng.choice([np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0, -0.0, 1e39])
    if pa.types.is_timestamp(kind) or pa.types.is_integer(kind):
        return rng.choice([0, -1, 1, 2**63 - 1, -(2**63), -(2**62), 86_400_000_000, 253_402_300_800_000_000])
    return rng.choice(["", " ", "\0", "\x1b[2J", "a\nb", "cohort:x", "x" * 70_000, "\u2028", "A1", "\ufeff"])


def listed(rng: random.Random, content: bytes) -> bytes:
    """As ``table``, or with another arrival in its metadata."""
    if rng.randrange(3):
        return table(rng, content)
    rows, out = pq.read_table(io.BytesIO(content)), io.BytesIO()
    arrived = rng.choice([b"", b"x", b"-1", b"9" * 40, b"9" * 5000, b"\xff", b"1e3", b"1_0", b"9223372036854775808"])
    metadata: dict[bytes, bytes] = rng.choice([{}, {b"arrived_at": arrived}])
    pq.write_table(rows.replace_schema_metadata(metadata), out)
    return out.getvalue()


def workbook(rng: random.Random, content: bytes) -> bytes:
    """A workbook of Excel with other bytes in it, or other cells."""
    if rng.randrange(4) == 0:
        return flipped(rng, content)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        victim = rng.choice([*names, *[name for name in names if "sheet" in name] * 9])
        for name in names:
            member = old.read(name)
            new.writestr(
                name, member if name != victim else _cells(rng, member) if rng.randrange(3) else flipped(rng, member)
            )
    return out.getvalue()


_NUMBERS = ["1e999", "-1e300", "nan", "-1", "2958466", "2958465.999999999", "1e15", "0.0000001", "", "x", "9" * 400]
_PLACES = ["XFD2", "XFD20000", "XFD1048576", "ZZZZZZZ1", "A0", "A4294967295", "A99999999999999999999", "", "1", "AA"]


def _cells(rng: random.Random, sheet: bytes) -> bytes:
    parts = re.split(rb"(<c [^>]*>)", sheet)
    places = range(1, len(parts), 2)
    if not places:
        return flipped(rng, sheet)
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.choice(places)
        what = rng.randrange(4)
        if what == 0:
            parts[place] = re.sub(rb'r="[^"]*"', b'r="%s"' % rng.choice(_PLACES).encode(), parts[place])
        elif what == 1:
            number = rng.choice(_NUMBERS).encode()
            parts[place : place + 2] = [b'<c s="%d">' % rng.randrange(4), b"<v>%s</v></c>" % number]
        elif what == 2:
            parts[place] = re.sub(
                rb' t="[^"]*"', b' t="%s"' % rng.choice([b"s", b"d", b"str", b"e", b"b", b"n"]), parts[place]
            )
        else:
            parts[place + 1] = flipped(rng, parts[place + 1])
    return b"".join(parts)


def forest(rng: random.Random, content: bytes) -> bytes:
    """A model file with another header, other arrays or other numbers in them, and a right checksum."""
    _, version, length = struct.unpack_from("<8sII", content)
    header, arrays = content[16 : 16 + length], bytearray(content[16 + length : -32])
    what = rng.randrange(6)
    if what == 0:
        header = document(rng, header)
    elif what == 1:
        said = json.loads(header)
        shape = rng.choice(said["arrays"])[2]
        count = int(np.prod(shape))
        shape[:] = rng.choice(
            [[count, 0], [0, count], [count, 1], [1, count], [-1], [count - 1], [count + 1], [], [2**62, 4]]
        )
        header = json.dumps(said).encode()
    elif what == 2:
        arrays[:] = flipped(rng, bytes(arrays))
    else:
        words = np.frombuffer(arrays, "<u4")
        for _ in range(rng.choice((1, 1, 2, 3, 10))):
            said = json.loads(header)["arrays"]
            place = rng.randrange(len(said))
            sizes = [int(np.prod(shape)) for _, _, shape in said]
            at = sum(sizes[:place]) + rng.randrange(sizes[place])
            word = int(words[at])
            extremes = [0, 1, 2, len(words), 2**31 - 1, 2**31, 2**32 - 1, 0x7F800000, 0x7FC00000, 0x7F7FFFFF]
            near = [word ^ (1 << rng.randrange(32)), word + 1, int(words[rng.randrange(len(words))])]
            words[at] = rng.choice([*extremes, *near]) % 2**32
    if rng.randrange(4):
        header += b" " * (-(16 + len(header)) % 64)
    body = struct.pack("<8sII", content[:8], version, len(header)) + header + arrays
    return body + hashlib.sha256(body).digest()


def cached(rng: random.Random, content: bytes) -> bytes:
    """A file of the score cache, of one frame, with another header or other numbers, and a right checksum."""
    magic, _, of_header = struct.unpack_from("<8sQQ", content)
    header, arrays = content[24 : 24 + of_header], content[24 + of_header : -4]
    if rng.randrange(2):
        header = document(rng, header)
    else:
        arrays = flipped(rng, arrays)
    length = 24 + len(header) + len(arrays) + 4
    body = (
        struct.pack("<8sQQ", magic, rng.choice([length] * 9 + [2**63]), rng.choice([len(header)] * 9 + [2**62]))
        + header
        + arrays
    )
    return body + struct.pack("<I", zlib.crc32(body))


def finished(
    rng: random.Random, content: bytes, scores: bytes, begin: str, change: Callable[[random.Random, bytes], bytes]
) -> bytes:
    """The lines of a partition in a checkpoint with something changed, and a right checksum."""
    changed = change(rng, content[: content.rindex(b"\n", 0, -1) + 1])
    return changed + b"%d\n" % zlib.crc32(scores, zlib.crc32(changed, zlib.crc32(begin.encode())))
