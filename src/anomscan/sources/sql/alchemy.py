"""A database through SQLAlchemy, whatever its driver: SQLite, and others without a reader of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from anomscan.config import Columns
from anomscan.errors import ConfigError, InputError, ServiceError
from anomscan.memory import rows_at_a_time
from anomscan.sources.sql.address import shown, without_password
from anomscan.sources.sql.rows import ROWS, as_text, place_of_row
from anomscan.tables.columns import Piece, check_columns, needed
from anomscan.tables.salvage import Reject, pieces_of


class Alchemy:
    """A connection to a database; a context manager.

    Parameters
    ----------
    name
        The source's name, for errors.
    columns
        Those to read.

    Raises
    ------
    ConfigError
        The driver is not installed, or does not know an option of the URL.
    ServiceError
        The database cannot be reached, or refuses us.
    """

    def __init__(self, name: str, columns: Columns, url: sa.URL) -> None:
        self._url = url
        self._columns = columns
        self.notices: list[str] = []
        place = f"the database of source '{name}' ({shown(url)})"
        if url.get_backend_name() == "sqlite" and _is_file(url.database) and not Path(str(url.database)).is_file():
            # The driver would create it.
            raise ServiceError(f"there is no database file {url.database}", hint=f"see the url of source '{name}'")
        try:
            engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        except ImportError as error:
            raise ConfigError(
                f"the driver for {url.drivername} is not installed: {error}", hint="pip install it beside anomscan"
            ) from None
        except (sa.exc.SQLAlchemyError, TypeError, ValueError) as error:
            raise ConfigError(f"{place} cannot be used: {self._reason(error)}") from None
        try:
            self._connection = engine.connect()
        except sa.exc.SQLAlchemyError as error:
            raise ServiceError(f"{place} cannot be reached: {self._reason(error)}") from None
        if url.get_backend_name() == "sqlite":
            # A text of other bytes is its row's fault alone; the driver's own reading would end the query.
            driver: Any = self._connection.connection.driver_connection
            driver.text_factory = as_text

    def __enter__(self) -> Alchemy:
        return self

    def __exit__(self, *what: object) -> None:
        self._connection.close()

    def describe(self) -> Iterator[tuple[str, str]]:
        """A description of the server, for a check."""
        dialect = self._connection.dialect
        version = ".".join(map(str, getattr(dialect, "server_version_info", None) or ()))
        yield "server", f"{dialect.name} {version}".strip()

    def table(self, statement: sa.TextClause, thing: str) -> tuple[list[str], list[Sequence[object]]]:
        """All rows of a small query: its columns and its rows; ``thing`` is what errors call it.

        Raises
        ------
        InputError
            The query fails, or gives no rows back.
        ServiceError
            The connection is lost.
        """
        with self._translated(thing), self._connection.execute(statement) as result:
            if not result.returns_rows:
                raise InputError(f"{thing} gives no rows back", hint="it must be a SELECT")
            return list(result.keys()), [tuple(row) for row in result]

    def pieces(
        self, statement: sa.TextClause, parameters: Mapping[str, object], thing: str, *, bulk: bool
    ) -> Iterator[Piece | Reject]:
        """Run a query and stream its rows and rejects; ``thing`` is what errors call it.

        Raises
        ------
        InputError
            The query fails, gives no rows back, or lacks a column.
        ServiceError
            The connection is lost.
        """
        wanted = needed(self._columns)
        rows = rows_at_a_time(ROWS, len(wanted))
        streamed = {"stream_results": True, "max_row_buffer": rows}
        row = 0
        with (
            self._translated(thing),
            self._connection.execute(statement, dict(parameters), execution_options=streamed) as result,
        ):
            if not result.returns_rows:
                raise InputError(f"{thing} gives no rows back", hint="it must be a SELECT")
            check_columns(wanted, list(result.keys()), thing)
            for part in result.columns(*wanted).partitions(rows):
                values = dict(zip(wanted, zip(*part, strict=True), strict=True))
                yield from pieces_of(values, self._columns, partial(place_of_row, thing, row))
                row += len(part)

    @contextmanager
    def _translated(self, thing: str) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            lost = error.connection_invalidated
            raise (ServiceError if lost else InputError)(
                f"{thing} {'was cut off' if lost else 'fails'}: {self._reason(error)}"
            ) from None
        except sa.exc.SQLAlchemyError as error:
            raise InputError(f"{thing} fails: {self._reason(error)}") from None

    def _reason(self, error: Exception) -> str:
        """What the driver said, without the statement, and without the password should it have been repeated."""
        return without_password(str(getattr(error, "orig", None) or error), self._url)


def _is_file(database: str | None) -> bool:
    return database is not None and database not in ("", ":memory:") and not database.startswith("file:")
