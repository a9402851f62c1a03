"""``anomscan fetch``: bring telemetry into the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from anomscan.cli.options import AssetOption, DaysOption, FromOption, SourceOption, ToOption
from anomscan.cli.session import session_of
from anomscan.errors import ConfigError, ExitCode
from anomscan.wording import counted

if TYPE_CHECKING:
    from anomscan.cli.console import TerminalConsole
    from anomscan.config import Settings
    from anomscan.jobs.fetch.fetch_report import FetchReport
    from anomscan.telemetry.cadence import Cadence

#: Lines of a list to show before the rest becomes a count.
_SHOWN = 20


def fetch(
    context: typer.Context,
    source: SourceOption = None,
    asset: AssetOption = None,
    all_assets: Annotated[bool, typer.Option("--all", help="Every asset; the default without --asset.")] = False,
    from_: FromOption = None,
    to: ToOption = None,
    days: DaysOption = None,
    include_current: Annotated[
        bool, typer.Option("--include-current", help="Also fetch the current, incomplete period.")
    ] = False,
) -> int:
    """Bring telemetry from a source into the store.

    Each asset is asked for from its last stored sample on, less the margin for late data, unless --from, --to or --days
    say otherwise; --days N ends now. A second run right after changes nothing.
    """
    session = session_of(context)
    settings = session.load().settings
    name, _ = settings.source(source)
    if asset and all_assets:
        raise ConfigError("--asset and --all exclude each other", hint="give one of them")

    return fetch_source(
        session.console,
        settings,
        name,
        assets=asset,
        start=from_,
        end=to,
        days=days,
        include_current=include_current,
    )


def fetch_source(
    console: TerminalConsole,
    settings: Settings,
    name: str,
    *,
    assets: Sequence[str] | None = None,
    start: str | None = None,
    end: str | None = None,
    days: int | None = None,
    include_current: bool = False,
) -> ExitCode:
    """Bring one source into the store and say what came.

    Raises
    ------
    AnomscanError
        If nothing can be fetched.
    """
    _, source_settings = settings.source(name)

    from anomscan.jobs.fetch.asset_list import keep_assets, listed_assets
    from anomscan.jobs.fetch.fetching import fetch_into
    from anomscan.jobs.fetch.requests import request_of, resumed, rules_of
    from anomscan.sources.registry import build
    from anomscan.store.store import Store
    from anomscan.telemetry.cadence import first_instant, parse_duration

    # Before the work: a list that cannot be read must not be found out after it.
    listed = listed_assets(settings)
    origin = build(name, source_settings)
    request = request_of(
        assets=assets,
        start=start,
        end=end,
        days=days,
        timezone=origin.timezone,
        dates=origin.layout.cadence.whole_days,
    )
    store = Store.create(settings.store.path)
    late, earliest = parse_duration(source_settings.late), source_settings.earliest
    with console.progress(f"fetching {name}", None, unit="rows") as advance:
        report = fetch_into(
            store,
            origin,
            resumed(request, store, name, late),
            late=late,
            rules=rules_of(source_settings),
            earliest=None if earliest is None else first_instant(earliest, source_settings.sample_zone),
            include_current=include_current,
            on_rows=advance,
        )
    if listed is not None:
        keep_assets(store, name, listed)
    _show(console, name, report, origin.layout.cadence)
    return ExitCode.ASSETS_FAILED if report.failures or report.new_rejects else ExitCode.DONE


def _show(console: TerminalConsole, name: str, report: FetchReport, cadence: Cadence) -> None:
    for warning in report.warnings:
        console.warn(warning)
    for asset, last in report.silent[:_SHOWN]:
        console.warn(f"asset '{asset}' is silent: its last sample is from {cadence.text(last)}")
    if len(report.silent) > _SHOWN:
        console.warn(f"... and {counted(len(report.silent) - _SHOWN, 'more silent asset')}")
    for failure in report.failures[:_SHOWN]:
        console.error(f"asset '{failure.asset}': {failure.error}")
    if len(report.failures) > _SHOWN:
        console.error(f"... and {counted(len(report.failures) - _SHOWN, 'more failed asset')}")
    if report.rejects:
        text = f"the first: {report.first_reject} (all in {report.rejects_file})"
        if report.new_rejects:
            console.error(f"{counted(len(report.rejects), 'row')} rejected, {report.new_rejects:,} of them new; {text}")
        else:
            console.info(f"{counted(len(report.rejects), 'row')} rejected again as before; {text}")
    console.info(f"{name}: {report.summary}")
