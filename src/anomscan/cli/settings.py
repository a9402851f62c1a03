"""``anomscan config``: what the settings are, and whether they are valid."""

from __future__ import annotations

import typer

from anomscan.cli.session import session_of
from anomscan.errors import ExitCode

config = typer.Typer(help="Show or check the settings.", add_completion=False, rich_markup_mode=None)


@config.command("show")
def show(context: typer.Context) -> int:
    """Print the merged settings with each value's origin; secrets are masked."""
    session = session_of(context)

    from anomscan.config import explain

    rows = explain(session.load())
    width = max(len(f"{key} = {value}") for key, value, _ in rows if len(f"{key} = {value}") < 60)
    for key, value, origin in rows:
        session.console.data(f"{f'{key} = {value}':<{width}}  # {origin}")
    return ExitCode.DONE


@config.command("check")
def check(context: typer.Context) -> int:
    """Check the settings, including the scan's rules and the address of an asset's page."""
    session = session_of(context)
    loaded = session.load()

    from anomscan.jobs.job import rules_of
    from anomscan.reports.links import check_asset_url

    rules_of(loaded.settings.scan)
    if loaded.settings.report.asset_url is not None:
        check_asset_url(loaded.settings.report.asset_url)
    session.console.info(f"{loaded.file or 'the defaults'}: good")
    return ExitCode.DONE
