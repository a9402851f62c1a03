"""What every command starts with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from anomscan.cli.console import TerminalConsole

if TYPE_CHECKING:
    from anomscan.config import Loaded


@dataclass(frozen=True, slots=True)
class Session:
    """The options that every command has.

    Parameters
    ----------
    config
        ``--config``, if given.
    console
        Where to say things.
    """

    config: Path | None
    console: TerminalConsole

    def load(self, flags: Mapping[tuple[str, ...], Any] | None = None) -> Loaded:
        """The settings, overridden by this command's flags."""
        from anomscan.config import load

        return load(self.config, flags=flags)


def session_of(context: typer.Context) -> Session:
    """The session of a running command."""
    session = context.find_object(Session)
    if session is None:
        raise RuntimeError("a command runs under the program's callback")
    return session


def change_session(context: typer.Context, option: Any, value: Any) -> None:
    """Take one of the session's options where it stands after the command; None or false where it does not."""
    session = context.find_object(Session)
    if session is None or not value:
        return
    if option.name == "config":
        context.obj = replace(session, config=value)
    elif option.name == "log_format":
        session.console.json_lines = value == "json"
    else:
        session.console.verbosity = 1 if option.name == "verbose" else -1
