"""Which reader a database gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from anomscan.config import SqlSource

if TYPE_CHECKING:
    from anomscan.sources.sql.alchemy import Alchemy
    from anomscan.sources.sql.mysql import MySql


def connected(name: str, settings: SqlSource, url: sa.URL) -> Alchemy | MySql:
    """A connection to the database of a source: a context manager.

    Raises
    ------
    ConfigError
        The driver is not installed; TLS settings or URL options that cannot work.
    ServiceError
        The database cannot be reached, or refuses us.
    """
    if url.drivername in ("mysql+pymysql", "mariadb+pymysql"):
        from anomscan.sources.sql.mysql import MySql

        return MySql(name, settings, url)
    from anomscan.sources.sql.alchemy import Alchemy

    return Alchemy(name, settings.columns, url)
