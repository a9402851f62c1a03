"""Which kind of settings makes which source."""

from __future__ import annotations

from anomscan.config import FilesSource, RestSource, SqlSource
from anomscan.sources.base import Source


def build(name: str, settings: FilesSource | SqlSource | RestSource) -> Source:
    """The source that settings describe.

    Raises
    ------
    ConfigError
        Settings that cannot work: a query without its parameters, a URL or key that is none, a driver not installed.
    """
    if isinstance(settings, SqlSource):
        # SQLAlchemy takes long to import; whoever fetches files does not wait for it.
        from anomscan.sources.sql.source import Sql

        return Sql(name, settings)
    if isinstance(settings, RestSource):
        from anomscan.sources.rest.source import Rest

        return Rest(name, settings)
    from anomscan.sources.files.source import Files

    return Files(name, settings)
