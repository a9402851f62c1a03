"""Which reader a database gets."""

from __future__ import annotations

import sqlalchemy as sa

from anomscan.config import SqlSource
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
        return MySql(name, settings, url)
    return Alchemy(name, settings.columns, url)
