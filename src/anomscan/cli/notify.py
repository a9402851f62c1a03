"""``anomscan notify``: tell people about incidents, or send them a test."""

from __future__ import annotations

from typing import Annotated

import typer

from anomscan.cli.session import session_of
from anomscan.errors import ExitCode

notify = typer.Typer(
    help="Tell people about incidents, or send them a test.",
    add_completion=False,
    rich_markup_mode=None,
)


@notify.command("send")
def send(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
) -> int:
    """Tell the targets of [[notify]] what they have not taken yet, as night does at its end."""
    from anomscan.jobs.notify import send as told

    session = session_of(context)
    return told(session.load().settings, session.console, dry_run=dry_run)


@notify.command("test")
def test(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a target in [[notify]].")],
) -> int:
    """Send a test to a target, and say whether it arrived."""
    from anomscan.jobs.notify import try_out

    session = session_of(context)
    try_out(session.load().settings, name, session.console)
    return ExitCode.DONE
