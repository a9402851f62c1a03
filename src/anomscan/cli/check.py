"""``anomscan check``: how the fleet is, in one line for a monitor."""

from __future__ import annotations

from typing import Annotated

import typer

from anomscan.cli.session import session_of
from anomscan.errors import AnomscanError, ConfigError


def check(
    context: typer.Context,
    nagios: Annotated[
        bool, typer.Option("--nagios", help="One line and the exit codes of Nagios' plugins: 0 to 3.")
    ] = False,
    warning: Annotated[
        int, typer.Option("--warning", metavar="N", min=1, help="A warning from this many open incidents on.")
    ] = 1,
    critical: Annotated[
        int | None, typer.Option("--critical", metavar="N", min=1, help="Critical from this many on; by default never.")
    ] = None,
    max_age: Annotated[
        str, typer.Option("--max-age", metavar="T", help="Critical where the newest judged sample is older: 3d, 36h.")
    ] = "3d",
) -> int:
    """Report the state of the fleet in one line, for a monitor.

    Incidents that are acknowledged, snoozed or in maintenance do not count.
    """
    session = session_of(context)
    if not nagios:
        raise ConfigError("check is for monitors only", hint="say which: --nagios")

    from anomscan.jobs.fetch.requests import current_time
    from anomscan.jobs.monitoring import Limits, status, unknown
    from anomscan.telemetry.cadence import parse_duration

    try:
        limits = Limits(warning=warning, critical=critical, max_age=parse_duration(max_age))
        found = status(session.load().settings, current_time(), limits)
    except AnomscanError as error:
        found = unknown(error.message)
    session.console.data(found.line)
    return found.level
