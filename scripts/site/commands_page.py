"""The reference of the commands, from the program itself."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import typer
from schema_tables import table

from anomscan.cli.app import app
from anomscan.cli.commands import ANYWHERE, COMMANDS

INTRODUCTION = """# Commands
`anomscan COMMAND --help` shows the same. Data go to standard output, all else to standard error; the codes with which
a command ends are listed under [exit codes](exit-codes.md).
"""


def page() -> str:
    """The whole page."""
    program = typer.main.get_command(app)
    context = program.make_context("anomscan", ["fetch"])
    lines = [INTRODUCTION, "## Options of every command", "They stand before the command or after it.", ""]
    lines += _options(program, context)
    for name in COMMANDS:
        command: Any = program.get_command(context, name)
        lines += _section(f"anomscan {name}", command, context, "##")
        for below, inner in getattr(command, "commands", {}).items():
            lines += _section(f"anomscan {name} {below}", inner, context, "###")
    return "\n".join(lines)


def _section(name: str, command: Any, parent: Any, level: str) -> list[str]:
    context = type(parent)(command, info_name=name, parent=None)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    return [
        f"{level} {name}",
        *_paragraphs(command.help or ""),
        f"```text\n{usage}\n```",
        "",
        *_options(command, context),
    ]


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        # Options in the words of the help, so that they are not read as dashes.
        yield re.sub(r"(?<![\w`])(--[a-z][a-z-]*)", r"`\1`", " ".join(paragraph.split()))
        yield ""


def _options(command: Any, context: Any) -> list[str]:
    def rows() -> Iterator[tuple[str, ...]]:
        for option in command.params:
            known = option.get_help_record(context)
            if known is None or (option.name in ANYWHERE and context.info_name != "anomscan"):
                continue
            named, meaning = known
            yield f"`{named.strip().removesuffix(' <str>')}`", html.escape(meaning, quote=False)

    found = list(rows())
    return table(("option", "meaning"), iter(found)) if found else []
