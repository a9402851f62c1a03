"""``anomscan.read``: a file, a database or a store as a long DataFrame, by the guesses of ``quick``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from anomscan.api.quiet import Quiet
from anomscan.api.workspace import SOURCE, fetched
from anomscan.errors import ConfigError, InputError

if TYPE_CHECKING:
    import pandas as pd

    from anomscan.store.store import Store


class ReadOptions(TypedDict, total=False):
    """What need not be guessed."""

    layout: str
    asset: str
    timestamp: str
    values: str | list[str] | tuple[str, ...]
    health: str
    cohort: str
    timezone: str
    timestamp_format: str
    cadence: str
    delimiter: str
    decimal: str
    sheet: str
    table: str


def read(place: str | PathLike[str], *, source: str | None = None, **known: Unpack[ReadOptions]) -> pd.DataFrame:
    """Read telemetry as a long DataFrame.

    Layout, columns, cadence and zone are guessed as ``anomscan quick`` does; what is not clear is an error that says
    how to say it. ``.attrs["guessed"]`` has the guesses: what, the guess, and why.

    Parameters
    ----------
    place
        A file (CSV, Parquet, JSON lines, Excel), a folder or pattern of such, the URL of a database, or a store.
    source
        Of a store with several sources.
    known
        What need not be guessed, as the options of ``quick``: ``layout`` (long, wide, tags), the columns ``asset``,
        ``timestamp``, ``values``, ``health``, ``cohort``; ``timezone``, ``timestamp_format``, ``cadence``,
        ``delimiter``, ``decimal``, ``sheet``, ``table``.

    Returns
    -------
    One row a sample, by asset and time: ``asset``, ``timestamp`` (UTC, without zone; days as they are written), a
    column float64 each variable, NaN where a value is missing, and ``health`` and ``cohort`` if there are such. Each
    time of an asset is there once, in its last revision.

    Warns
    -----
    UserWarning
        Rows that cannot be used, and what ``fetch`` would warn of.

    Raises
    ------
    AnomscanError
        If it cannot be read, or a guess is not certain.
    """
    stored = _store(place)
    if stored is not None:
        if known:
            raise ConfigError(f"{place} is a store, which knows its {next(iter(known))}", hint="leave it out")
        return _frame(stored, source)
    if source is not None:
        raise ConfigError(f"{place} is not a store, and has no source '{source}'", hint="leave source= out")
    with TemporaryDirectory(prefix="anomscan-") as folder:
        frame, told = _guessed(str(place), known, Path(folder))
    for text in told:
        warnings.warn(text, stacklevel=2)
    return frame


def _store(place: str | PathLike[str]) -> Store | None:
    """The store at a place; None if there is none."""
    from anomscan.store.store import Store

    if str(place).startswith(("s3://", "abfs://", "abfss://")):
        return Store.open(str(place))
    if not Path(place).is_dir():
        return None
    store = Store(Path(place))
    return store if store.sources() else None


def _guessed(place: str, known: Mapping[str, Any], folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """The frame, and what went wrong with some of the rows."""
    from anomscan.config import load
    from anomscan.guessing.places import configuration_of, guess_of, is_database
    from anomscan.guessing.said import OPTIONS, Said
    from anomscan.guessing.unsure import UnsureError
    from anomscan.store.store import Store

    if unknown := set(known) - set(ReadOptions.__annotations__):
        raise ConfigError(f"{min(unknown)}= is not known", hint=f"there are: {', '.join(ReadOptions.__annotations__)}")
    values = known.get("values", ())
    try:
        guess = guess_of(place, Said(**{**known, "values": (values,) if isinstance(values, str) else tuple(values)}))
    except UnsureError as error:
        choices = f": {', '.join(error.choices[:6])}" if error.choices else ""
        raise ConfigError(error.what, hint=f"say it with {OPTIONS[error.option]}={choices}") from None
    text, listed = configuration_of(guess, place, folder, "read")
    (folder / "anomscan.toml").write_text(text, "utf-8")
    if listed is not None:
        (folder / "assets.csv").write_text(listed, "utf-8")
    flags: dict[tuple[str, ...], Any] = (
        {("sources", SOURCE, "url"): place} if is_database(place) and not place.startswith("sqlite") else {}
    )
    console = Quiet()
    settings = load(folder / "anomscan.toml", flags=flags, environ={}, cwd=folder).settings
    fetched(settings, console)
    frame = _frame(Store.open(settings.store.path), SOURCE)
    frame.attrs["guessed"] = guess.shown
    return frame, console.warnings


def _frame(store: Store, source: str | None) -> pd.DataFrame:
    """All samples of a source of a store, each in its latest revision."""
    import numpy as np
    import pandas as pd

    from anomscan.store.asset_list import members_of, read_asset_list

    sources = store.sources()
    if source is None and len(sources) != 1:
        raise ConfigError(f"the store has {len(sources)} sources", hint=f"say source=: {', '.join(sources)}")
    snapshot = store.snapshot(source or sources[0])
    variables = snapshot.layout.variables
    if taken := {"asset", "timestamp", "health", "cohort"} & set(variables):
        raise InputError(
            f"a variable is called '{min(taken)}', as another column is", hint="rename it where it is from"
        )
    every = sorted((series for block in snapshot.stream() for series in block), key=lambda series: series.asset)
    columns: dict[str, Any] = {
        "asset": np.repeat([series.asset for series in every], [len(series) for series in every]).astype(object),
        "timestamp": np.concatenate([series.timestamps for series in every]),
    }
    values = np.concatenate([series.values for series in every])
    columns |= {name: values[:, place] for place, name in enumerate(variables)}
    health = [series.health(row) for series in every for row in range(len(series))]
    if any(each is not None for each in health):
        columns["health"] = health
    frame = pd.DataFrame(columns)
    members = members_of(read_asset_list(snapshot.folder) or {})
    return frame if members is None else frame.assign(cohort=frame["asset"].map(members))
