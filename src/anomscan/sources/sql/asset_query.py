"""Who the assets are, from a query to the database of a source."""

from __future__ import annotations

import sqlalchemy as sa

from anomscan.config import AssetColumns, SqlSource
from anomscan.errors import ConfigError
from anomscan.sources.sql.address import check, database_url
from anomscan.sources.sql.connecting import connected
from anomscan.tables.asset_list import assets_of, columns_of
from anomscan.tables.columns import check_columns


def read_asset_query(name: str, settings: SqlSource, query: str, columns: AssetColumns) -> dict[str, dict[str, str]]:
    """Asset -> what is said of it, by the names of the settings; see :func:`anomscan.tables.asset_list.assets_of`.

    Parameters
    ----------
    name, settings
        The source whose database is asked.

    Raises
    ------
    ConfigError
        The query has parameters; the driver is not installed; a secret that is not there.
    InputError
        The query fails or lacks a column; an asset is there twice; an invalid date.
    ServiceError
        The database cannot be reached, or refuses us.
    """
    thing = "the query of [assets]"
    statement = sa.text(query)
    if parameters := sorted(statement.compile().params):
        raise ConfigError(
            f"{thing} has a parameter :{parameters[0]}", hint="it takes none; other colons are written \\:"
        )
    check(name, settings)
    with connected(name, settings, database_url(name, settings)) as database:
        header, rows = database.table(statement, thing)
    wanted = columns_of(columns)
    check_columns(dict.fromkeys(wanted.values()), header, thing)
    places = {key: header.index(column) for key, column in wanted.items()}
    cells = (
        (f"row {number} of {thing}", {key: _text(row[place]) for key, place in places.items()})
        for number, row in enumerate(rows, 1)
    )
    return assets_of(cells, thing)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
