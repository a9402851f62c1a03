"""``anomscan report``: show what a run found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from anomscan.cli.options import OutputOption, OverwriteOption
from anomscan.cli.session import session_of
from anomscan.errors import ConfigError, ExitCode
from anomscan.reports.listings import FORMATS

if TYPE_CHECKING:
    ReportFormat = str
else:
    ReportFormat = Literal["html", *FORMATS]

DEFAULT_FOLDER = "report"
#: The page that a reader opens.
_MAIN = "index.html"


def report(
    context: typer.Context,
    results: Annotated[
        Path | None,
        typer.Argument(metavar="[RESULTS.jsonl]", help="File that scan or detect wrote; by default standard input."),
    ] = None,
    output: OutputOption = None,
    overwrite: OverwriteOption = False,
    latest: Annotated[
        bool, typer.Option("--latest", help="Published pages: make latest/, beside their folder, lead to them.")
    ] = False,
    assets: Annotated[
        list[str] | None,
        typer.Option("--asset", metavar="ASSET", help="Chart this asset, whatever was found; may be repeated."),
    ] = None,
    format_: Annotated[
        ReportFormat,
        typer.Option(
            "--format",
            help="html writes a folder (-o, by default 'report') or a FILE.html, the others one text.",
        ),
    ] = "html",
    charts: Annotated[
        Literal["none", "svg", "png"],
        typer.Option(help="html: draw each chart as a file, too; needs the extra 'charts'."),
    ] = "none",
) -> int:
    """Show the findings of a run: offline pages with charts, or a list.

    Values are taken from the store, scores from the file that scan wrote beside its results.
    """
    session = session_of(context)
    loaded = session.load()

    from anomscan.config import files_named
    from anomscan.jobs.report import is_page, results_files, write_list, write_pages
    from anomscan.reports.output import is_remote, output_file
    from anomscan.reports.records import read_records

    if results is not None and str(results) == "-":
        results = None
    if results is None and sys.stdin.isatty():
        raise ConfigError("no results are given", hint="name the file that anomscan scan -o wrote")
    records = read_records(sys.stdin, name="standard input") if results is None else read_records(results)
    if format_ == "html":
        if output == "-":
            raise ConfigError(
                "pages need a folder", hint=f"name one with -o, or choose --format {' or '.join(FORMATS)}"
            )
        output = output or DEFAULT_FOLDER
    elif charts != "none" or assets:
        option = "--asset" if assets else "--charts"
        raise ConfigError(f"{option} is about the charts of pages", hint=f"leave out {option} or --format")
    images = None if charts == "none" else charts
    if images is not None and output is not None and is_page(output):
        raise ConfigError("--charts writes files beside the pages", hint="name a folder with -o")
    reads = [*files_named(loaded), *results_files(results)]
    folder = format_ == "html" and output is not None and not is_page(output)
    main = _MAIN if format_ == "html" else FORMATS[format_].file
    opened = output_file(output, main, session.console.info, overwrite=overwrite, folder=folder, latest=latest)
    with opened as path:
        if format_ != "html":
            write_list(loaded.settings, records, format_, path, reads)
        elif path is not None:
            place = path.parent if folder else path
            index = write_pages(
                session.console,
                loaded.settings,
                records,
                results,
                place,
                reads,
                images=images,
                show=assets or (),
            )
            if output is not None and not is_remote(output):
                session.console.info(f"open {index.resolve()}")
    return ExitCode.DONE
