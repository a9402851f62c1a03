"""The one table of source kinds. A new kind is a module with a source, its settings, and a line here."""

from __future__ import annotations

from importlib import import_module

from anomscan.config import FilesSource, RestSource, SqlSource
from anomscan.sources.base import Source

#: Where the source of each kind is; imported only when needed, because SQLAlchemy is slow to import.
_SOURCES = {
    "files": ("anomscan.sources.files.source", "Files"),
    "sql": ("anomscan.sources.sql.source", "Sql"),
    "rest": ("anomscan.sources.rest.source", "Rest"),
}


def build(name: str, settings: FilesSource | SqlSource | RestSource) -> Source:
    """The source that settings describe.

    Raises
    ------
    ConfigError
        If the settings cannot work: a query without its parameters, an invalid URL or key, a missing driver.
    """
    module, source = _SOURCES[settings.kind]
    built: Source = getattr(import_module(module), source)(name, settings)
    return built
