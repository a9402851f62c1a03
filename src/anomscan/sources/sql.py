"""Telemetry in a database: the user's own query with bound parameters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from anomscan.config import SqlSource
from anomscan.errors import ConfigError, InputError, ServiceError
from anomscan.sources.base import AssetFailure, Notice, Request
from anomscan.sources.columns import asked, check_columns, from_objects, needed, to_rows
from anomscan.sources.times import Times, wall_clock
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout

_ROWS = 16 << 10
_STREAMED = {"stream_results": True, "max_row_buffer": _ROWS}
_DAY = np.timedelta64(1, "D")
# The widest bounds that the common databases all take as dates and times.
_EARLIEST, _LATEST = datetime(1000, 1, 1), datetime(9999, 12, 31)
_IDIOM = "write ... WHERE date >= :start AND date <= :end AND (:asset IS NULL OR asset_id = :asset)"


class Sql:
    """The rows of a query.

    ``:start`` and ``:end`` are bound to the stretch asked for, a day wider at both ends: databases that keep times as
    text compare them as text, and a query that sums up its days would cut the outer ones. The rows beyond are left out
    here. Where the cadence is whole days they are dates, else naive times in the source's time zone.

    ``:asset`` may be in the query: it is then run once for each asset asked for, or once with NULL for all of them, so
    it reads ``(:asset IS NULL OR asset_id = :asset)``. Without it the rows of other assets are left out here.
    """

    def __init__(self, name: str, settings: SqlSource) -> None:
        if settings.columns.asset is None:
            raise ConfigError(
                f"sources.{name}: columns.asset is missing", hint="name the query's column with the asset id"
            )
        self._name = name
        self._settings = settings
        self._layout = Layout(Cadence.parse(settings.cadence), settings.columns.values)
        self._times()  # so that a wrong timestamp_format is refused before the database is asked
        self._url = _url(name, settings)
        self._statement, self._per_asset = self._bound(settings.query)

    @property
    def name(self) -> str:
        """The name it has in the settings."""
        return self._name

    @property
    def layout(self) -> Layout:
        """Cadence and variables."""
        return self._layout

    @property
    def timezone(self) -> str:
        """The IANA name of the zone in which its days begin and its naive timestamps stand."""
        return self._settings.timezone or "UTC"

    def fetch(self, request: Request) -> Iterator[pa.Table | AssetFailure | Notice]:
        """Run the query and stream its rows.

        Raises
        ------
        ConfigError
            The driver is not installed.
        InputError
            The query fails or lacks a column; a value or timestamp that cannot be read.
        ServiceError
            The database cannot be reached, or refuses us.
        """
        times = self._times()
        parameters: dict[str, object] = {
            "start": self._bound_time(request.start, -_DAY, _EARLIEST),
            "end": self._bound_time(request.end, _DAY, _LATEST),
        }
        with self._connected() as connection:
            if not self._per_asset:
                yield from self._rows(connection, parameters, request, times)
                return
            for asset in (None,) if request.assets is None else request.assets:
                yield from self._rows(connection, parameters | {"asset": asset}, request, times)

    def _rows(
        self, connection: sa.Connection, parameters: dict[str, object], request: Request, times: Times
    ) -> Iterator[pa.Table]:
        columns = self._settings.columns
        wanted = needed(columns)
        thing = f"the query of source '{self._name}'"
        row = 0
        try:
            with connection.execute(self._statement, parameters, execution_options=_STREAMED) as result:
                if not result.returns_rows:
                    raise InputError(f"{thing} gives no rows back", hint="it must be a SELECT")
                check_columns(wanted, list(result.keys()), thing)
                for part in result.columns(*wanted).partitions(_ROWS):
                    values = dict(zip(wanted, zip(*part, strict=True), strict=True))
                    piece = from_objects(values, columns, partial(_place, thing, row))
                    row += len(part)
                    rows = asked(to_rows(piece, self._layout, columns, times), request)
                    if len(rows):
                        yield rows
        except sa.exc.DBAPIError as error:
            lost = error.connection_invalidated
            reason = self._reason(error)
            raise (ServiceError if lost else InputError)(
                f"{thing} {'was cut off' if lost else 'fails'}: {reason}"
            ) from None
        except sa.exc.SQLAlchemyError as error:
            raise InputError(f"{thing} fails: {self._reason(error)}") from None

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        url = self._url
        place = f"the database of source '{self._name}' ({url.drivername}://{url.host or ''}/{url.database or ''})"
        if url.get_backend_name() == "sqlite" and _is_file(url.database) and not Path(str(url.database)).is_file():
            # The driver would create it.
            raise ServiceError(
                f"there is no database file {url.database}", hint=f"see the url of source '{self._name}'"
            )
        try:
            engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        except ImportError as error:
            raise ConfigError(
                f"the driver for {url.drivername} is not installed: {error}", hint="pip install it beside anomscan"
            ) from None
        except (sa.exc.SQLAlchemyError, TypeError, ValueError) as error:
            raise ConfigError(f"{place} cannot be used: {self._reason(error)}") from None
        try:
            connection = engine.connect()
        except sa.exc.SQLAlchemyError as error:
            raise ServiceError(f"{place} cannot be reached: {self._reason(error)}") from None
        with connection:
            yield connection

    def _reason(self, error: Exception) -> str:
        """What the driver said, without the statement, and without the password should it have been repeated."""
        text = str(getattr(error, "orig", None) or error)
        secret = self._url.password
        return text.replace(str(secret), "***") if secret else text

    def _bound(self, query: str) -> tuple[sa.TextClause, bool]:
        """The query with types for its parameters, and whether it asks for one asset."""
        statement = sa.text(query)
        names = set(statement.compile().params)
        for name in ("start", "end"):
            if name not in names:
                raise ConfigError(f"the query of source '{self._name}' has no parameter :{name}", hint=_IDIOM)
        if unknown := sorted(names - {"start", "end", "asset"}):
            raise ConfigError(
                f"the query of source '{self._name}' has a parameter :{unknown[0]}, which is not known",
                hint="known are :start, :end and :asset; a colon that is none is written \\:",
            )
        moment = sa.Date() if self._layout.cadence.whole_days else sa.DateTime()
        statement = statement.bindparams(sa.bindparam("start", type_=moment), sa.bindparam("end", type_=moment))
        if "asset" in names:
            statement = statement.bindparams(sa.bindparam("asset", type_=sa.String()))
        return statement, "asset" in names

    def _bound_time(self, moment: np.datetime64 | None, wider: np.timedelta64, without: datetime) -> date:
        """What a bound of the request is in the query: a date, or a naive time in the source's zone."""
        time = without
        if moment is not None:
            zone = "UTC" if self._layout.cadence.whole_days else self.timezone
            time = wall_clock(np.clip(moment + wider, np.datetime64(_EARLIEST), np.datetime64(_LATEST)), zone)
        return time.date() if self._layout.cadence.whole_days else time

    def _times(self) -> Times:
        return Times(self._layout.cadence, self.timezone, self._settings.timestamp_format)


def _url(name: str, settings: SqlSource) -> sa.URL:
    try:
        return make_url(settings.url.get_secret_value())
    except (sa.exc.ArgumentError, ValueError):
        # What the parser says may repeat the password.
        raise ConfigError(
            f"the url of source '{name}' is not a database URL",
            hint="write mysql+pymysql://user:password@host/database or sqlite:///file.db, special characters as %40",
        ) from None


def _is_file(database: str | None) -> bool:
    return database is not None and database not in ("", ":memory:") and not database.startswith("file:")


def _place(thing: str, first: int, row: int) -> str:
    return f"row {first + row + 1} of {thing}"
