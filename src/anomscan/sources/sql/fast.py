"""The fast path of MySQL: connectorx in a process of its own, which passes rows on as Arrow.

A process of its own, as connectorx holds Python's lock while it waits (neither a time-out nor Ctrl-C would be heard),
has no time-outs, and ends its thread in a panic on data it does not expect. It gives FLOAT and some DECIMALs otherwise
than they are written; queries with such columns are left to PyMySQL.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import sqlalchemy as sa
from pymysql.constants import FIELD_TYPE as KIND

from anomscan.config import Columns
from anomscan.memory import rows_at_a_time

_ROWS = 32 << 10
_WHOLE = {KIND.TINY, KIND.SHORT, KIND.LONG, KIND.INT24, KIND.LONGLONG, KIND.YEAR}
_TEXT = {KIND.VAR_STRING, KIND.STRING, KIND.VARCHAR, KIND.BLOB}
_TIME = {KIND.DATE, KIND.DATETIME, KIND.TIMESTAMP}
# connectorx has ten digits after the point, and 28 altogether.
_SCALE, _DIGITS = 10, 28
_MODES = {"require": "REQUIRED", "verify-ca": "VERIFY_CA", "verify-identity": "VERIFY_IDENTITY"}
_ALARM = -signal.SIGALRM
# connectorx allocates the values of some rows and then frees them: glibc keeps as many at hand, and in one heap. NumPy,
# which Arrow brings, needs no threads.
_ENVIRONMENT = {
    "GLIBC_TUNABLES": "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=127",
    "OPENBLAS_NUM_THREADS": "1",
}


#: MySQL gives a TIMESTAMP, which is an instant, in the zone of the session.
IN_UTC = "SET SESSION time_zone = '+00:00'"


class NotStartedError(Exception):
    """The fast path failed before it gave a row."""


class BrokenOffError(Exception):
    """The fast path failed after it gave rows.

    Parameters
    ----------
    code
        The server's error number, None where it is not the server's.
    """

    def __init__(self, reason: str, code: int | None) -> None:
        super().__init__(reason)
        self.code = code


def is_installed() -> bool:
    """Whether the extra ``fast`` is installed."""
    return importlib.util.find_spec("connectorx") is not None


def takes(url: sa.URL) -> bool:
    """Whether connectorx understands all that a URL says."""
    return bool(url.host) and dict(url.query) in ({}, {"charset": "utf8mb4"})


def is_exact(description: Sequence[tuple[Any, ...]], columns: Columns) -> bool:
    """Whether connectorx gives the needed columns of an answer exactly as PyMySQL does.

    Parameters
    ----------
    description
        PyMySQL's, with the scale of each column.
    """

    def fits(name: str | None, kinds: set[int]) -> bool:
        return all(
            kind in kinds or (name in columns.values and kind == KIND.NEWDECIMAL and _holds(length, scale))
            for column, kind, _, length, _, scale, _ in description
            if column == name
        )

    return (
        fits(columns.timestamp, _TIME | _TEXT)
        and all(fits(name, _WHOLE | _TEXT) for name in (columns.asset, columns.health))
        and all(fits(name, _WHOLE | _TEXT | {KIND.DOUBLE}) for name in columns.values)
    )


def address(url: sa.URL, mode: str, ca: Path | None, reached: str | None) -> str:
    """The URL as connectorx reads it: with the password, and with TLS as in ``tls``.

    Parameters
    ----------
    reached
        The IP address at which the server answers. connectorx tries only the first address of a name, which may be
        ``::1`` for ``localhost``; so it is given this one, unless the certificate has to be that of the name. None if
        it is not known.
    """
    # Without prefer_socket it would leave the host named for a socket of this machine.
    query = {"prefer_socket": "false"}
    if mode in _MODES:
        query["ssl-mode"] = _MODES[mode]
    if ca is not None:
        query["ssl-ca"] = str(ca)
    host = url.host if mode == "verify-identity" or reached is None else reached
    plain = url.set(drivername="mysql", host=host, query=query, port=url.port or 3306)
    return plain.render_as_string(hide_password=False)


def batches(address: str, query: str, wanted: Sequence[str], timeout_s: float) -> Iterator[pa.RecordBatch]:
    """Run a query and stream its rows; decimals as float64, the nearest.

    Parameters
    ----------
    query
        With its parameters in place, escaped.
    wanted
        The columns to read.
    timeout_s
        The longest silence of the server.

    Raises
    ------
    NotStartedError
        Before the first row.
    BrokenOffError
        After it, or if the server was silent.
    """
    rows = rows_at_a_time(_ROWS, len(wanted))
    order = {"url": address, "query": query, "columns": list(wanted), "rows": rows, "timeout_s": timeout_s}
    order["first"] = IN_UTC
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "anomscan.sources.sql.fast_reader"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_ENVIRONMENT | os.environ | {"RUST_BACKTRACE": "0"},
    )
    started = False
    with process:
        try:
            stdin, stdout, stderr = (
                cast("IO[bytes]", pipe) for pipe in (process.stdin, process.stdout, process.stderr)
            )
            with suppress(BrokenPipeError):  # it has ended; its messages say why
                stdin.write(json.dumps(order).encode())
                stdin.close()
            complete = False
            with suppress(pa.ArrowInvalid, OSError), pa.ipc.open_stream(stdout) as rows:
                while (batch := _next(rows)) is not None:
                    started = True
                    yield batch
                complete = True
            words = stderr.read().decode(errors="replace")
            code = process.wait()
        finally:
            process.kill()
    if complete and code == 0:
        return
    if code == _ALARM:
        raise BrokenOffError("timed out", 2013)
    reason = _reason(words)
    if not started:
        raise NotStartedError(reason)
    number = re.search(r"ERROR (\d+)", reason)
    if "Could not retrieve" in reason or "Destination" in reason:
        raise BrokenOffError(f'{reason} (fast = "never" reads it without the fast path)', 0)
    raise BrokenOffError(reason, int(number[1]) if number else None)


def has_dates(batch: pa.RecordBatch, columns: Columns) -> bool:
    """Whether the timestamps have a type of their own, rather than being text."""
    kind = batch.schema.field(columns.timestamp).type
    return bool(pa.types.is_temporal(kind))


def _next(rows: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return rows.read_next_batch()
    except StopIteration:
        return None


def _holds(length: int, scale: int) -> bool:
    """Whether a DECIMAL of this length (sign and point among them) keeps all its digits."""
    return scale <= _SCALE and length - scale + _SCALE <= _DIGITS


def _reason(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return re.sub(r"^[\w.]+: ", "", lines[-1]) if lines else "it ended without a message"
