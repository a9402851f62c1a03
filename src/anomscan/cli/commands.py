"""The commands, each imported when it is called: showing the help imports none of them."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from anomscan.cli.session import change_session

#: For each command, its module in this package and its line in the program's help. The module's attribute of the
#: command's name is its function or a group of commands.
COMMANDS = {
    "quick": ("quick", "Guess what a file holds, scan it with what suits it, and write a report."),
    "init": ("init", "Guess what a file or database holds, and write anomscan.toml."),
    "fetch": ("fetch", "Bring telemetry from a source into the store."),
    "train": ("train", "Train a model on the exemplars in the store."),
    "scan": ("scan", "Judge each day of the stored history by what was known on it."),
    "detect": ("detect", "Score an asset's stored history once, with one cut-off."),
    "compare": ("compare", "Try detectors, views and cut-offs on the same history, side by side."),
    "inject": ("inject", "Put made-up faults into copies of calm history, and tell which of them would be caught."),
    "tune": ("tune", "Choose a detector and a cut-off on the first part of history, and try them on the rest."),
    "report": ("report", "Show the findings of a run: pages with charts, or a list."),
    "night": ("night", "Fetch, scan what is new, remember incidents, report, notify: one command for each night."),
    "incidents": ("incidents", "List incidents; acknowledge, snooze or label them, add notes."),
    "notify": ("notify", "Tell people about incidents, or send them a test."),
    "check": ("check", "Report the state of the fleet in one line, for a monitor."),
    "models": ("models", "List, show or delete trained models."),
    "store": ("store", "Take samples out of the store, or export them."),
    "doctor": ("doctor", "Check each source, the store and the models."),
    "config": ("settings", "Show or check the settings."),
}

#: The program's options that are taken after a command, too.
ANYWHERE = ("config", "quiet", "verbose", "log_format")


class LazyCommands(TyperGroup):
    """A group that knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import one command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, help_line = COMMANDS[cmd_name]
        found = getattr(import_module(f"anomscan.cli.{module}"), cmd_name)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(rich_markup_mode=None, add_completion=False)
            single.command(cmd_name, short_help=help_line)(found)
            found = single
        command = typer.main.get_command(found)
        command.name = cmd_name
        _accept(command, [_repeated(option) for option in self.params if option.name in ANYWHERE])
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the names and their lines."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])


def _repeated(option: Any) -> Any:
    """An option of the program as one of a command; what it says there wins."""
    repeated = copy(option)
    repeated.default, repeated.expose_value, repeated.show_default = None, False, False
    repeated.callback = change_session
    return repeated


def _accept(command: Any, options: Iterable[Any]) -> None:
    """Add options to a command and to those below it."""
    command.params += options
    for below in getattr(command, "commands", {}).values():
        _accept(below, options)
