"""``anomscan report``: show what a run found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from anomscan.cli.options import OutputOption


def report(
    context: typer.Context,
    results: Annotated[
        Path | None, typer.Argument(metavar="[RESULTS.jsonl]", help="What scan or detect wrote; else standard input.")
    ] = None,
    output: OutputOption = None,
    format_: Annotated[
        Literal["html", "markdown", "csv", "links"], typer.Option("--format", help="html makes a folder.")
    ] = "html",
) -> int:
    """Show the findings: pages with charts, or a list."""
    raise NotImplementedError
