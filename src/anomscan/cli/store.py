"""``anomscan store``: correct the telemetry store, or copy it for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from anomscan.cli.options import AsOfOption, AssetOption, FromOption, SourceOption, ToOption
from anomscan.cli.session import session_of
from anomscan.errors import ConfigError, ExitCode
from anomscan.wording import counted

store = typer.Typer(help="Take samples out of the store, or export them.", add_completion=False, rich_markup_mode=None)


@store.callback()
def group() -> None:
    """Take samples out of the store, or export them."""


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


@store.command("export")
def export(
    context: typer.Context,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")],
    source: SourceOption = None,
    asset: AssetOption = None,
    as_of: AsOfOption = None,
    format_: Annotated[
        Literal["csv", "parquet"] | None,
        typer.Option("--format", help="By default as the file's name ends, else Parquet."),
    ] = None,
) -> int:
    """Write the samples of a source into one file, each in its latest revision, of some assets or all of them."""
    session = session_of(context)
    loaded = session.load()
    settings = loaded.settings
    name, source_settings = settings.source(source)
    if str(output) == "-":
        raise ConfigError("store export writes a file, not to standard output", hint="name one with -o")

    from anomscan.config import files_named
    from anomscan.jobs.export import export as written
    from anomscan.jobs.outputs import check_names, local_path, refuse_inputs
    from anomscan.store.store import Store
    from anomscan.telemetry.cadence import last_instant

    path = local_path(output)
    check_names("-o", [path])
    refuse_inputs("-o", [path], settings, files_named(loaded))
    until = None if as_of is None else last_instant(as_of, source_settings.timezone or "UTC")
    snapshot = Store.open(settings.store.path).snapshot(name)
    unknown = sorted(set(asset or ()) - set(snapshot.cut(assets=asset, as_of=until).assets))
    for each in unknown:
        session.console.error(f"asset '{each}' is not in the store of source '{name}'")
    kind = format_ or ("csv" if output.suffix == ".csv" else "parquet")
    assets, samples = written(snapshot, path, kind, assets=asset, as_of=until)
    session.console.info(f"{name}: {counted(samples, 'sample')} of {counted(assets, 'asset')} exported")
    return ExitCode.ASSETS_FAILED if unknown else ExitCode.DONE
