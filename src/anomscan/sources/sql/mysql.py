"""MySQL and MariaDB through PyMySQL: rows straight from the wire into columns, and what its errors mean."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pymysql
import sqlalchemy as sa
from pymysql.constants import ER, FIELD_TYPE
from pymysql.converters import conversions
from pymysql.cursors import SSCursor
from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql

from anomscan.config import SqlSource
from anomscan.errors import AnomscanError, ConfigError, InputError, ServiceError
from anomscan.memory import rows_at_a_time
from anomscan.sources.sql import fast, tls
from anomscan.sources.sql.address import shown, without_password
from anomscan.sources.sql.rows import ROWS, as_text, place_of_row
from anomscan.tables.columns import Piece, check_columns, needed
from anomscan.tables.salvage import Reject, pieces_of

_log = logging.getLogger(__name__)
_DATES = {FIELD_TYPE.DATE, FIELD_TYPE.NEWDATE, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP}
_DECIMALS = {FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL}
_TEXTS = {FIELD_TYPE.VAR_STRING, FIELD_TYPE.STRING, FIELD_TYPE.VARCHAR, FIELD_TYPE.BLOB}
# Dates and decimals stay text: Arrow reads columns of them faster than Python makes objects of each.
_CONVERSIONS = {kind: convert for kind, convert in conversions.items() if kind not in _DATES | _DECIMALS}
_KILLED, _STOPPED, _TOO_LONG, _GONE, _LOST = 1927, 1969, 3024, 2006, 2013
_OURS_NO_MORE = {
    *(_KILLED, _STOPPED, _TOO_LONG, _GONE, _LOST),
    *(ER.SERVER_SHUTDOWN, ER.QUERY_INTERRUPTED, ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK),
}
_DENIED = {ER.DBACCESS_DENIED_ERROR, ER.ACCESS_DENIED_ERROR, ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR}


class _Cursor(SSCursor):
    _result: Any
    connection: Any

    def abandon(self) -> None:
        """Leave rows unread; closing the cursor would first read them all."""
        if self._result is not None:
            self._result.unbuffered_active = False
        self.connection = None


class MySql:
    """A connection to a MySQL or MariaDB server; a context manager.

    Parameters
    ----------
    name
        The source's name, for errors.
    settings
        TLS, time-outs and whether the fast path may be taken.
    url
        With a driver of PyMySQL.

    Raises
    ------
    ConfigError
        TLS settings or URL options that cannot work.
    ServiceError
        The server cannot be reached, or refuses us.
    """

    def __init__(self, name: str, settings: SqlSource, url: sa.URL) -> None:
        self._name = name
        self._settings = settings
        self._url = url
        self._dialect = MySQLDialect_pymysql(paramstyle="pyformat")
        self.notices: list[str] = []
        self._connection = self._connected()
        try:
            #: The cipher of the connection, empty where it is in clear text.
            self.cipher = self._cipher()
        except BaseException:
            self.close()
            raise
        if not self.cipher and settings.tls == "prefer" and not _is_local(url):
            self.notices.append(
                f"the connection to the database of source '{name}' is not encrypted, as the server has no TLS "
                '(tls = "require" refuses that, tls = "disable" says it is meant)'
            )

    def __enter__(self) -> MySql:
        return self

    def __exit__(self, *what: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, whatever is still in progress on it."""
        if self._connection.open:
            self._connection.close()

    def table(self, statement: sa.TextClause, thing: str) -> tuple[list[str], list[Sequence[object]]]:
        """All rows of a small query: its columns and its rows; ``thing`` is what errors call it.

        Raises
        ------
        InputError
            The query fails, or gives no rows back.
        ServiceError
            The connection is lost, silent for too long, or the user may not read this.
        """
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(self._rendered(statement, {}))
                description = _checked(cursor.description, (), thing)
                instants = [kind == FIELD_TYPE.TIMESTAMP for _, kind, *_ in description]
                rows: list[Sequence[object]] = [
                    [_in_utc(cell) if instant else cell for cell, instant in zip(row, instants, strict=True)]
                    for row in cursor.fetchall()
                ]
                return [name for name, *_ in description], rows
        except pymysql.err.Error as error:
            raise self._failed(*_said(error), thing) from None

    def pieces(
        self, statement: sa.TextClause, parameters: Mapping[str, object], thing: str, *, bulk: bool
    ) -> Iterator[Piece | Reject]:
        """Run a query and stream its rows, and rejects for those that cannot be used.

        Parameters
        ----------
        thing
            What errors call the query.
        bulk
            Whether many rows are due, so that the fast path is worth its start.

        Raises
        ------
        InputError
            The query fails, gives no rows back, or lacks a column.
        ServiceError
            The connection is lost, silent for too long, or the user may not read this.
        """
        query = self._rendered(statement, parameters)
        if bulk and self._settings.fast == "auto" and fast.is_installed() and fast.takes(self._url):
            description = self._described(query, thing)
            if fast.is_exact(description, self._settings.columns):
                try:
                    yield from self._fast_pieces(query, thing, instants=self._has_instants(description))
                except fast.NotStartedError as error:
                    self.notices.append(
                        f"{thing} was read without the fast path, which failed: {self._without_password(str(error))} "
                        '(fast = "never" spares the attempt)'
                    )
                else:
                    return
            else:
                _log.debug("%s has columns that the fast path does not give exactly", thing)
        yield from self._slow_pieces(query, thing)

    def _has_instants(self, description: Sequence[tuple[Any, ...]]) -> bool:
        """Whether the timestamps are of the type TIMESTAMP: instants, which the session gives in UTC."""
        name = self._settings.columns.timestamp
        return any(column == name and kind == FIELD_TYPE.TIMESTAMP for column, kind, *_ in description)

    def _with_instants(self, piece: Piece) -> Piece:
        """The rows with their timestamps, which are in UTC, as instants in the zone of the source."""
        name, rows = self._settings.columns.timestamp, piece.rows
        column = rows[name]
        try:
            moments = column.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
        except pa.ArrowInvalid:  # a zero date among them: whoever reads the text names it
            column = pa.array([None if text is None else f"{text}Z" for text in column.to_pylist()], pa.string())
        else:
            column = moments.cast(pa.timestamp("us", self._settings.timezone or "UTC"))
        place = rows.schema.get_field_index(name)
        return replace(piece, rows=rows.set_column(place, name, column), typed_times=True)

    def _reached(self) -> str | None:
        """The IP address of the server; None if the connection was lost meanwhile, as the next one will tell."""
        try:
            found = str(self._connection._sock.getpeername()[0])
        except (AttributeError, OSError):
            return None
        return None if "%" in found else found  # a URL has no place for the interface of a link-local address

    def _fast_pieces(self, query: str, thing: str, *, instants: bool) -> Iterator[Piece]:
        wanted = needed(self._settings.columns)
        mode = "require" if self._settings.tls == "prefer" and self.cipher else self._settings.tls
        address = fast.address(self._url, mode, self._settings.ca, self._reached())
        row = 0
        try:
            for batch in fast.batches(address, query, wanted, self._settings.read_timeout_s):
                piece = Piece(
                    batch, partial(place_of_row, thing, row), typed_times=fast.has_dates(batch, self._settings.columns)
                )
                yield self._with_instants(piece) if instants else piece
                row += len(batch)
        except fast.BrokenOffError as error:
            raise self._failed(error.code, str(error), thing, cut=error.code is None) from None
        _log.debug("%s: %d rows by the fast path", thing, row)

    def _slow_pieces(self, query: str, thing: str) -> Iterator[Piece | Reject]:
        columns = self._settings.columns
        wanted = needed(columns)
        cursor = self._connection.cursor(_Cursor)
        row = 0
        try:
            try:
                cursor.execute(query)
                description = _checked(cursor.description, wanted, thing)
                at = {name: itemgetter(place) for place, (name, *_) in enumerate(description)}
                kinds = {name: kind for name, kind, *_ in description}
                while part := cursor.fetchmany(rows_at_a_time(ROWS, len(wanted))):
                    place = partial(place_of_row, thing, row)
                    values = {
                        name: _plain(list(map(at[name], part)), kinds[name], exact=name not in columns.values)
                        for name in wanted
                    }
                    row += len(part)
                    for piece in pieces_of(values, columns, place):
                        if isinstance(piece, Piece):
                            if kinds[columns.timestamp] in _DATES:
                                piece = replace(piece, typed_times=True)
                            piece = self._with_instants(piece) if self._has_instants(description) else piece
                        yield piece
            except pymysql.err.Error as error:
                raise self._failed(*_said(error), thing) from None
        finally:
            cursor.abandon()
        _log.debug("%s: %d rows", thing, row)

    def _described(self, query: str, thing: str) -> Sequence[tuple[Any, ...]]:
        """The columns of a query's answer, without its rows."""
        cursor = self._connection.cursor(_Cursor)
        try:
            cursor.execute("SET SESSION sql_select_limit = 0")
            cursor.execute(query)
            description = cursor.description
            unread = description is not None and cursor.fetchone() is not None
            if not unread:
                cursor.execute("SET SESSION sql_select_limit = DEFAULT")
        except pymysql.err.Error as error:
            raise self._failed(*_said(error), thing) from None
        finally:
            cursor.abandon()
        if unread:  # the query has a LIMIT of its own, which counts for more
            self.close()
            self._connection = self._connected()
        return _checked(description, needed(self._settings.columns), thing)

    def _rendered(self, statement: sa.TextClause, parameters: Mapping[str, object]) -> str:
        """The query as it is sent: MySQL's text protocol has no parameters, PyMySQL escapes them."""
        with self._connection.cursor() as cursor:
            return str(cursor.mogrify(str(statement.compile(dialect=self._dialect)), dict(parameters)))

    def _connected(self) -> Any:
        place = f"the database of source '{self._name}' ({shown(self._url)})"
        settings = self._settings
        options = tls.connect_args(self._name, settings)
        arguments = dict(self._dialect.create_connect_args(self._url)[1])
        try:
            connection: Any = pymysql.connect(
                **arguments
                | options
                | {
                    "conv": _CONVERSIONS,
                    "connect_timeout": settings.connect_timeout_s,
                    # A server that accepts the connection and is silent is noticed as early as one that is missing.
                    "read_timeout": settings.connect_timeout_s,
                    "write_timeout": settings.read_timeout_s,
                }
            )
        except pymysql.err.Error as error:
            code, reason = _said(error)
            hint = tls.advice(code, reason) or ("see user and password" if code == ER.ACCESS_DENIED_ERROR else None)
            raise ServiceError(f"{place} cannot be reached: {self._without_password(reason)}", hint=hint) from None
        except RuntimeError as error:  # a password to be encrypted by a package that is not there
            raise ServiceError(
                f"{place} cannot be reached: {self._without_password(str(error))}",
                hint="switch TLS on at the server, or pip install 'PyMySQL[rsa]'",
            ) from None
        except (TypeError, ValueError, LookupError) as error:
            raise ConfigError(f"{place} cannot be used: {self._without_password(str(error))}") from None
        connection._read_timeout = settings.read_timeout_s
        try:
            with connection.cursor() as cursor:
                cursor.execute(fast.IN_UTC)
        except pymysql.err.Error as error:
            connection.close()
            raise self._failed(*_said(error), place) from None
        return connection

    def describe(self) -> Iterator[tuple[str, str]]:
        """Server, encryption and clock; see :mod:`anomscan.sources.checkup`.

        Raises
        ------
        ServiceError
            The connection is lost.
        """
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(
                    "SELECT VERSION(), CURRENT_USER(), UTC_TIMESTAMP(6), @@global.time_zone, @@system_time_zone"
                )
                version, user, clock, zone, system = cursor.fetchone() or ("", "", None, "", "")
        except pymysql.err.Error as error:
            raise self._failed(*_said(error), f"the database of source '{self._name}'") from None
        yield "server", f"{version}, as user {user}"
        verified = {"verify-identity": ", certificate and host name verified", "verify-ca": ", certificate verified"}
        trust = verified.get(self._settings.tls, ", certificate not verified")
        yield "encryption", f"{self.cipher}{trust}" if self.cipher else "none, the connection is in clear text"
        server = f"SYSTEM ({system})" if zone == "SYSTEM" else zone
        source = self._settings.timezone or "none set"
        yield "zones", f"server {server}, session UTC (for TIMESTAMP columns), source {source} (for DATETIME columns)"
        if clock is not None:
            yield "clock", str(clock)

    def _cipher(self) -> str:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
                return str((cursor.fetchone() or ("", ""))[1])
        except pymysql.err.Error as error:
            raise self._failed(*_said(error), f"the database of source '{self._name}'") from None

    def _failed(self, code: int | None, reason: str, thing: str, *, cut: bool = False) -> AnomscanError:
        reason = self._without_password(reason)
        if code in _DENIED:
            return ServiceError(f"{thing} is refused: {reason}")
        if cut or code in _OURS_NO_MORE:
            hint = None
            if "timed out" in reason:
                hint = f"nothing came for read_timeout_s = {self._settings.read_timeout_s:g}"
            return ServiceError(f"{thing} was cut off: {reason}", hint=hint)
        return InputError(f"{thing} fails: {reason}")

    def _without_password(self, text: str) -> str:
        return without_password(text, self._url)


def _said(error: pymysql.err.Error) -> tuple[int | None, str]:
    if len(error.args) >= 2 and isinstance(error.args[0], int):
        return error.args[0], str(error.args[1])
    return None, str(error)


def _checked(description: Any, wanted: Sequence[str], thing: str) -> Sequence[tuple[Any, ...]]:
    if description is None:
        raise InputError(f"{thing} gives no rows back", hint="it must be a SELECT")
    columns: Sequence[tuple[Any, ...]] = description
    check_columns(wanted, [name for name, *_ in columns], thing)
    return columns


def _plain(values: Sequence[object], kind: int, *, exact: bool) -> Sequence[object]:
    """Objects as the other sources give them: text for bytes, numbers for decimals that are not measured values."""
    first = next((value for value in values if value is not None), None)
    if kind in _TEXTS and isinstance(first, bytes):
        return [as_text(value) if isinstance(value, bytes) else value for value in values]
    if exact and kind in _DECIMALS:
        return [None if value is None else Decimal(str(value)) for value in values]
    return values


def _in_utc(cell: object) -> object:
    """The text of a TIMESTAMP, which the session gives in UTC, as one that says so."""
    return None if cell is None else f"{cell.decode() if isinstance(cell, bytes) else cell}Z"


def _is_local(url: sa.URL) -> bool:
    """Whether the connection stays on this machine."""
    host = url.host or "localhost"
    if host == "localhost" or "unix_socket" in url.query:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
