"""``anomscan store``: mending the telemetry store."""

from __future__ import annotations

from typing import Annotated

import typer

from anomscan.cli.options import AssetOption, FromOption, SourceOption, ToOption
from anomscan.cli.session import session_of
from anomscan.errors import ConfigError, ExitCode
from anomscan.wording import counted

store = typer.Typer(help="Take samples out of the store.", add_completion=False, rich_markup_mode=None)


@store.callback()
def mend() -> None:
    """Take samples out of the store."""


@store.command("drop")
def drop(
    context: typer.Context,
    source: SourceOption = None,
    asset: AssetOption = None,
    all_assets: Annotated[bool, typer.Option("--all", help="Every asset.")] = False,
    from_: FromOption = None,
    to: ToOption = None,
) -> int:
    """Take samples of a source out of the store, of some assets or all of them.

    Runs no longer see them, unless --as-of names an earlier time. What the source still gives for that time comes back
    with the next fetch that asks for it: correct the source first.
    """
    session = session_of(context)
    settings = session.load().settings
    name, source_settings = settings.source(source)
    if bool(asset) == all_assets:
        raise ConfigError("store drop takes --asset or --all", hint="name assets, or say --all")

    from anomscan.jobs.drop import drop_from
    from anomscan.jobs.fetch.requests import request_of
    from anomscan.store.store import Store
    from anomscan.telemetry.cadence import Cadence, parse_duration

    request = request_of(
        assets=asset,
        start=from_,
        end=to,
        timezone=source_settings.timezone or "UTC",
        dates=Cadence.parse(source_settings.cadence).whole_days,
    )
    dropped = drop_from(Store.open(settings.store.path), name, request, late=parse_duration(source_settings.late))
    for unknown in dropped.unknown:
        session.console.error(f"asset '{unknown}' is not in the store of source '{name}'")
    session.console.info(f"{name}: {counted(dropped.samples, 'sample')} of {counted(dropped.assets, 'asset')} dropped")
    return ExitCode.ASSETS_FAILED if dropped.unknown else ExitCode.DONE
