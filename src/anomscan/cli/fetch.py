"""``anomscan fetch``: bring telemetry into the store."""

from __future__ import annotations

from typing import Annotated

import typer

from anomscan.cli.options import AssetOption, DaysOption, FromOption, SourceOption, ToOption
from anomscan.cli.session import session_of
from anomscan.errors import ConfigError, ExitCode


def fetch(
    context: typer.Context,
    source: SourceOption = None,
    asset: AssetOption = None,
    all_assets: Annotated[bool, typer.Option("--all", help="Every asset; so it is without --asset too.")] = False,
    from_: FromOption = None,
    to: ToOption = None,
    days: DaysOption = None,
    include_current: Annotated[
        bool, typer.Option("--include-current", help="Take the current, incomplete period too.")
    ] = False,
) -> int:
    """Bring telemetry from a source into the store.

    A second run right after changes nothing. --days N ends now.
    """
    session = session_of(context)
    settings = session.load().settings
    name, source_settings = settings.source(source)
    if asset and all_assets:
        raise ConfigError("--asset and --all exclude each other", hint="give one of them")

    from anomscan.sources.fetching import fetch_into, request_of
    from anomscan.sources.registry import build
    from anomscan.telemetry.store import Store

    request = request_of(assets=asset, start=from_, end=to, days=days)
    with session.console.progress(f"fetching {name}", None) as advance:
        report = fetch_into(
            Store.create(settings.store.path),
            build(name, source_settings),
            request,
            include_current=include_current,
            on_rows=advance,
        )
    for warning in report.warnings:
        session.console.warn(warning)
    for failure in report.failures:
        session.console.error(f"asset '{failure.asset}': {failure.error}")
    session.console.info(f"{name}: {report.summary}")
    return ExitCode.ASSETS_FAILED if report.failures else ExitCode.DONE
