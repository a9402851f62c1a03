"""Who the assets are, as ``[assets]`` says, kept in the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from anomscan.errors import ConfigError
from anomscan.jobs.fetch.requests import current_time
from anomscan.storage.durable import output_errors
from anomscan.storage.places import local

if TYPE_CHECKING:
    from anomscan.config import Settings
    from anomscan.store.store import Store


def listed_assets(settings: Settings) -> dict[str, dict[str, str]] | None:
    """Who the assets are, as ``[assets]`` says; None without it.

    Raises
    ------
    ConfigError
        If its source is not a database.
    InputError
        If the list cannot be read, names an asset twice, or has an invalid date.
    ServiceError
        If the database cannot be reached.
    """
    assets = settings.assets
    if assets.path is not None:
        from anomscan.tables.asset_list import read_asset_list

        return read_asset_list(assets.path, assets.columns)
    if assets.query is not None:
        from anomscan.sources.sql.asset_query import read_asset_query

        name, source = settings.source(assets.source)
        if source.kind != "sql":
            raise ConfigError(f"[assets] cannot ask source '{name}', which is not a database", hint='use kind = "sql"')
        return read_asset_query(name, source, assets.query, assets.columns)
    return None


def keep_assets(store: Store, source: str, assets: Mapping[str, Mapping[str, str]]) -> bool:
    """Keep in the store who the assets are; whether that is new.

    Raises
    ------
    LockedError
        Another run writes the store.
    OutputError
        If it cannot be kept.
    """
    from anomscan.storage import lock
    from anomscan.store.asset_list import keep_asset_list
    from anomscan.store.manifest import LOCK

    folder = local(store.path) / source
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with lock.hold(folder / LOCK, f"source '{source}' of the store"):
        return keep_asset_list(folder, assets, current_time())
