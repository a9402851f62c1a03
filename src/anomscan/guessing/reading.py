"""The sample that guesses are made from: of a file, of a folder of files, or of a table in a database."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from anomscan.config import Columns, FilesSource
from anomscan.errors import InputError
from anomscan.guessing.headers import delimiter_of, header_in, is_time
from anomscan.guessing.said import Said
from anomscan.guessing.sample import Column, Sample, column_of
from anomscan.guessing.unsure import UnsureError
from anomscan.tables.columns import plain
from anomscan.tables.dialects import Dialect
from anomscan.tables.formats import known_format
from anomscan.tables.opening import opened
from anomscan.tables.salvage import Reject
from anomscan.tables.sniffing import HEAD_BYTES, LINE_ENDS, Sought, encoding_of, sniffed

#: Rows, and cells, that are looked at.
MOST_ROWS, MOST_CELLS = 400_000, 8_000_000
_HEAD_ROWS = 250
#: Names of files end so that may hold a table, and may not; one that is named by itself is read as CSV.
_TEXT = (".txt", ".dat", ".asc", ".prn")


def sample_of_files(path: Path, said: Said) -> Sample:
    """The rows of a file, or of the first file of a folder or pattern.

    Raises
    ------
    InputError
        If there is no file, or it cannot be read.
    UnsureError
        Where it is not clear where the table is.
    """
    from anomscan.sources.files.source import paths_of

    settings = FilesSource(kind="files", path=path, cadence="1D", columns=Columns(values=("value",)))
    found = paths_of(settings)
    plain = found[0].suffix.lower() in _TEXT
    kind = "csv" if plain else known_format(found[0])
    read = {"csv": _csv, "excel": _excel, "parquet": _parquet, "jsonl": _json, "json": _json}[kind]
    sample = read(found[0], said)
    if not sample.columns or sample.rows == 0:
        raise InputError(f"{found[0]} has no rows")
    return replace(sample, files=len(found), said={**sample.said, "format": "csv"} if plain else sample.said)


def _csv(path: Path, said: Said) -> Sample:
    from anomscan.tables.csv_files import read_csv

    with opened(path) as raw:
        head = raw.read(HEAD_BYTES)
    encoding = encoding_of(head)
    try:
        text = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)().decode(head)
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text") from None
    lines = LINE_ENDS.split(text)
    if len(head) == HEAD_BYTES:
        lines.pop()
    delimiter = delimiter_of(lines[:_HEAD_ROWS], said.delimiter)
    if delimiter is None:
        raise UnsureError(f"it is not clear what parts the columns of {path}", "--delimiter", [",", ";"])
    from anomscan.tables.sniffing import cells_of

    rows = [cells_of(line, delimiter) for line in lines[:_HEAD_ROWS] if not line.startswith("#")]
    names = _names(rows, str(path))
    own = Dialect(delimiter, said.decimal)
    dialect = sniffed(path, own, Sought(names, names[0], names[1:]))
    batches, count = [], 0
    for piece in read_csv(path, Columns(timestamp=names[0], values=tuple(names[1:])), [], dialect):
        if isinstance(piece, Reject):
            continue
        batches.append(piece.rows)
        count += len(piece.rows)
        if count >= _most(names):
            break
    table = pa.Table.from_batches(batches) if batches else None
    if table is None:
        raise InputError(f"{path} has no rows")
    columns = {name: Column(name, table[name].combine_chunks(), dialect) for name in names}
    return Sample(str(path), columns, count < _most(names), dialect)


def _most(names: Sequence[str]) -> int:
    return min(MOST_ROWS, MOST_CELLS // len(names))


def _names(rows: Sequence[Sequence[str]], place: str) -> list[str]:
    """The names in the header, without empty ones."""
    at = header_in(rows)
    if at is None:
        raise InputError(f"{place}: no row with the names of the columns was found", hint="write one before the data")
    names = _distinct([name for name in rows[at] if name], place)
    below = [row[0] for row in rows[at + 1 :] if any(row)]
    if rows[at][0] == "" and below and all(map(is_time, below)):
        names.insert(0, "")  # an index of times, as pandas writes it
    if len(names) < 2:
        raise InputError(f"{place} has {len(names)} columns; a time and a value are needed")
    return names


def _distinct(names: list[str], place: str) -> list[str]:
    """The names, if none comes twice."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{place} has several columns called '{twice[0]}'", hint="give each a name of its own")
    return names


def _excel(path: Path, said: Said) -> Sample:
    from anomscan.tables.excel_files import sheets_of

    found = {}
    for sheet, rows in sheets_of(path, _HEAD_ROWS, said.sheet).items():
        texts = [[_text(cell) for cell in row] for row in rows]
        if header_in(texts) is not None:
            found[sheet] = _names(texts, f"{path}, sheet '{sheet}'")
    if not found:
        raise InputError(f"{path}: no sheet has a row with the names of columns, and data below it")
    if len(found) > 1:
        raise UnsureError(f"sheets {', '.join(map(repr, found))} of {path} hold tables", "--sheet", list(found))
    ((sheet, names),) = found.items()
    rows = sheets_of(path, _most(names), sheet)[sheet]
    texts = [[_text(cell) for cell in row] for row in rows[:_HEAD_ROWS]]
    at = header_in(texts) or 0
    places = [texts[at].index(name) for name in names]
    body = [row for row in rows[at + 1 :] if any(cell != "" for cell in row)]
    if body and all(isinstance(cell, str) for cell in body[0]):
        body = body[1:]  # units
    columns = {
        name: column_of(name, [_cell(row[place]) if place < len(row) else None for row in body])
        for name, place in zip(names, places, strict=True)
    }
    return Sample(
        f"{path}, sheet '{sheet}'", columns, len(rows) < _most(names), said={"sheet": sheet} if said.sheet else {}
    )


def _text(cell: Any) -> str:
    return str(cell).strip()


def _cell(cell: Any) -> Any:
    from datetime import date

    if isinstance(cell, str):
        return cell.strip() or None
    if isinstance(cell, bool) or not isinstance(cell, (int, float, date)):
        return str(cell)
    return int(cell) if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15 else cell


def _parquet(path: Path, said: Said) -> Sample:
    from anomscan.tables.parquet_files import columns_in, read_parquet

    names = _distinct(columns_in(path), str(path))
    if len(names) < 2:
        raise InputError(f"{path} has {len(names)} columns; a time and a value are needed")
    batches, count = [], 0
    for piece in read_parquet(path, Columns(timestamp=names[0], values=tuple(names[1:])), []):
        batches.append(piece.rows)
        count += len(piece.rows)
        if count >= _most(names):
            break
    if not batches:
        raise InputError(f"{path} has no rows")
    table = pa.Table.from_batches(batches)
    columns = {name: Column(name, _shallow(table[name].combine_chunks(), name)) for name in names}
    return Sample(str(path), columns, count < _most(names))


def _shallow(column: pa.Array, name: str) -> pa.Array:
    """The column as text, numbers or times; as nothing where it is nested."""
    column = plain(column, name, lambda row: f"row {row + 1}")
    if pa.types.is_nested(column.type):
        return pa.nulls(len(column), pa.string())
    return column


def _json(path: Path, said: Said) -> Sample:
    from anomscan.tables.json_files import objects_in

    rows = [row for _, row in islice(objects_in(path), MOST_ROWS) if isinstance(row, dict)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    flat = [name for name in names if not any(isinstance(row.get(name), (dict, list)) for row in rows)]
    columns = {name: column_of(name, [row.get(name) for row in rows]) for name in flat}
    return Sample(str(path), columns, len(rows) < MOST_ROWS)


def sample_of_database(url: str, said: Said) -> Sample:
    """The rows of a table in a database: the only one, or the one that the user named.

    Raises
    ------
    ConfigError, InputError, ServiceError
        If it cannot be asked.
    UnsureError
        Where there are several tables.
    """
    import sqlalchemy as sa
    from pydantic import SecretStr

    from anomscan.config import SqlSource
    from anomscan.sources.sql.address import database_url
    from anomscan.sources.sql.connecting import connected

    columns = Columns(asset="asset", values=("value",))
    settings = SqlSource(kind="sql", url=SecretStr(url), query="", cadence="1D", columns=columns)
    address = database_url("fleet", settings)
    with connected("fleet", settings, address) as database:
        _, rows = database.table(sa.text(_tables(address.get_backend_name())), "the list of tables")
        tables = [_name(row[0]) for row in rows]
        if said.table is None and len(tables) != 1:
            raise UnsureError(f"the database has {len(tables)} tables", "--table", tables)
        table = said.table or tables[0]
        if table not in tables:
            raise InputError(f"the database has no table '{table}'", hint=f"it has: {', '.join(tables)}")
        quoted = quoted_name(table, address.get_backend_name())
        header, found = database.table(sa.text(f"SELECT * FROM {quoted} LIMIT {MOST_ROWS}"), f"table '{table}'")  # noqa: S608 - quoted
    given = {name: column_of(name, [_decoded(row[place]) for row in found]) for place, name in enumerate(header)}
    if not found:
        raise InputError(f"table '{table}' has no rows")
    return Sample(
        f"table '{table}'", given, len(found) < MOST_ROWS, said={"table": table, "backend": address.get_backend_name()}
    )


def _tables(backend: str) -> str:
    if backend == "sqlite":
        return (
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
    if backend in ("mysql", "mariadb"):
        return "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name"
    return (
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema NOT IN ('information_schema', 'pg_catalog') ORDER BY table_name"
    )


def quoted_name(name: str, backend: str) -> str:
    """A name as SQL writes it; a colon in it is not a parameter.

    >>> quoted_name("my `table`", "mysql")
    '`my ``table```'
    """
    mark = "`" if backend in ("mysql", "mariadb") else '"'
    return f"{mark}{name.replace(mark, 2 * mark)}{mark}".replace(":", r"\:")


def _name(cell: object) -> str:
    return cell.decode() if isinstance(cell, bytes) else str(cell)


def _decoded(cell: object) -> object:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell
