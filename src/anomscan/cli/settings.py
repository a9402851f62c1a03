"""``anomscan config``: what the settings are, and whether they are valid."""

from __future__ import annotations

import typer

from anomscan.cli.session import session_of
from anomscan.errors import AnomscanError, ExitCode

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
    """Check the settings, including the scan's rules, the address of an asset's page, and the columns of files."""
    session = session_of(context)
    loaded = session.load()

    from anomscan.config import FilesSource
    from anomscan.detectors.base import Capabilities
    from anomscan.jobs.job import rules_of
    from anomscan.reports.links import check_asset_url
    from anomscan.telemetry.cadence import Cadence

    cadences = {source.cadence for source in loaded.settings.sources.values()} or {"1D"}
    for cadence in sorted(cadences):
        rules_of(loaded.settings.scan, Cadence.parse(cadence), Capabilities())
    if loaded.settings.report.asset_url is not None:
        check_asset_url(loaded.settings.report.asset_url)
    failed = False
    for name, settings in loaded.settings.sources.items():
        if not isinstance(settings, FilesSource):
            session.console.info(f"source '{name}': its columns were not looked at; anomscan doctor asks the source")
            continue

        from anomscan.sources.files.source import Files

        try:
            if not Files(name, settings).check_columns():
                session.console.info(f"source '{name}': there is no {settings.path} yet, so no columns were looked at")
        except AnomscanError as error:
            failed = True
            session.console.error(f"source '{name}': {error}")
    if failed:
        return ExitCode.INPUT
    session.console.info(f"{loaded.file or 'the defaults'}: good")
    return ExitCode.DONE
