"""Telemetry in a database: the user's own query with bound parameters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from anomscan.config import SqlSource
from anomscan.errors import ConfigError
from anomscan.sources.base import AssetFailure, Notice, Request
from anomscan.sources.requests import asked, parts
from anomscan.sources.sql.address import check, database_url
from anomscan.sources.sql.connecting import connected
from anomscan.tables.layouts import TableLayout, table_layout
from anomscan.tables.origins import Origins
from anomscan.tables.salvage import Reject, Usable
from anomscan.tables.times import Times
from anomscan.tables.values import Numbers, Plausible
from anomscan.tables.zones import wall_clock
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import ASSET, Layout
from anomscan.wording import counted

if TYPE_CHECKING:
    from anomscan.sources.sql.alchemy import Alchemy
    from anomscan.sources.sql.mysql import MySql

_DAY = np.timedelta64(1, "D")
# The widest range of dates and times that all common databases accept.
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
        self.name = name
        self._settings = settings
        self.layout = Layout(Cadence.parse(settings.cadence), settings.columns.values)
        self.timezone = settings.timezone or "UTC"
        columns = table_layout(settings.layout, settings.columns, self.layout).read(list)
        self._reading = settings.model_copy(update={"columns": columns})
        self._origins = Origins()
        self._times()  # so that a wrong timestamp_format is refused before the database is asked
        check(name, settings)
        self._statement, self._per_asset = self._bound(settings.query)

    def fetch(self, request: Request) -> Iterator[pa.Table | AssetFailure | Notice | Reject]:
        """Run the query and stream its rows.

        Of a request that says where each asset's history ends, those that end about together are asked for in one
        query. Where the query takes ``:asset``, each that lags behind is asked for alone, and so is the whole history
        of one that is met for the first time.

        Raises
        ------
        ConfigError
            The driver is not installed; a secret that is not there; TLS settings that cannot work.
        InputError
            The query fails or lacks a column; a value or timestamp that cannot be read.
        ServiceError
            The database cannot be reached, or refuses us.
        """
        self._origins = Origins()
        layout = table_layout(self._settings.layout, self._settings.columns, self.layout)
        yield from layout.whole(self._rows(request, layout), first=not request.since)
        if not request.since:
            yield from map(Notice, layout.told())

    def _rows(self, request: Request, layout: TableLayout) -> Iterator[pa.Table | Notice | Reject]:
        numbers = Numbers(self._settings.missing)
        plausible = Plausible(self._settings.plausible)
        usable = Usable(self.layout, layout.columns, self._times(), numbers, plausible, origins=self._origins)
        met: set[str] = set()
        with self._opened() as database:
            for part in parts(request, per_asset=self._per_asset):
                for item in self._part(database, part, usable, layout):
                    if request.since and isinstance(item, pa.Table):
                        met.update(pc.unique(item[ASSET]).to_pylist())
                    yield item
            fresh = sorted(met - request.since.keys()) if request.since else []
            if self._per_asset:
                for asset in fresh:
                    yield from self._part(database, Request((asset,), None, request.end), usable, layout)
            elif fresh:
                shown = ", ".join(f"'{asset}'" for asset in fresh[:5])
                yield Notice(
                    f"{counted(len(fresh), 'new asset')} ({shown}) came without earlier history, for the query has "
                    "no :asset; anomscan fetch --from brings it"
                )
            usable.finish()
            told = [] if request.since else numbers.told()
            yield from map(Notice, [*database.notices, *told, *numbers.rounded])

    def place(self, number: int) -> str:
        """Where a row of the last fetch stood, in the order of the query's rows."""
        return self._origins.place(number)

    def describe(self) -> Iterator[tuple[str, str]]:
        """A description of the server; see :mod:`anomscan.sources.checkup`.

        Raises
        ------
        ConfigError, ServiceError
            As for :meth:`fetch`.
        """
        with self._opened() as database:
            yield from database.describe()

    def _part(
        self, database: Alchemy | MySql, part: Request, usable: Usable, layout: TableLayout
    ) -> Iterator[pa.Table | Reject]:
        """The rows of one query."""
        parameters: dict[str, object] = {
            "start": self._bound_time(part.start, -_DAY, _EARLIEST),
            "end": self._bound_time(part.end, _DAY, _LATEST),
        }
        alone = self._per_asset and part.assets is not None
        if self._per_asset:
            parameters["asset"] = part.assets[0] if alone and part.assets else None
        thing = f"the query of source '{self.name}'"
        for piece in database.pieces(self._statement, parameters, thing, bulk=not alone):
            for item in [usable.rejected(piece)] if isinstance(piece, Reject) else usable.rows(layout.long(piece)):
                rows = item if isinstance(item, Reject) else asked(item, part)
                if isinstance(rows, Reject) or len(rows):
                    yield rows

    def _opened(self) -> Alchemy | MySql:
        return connected(self.name, self._reading, database_url(self.name, self._settings))

    def _bound(self, query: str) -> tuple[sa.TextClause, bool]:
        """The query with types for its parameters, and whether it asks for one asset."""
        statement = sa.text(query)
        names = set(statement.compile().params)
        for name in ("start", "end"):
            if name not in names:
                raise ConfigError(f"the query of source '{self.name}' has no parameter :{name}", hint=_IDIOM)
        if unknown := sorted(names - {"start", "end", "asset"}):
            raise ConfigError(
                f"the query of source '{self.name}' has a parameter :{unknown[0]}, which is not known",
                hint="known are :start, :end and :asset; a colon that names no parameter is written \\:",
            )
        moment = sa.Date() if self.layout.cadence.whole_days else sa.DateTime()
        statement = statement.bindparams(sa.bindparam("start", type_=moment), sa.bindparam("end", type_=moment))
        if "asset" in names:
            statement = statement.bindparams(sa.bindparam("asset", type_=sa.String()))
        return statement, "asset" in names

    def _bound_time(self, moment: np.datetime64 | None, wider: np.timedelta64, without: datetime) -> date:
        """A bound of the request as a parameter: a date, or a naive time in the source's zone."""
        time = without
        if moment is not None:
            zone = "UTC" if self.layout.cadence.whole_days else self.timezone
            time = wall_clock(np.clip(moment + wider, np.datetime64(_EARLIEST), np.datetime64(_LATEST)), zone)
        return time.date() if self.layout.cadence.whole_days else time

    def _times(self) -> Times:
        return Times.of(self._settings, self.layout.cadence)
