"""``anomscan report``: show what a run found."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from anomscan.cli.options import OutputOption, OverwriteOption
from anomscan.cli.output import is_remote, output_file
from anomscan.cli.session import session_of
from anomscan.errors import AssetError, ConfigError, ExitCode, InputError, StoreError

if TYPE_CHECKING:
    from anomscan.cli.session import Session
    from anomscan.config import Settings
    from anomscan.reports.records import Record
    from anomscan.reports.scores import ScoreTable
    from anomscan.telemetry.series import Series

DEFAULT_FOLDER = "report"
#: The file that a reader opens.
_MAIN = {"html": "index.html", "markdown": "report.md", "csv": "report.csv", "links": "links.txt"}


def report(
    context: typer.Context,
    results: Annotated[
        Path | None, typer.Argument(metavar="[RESULTS.jsonl]", help="What scan or detect wrote; else standard input.")
    ] = None,
    output: OutputOption = None,
    overwrite: OverwriteOption = False,
    format_: Annotated[
        Literal["html", "markdown", "csv", "links"],
        typer.Option("--format", help="html makes a folder (-o, by default 'report'), the others one text."),
    ] = "html",
) -> int:
    """Show the findings of a run: offline pages with charts, or a list.

    Values are taken from the store, scores from the file that scan wrote beside its results.
    """
    session = session_of(context)
    settings = session.load().settings

    from anomscan.reports.records import read_records

    if results is not None and str(results) == "-":
        results = None
    if results is None and sys.stdin.isatty():
        raise ConfigError("which results are to be shown?", hint="name the file that anomscan scan -o wrote")
    records = read_records(sys.stdin, name="standard input") if results is None else read_records(results)
    if format_ == "html":
        if output == "-":
            raise ConfigError("pages need a folder", hint="name one with -o, or choose --format markdown, csv or links")
        output = output or DEFAULT_FOLDER
    with output_file(output, _MAIN[format_], session.console, overwrite=overwrite, folder=format_ == "html") as path:
        if format_ != "html":
            _list(settings, records, format_, path)
        elif path is not None:
            index = _pages(session, settings, records, results, path.parent)
            if output is not None and not is_remote(output):
                session.console.info(f"open {index.resolve()}")
    return ExitCode.DONE


def _pages(session: Session, settings: Settings, records: Iterable[Record], results: Path | None, folder: Path) -> Path:
    from anomscan.reports.html import write_report

    facts = _run_facts(results)
    written = write_report(
        records,
        folder,
        series_of=_series_of(session, settings, facts),
        scores_of=_scores_of(results),
        asset_url=settings.report.asset_url,
        run_facts=facts,
    )
    for note in written.notes:
        session.console.info(note)
    session.console.info(f"{written.charts} chart pages, {written.pngs} images")
    return written.index


def _list(
    settings: Settings, records: Iterable[Record], format_: Literal["markdown", "csv", "links"], output: Path | None
) -> None:
    from anomscan.reports import listings
    from anomscan.storage.durable import replace_file

    url = settings.report.asset_url
    lines: Iterator[str]
    if format_ == "links":
        lines = listings.links(records, url)
    elif format_ == "csv":
        lines = listings.csv(records)
    else:
        lines = listings.markdown(records, title="Anomalous days of the fleet", asset_url=url)
    if output is None:
        sys.stdout.writelines(lines)
        return
    with replace_file(output) as file:
        for line in lines:
            file.write(line.encode())


def _run_facts(results: Path | None) -> dict[str, Any]:
    """The facts that scan wrote beside its results; none if the file was moved alone."""
    from anomscan.reports.results import run_path

    if results is None or not run_path(results).is_file():
        return {}
    path = run_path(results)
    try:
        facts = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{path} cannot be read", hint="delete it to do without") from None
    return facts if isinstance(facts, dict) else {}


def _series_of(session: Session, settings: Settings, facts: dict[str, Any]) -> Callable[[str], Series | None]:
    """Looks an asset's values up in the store; without a store, or without the asset, there are none."""
    from anomscan.store.store import Store

    try:
        source, _ = settings.source(facts.get("source"))
        store = Store.open(settings.store.path)
        store.layout(source)
    except (ConfigError, StoreError) as error:
        session.console.warn(f"charts lack the values: {error}")
        return lambda asset: None

    def look_up(asset: str) -> Series | None:
        try:
            return store.read(source, asset)
        except AssetError:
            return None

    return look_up


def _scores_of(results: Path | None) -> Callable[[str], ScoreTable | None]:
    from anomscan.reports.results import scores_path
    from anomscan.reports.scores import ScoreFile

    if results is None or not scores_path(results).is_file():
        return lambda asset: None
    return ScoreFile(scores_path(results)).of
