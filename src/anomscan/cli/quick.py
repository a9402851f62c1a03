"""``anomscan quick``: from a file to a report in one command, without settings."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomscan.cli.guessed import guessed, show_guess, takes_guesses
from anomscan.cli.session import session_of
from anomscan.errors import ConfigError, ExitCode, worst
from anomscan.guessing.said import Said

if TYPE_CHECKING:
    from anomscan.cli.console import TerminalConsole
    from anomscan.config import Loaded


@takes_guesses
def quick(
    context: typer.Context,
    place: Annotated[
        str,
        typer.Argument(metavar="FILE|URL", help="CSV, Parquet, JSON lines, Excel; a folder; a database."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="The folder to make; by default FILE-anomscan."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the report in a browser, on a desktop.")] = True,
    *,
    said: Said,
) -> int:
    """Guess what a file holds, scan it with what suits it, and write a report.

    What was guessed is shown; what is not clear is asked, or an error that names the option. All that is made lies in
    one folder, with the settings in anomscan.toml, so that the other commands can go on from there.
    """
    console = session_of(context).console
    guess = guessed(console, place, said, ask=True)
    show_guess(console, guess)
    folder = _folder(place, output)
    from anomscan.guessing.places import configuration_of
    from anomscan.storage.durable import output_errors

    text, listed = configuration_of(guess, place, folder, "quick")

    with output_errors(folder):
        folder.mkdir(parents=True)
    finished = False
    try:
        with output_errors(folder):
            (folder / "anomscan.toml").write_text(text, "utf-8")
            if listed is not None:
                (folder / "assets.csv").write_text(listed, "utf-8")
        code, index = _work(console, _loaded(folder, place), folder)
        finished = True
    finally:
        if not finished:
            shutil.rmtree(folder, ignore_errors=True)
    console.info(f"all of it is in {folder}: go on there with anomscan scan, or delete it")
    console.data(str(index))
    if open_ and _has_display():
        import webbrowser

        webbrowser.open(index.as_uri())
    return code


def _folder(place: str, output: Path | None) -> Path:
    """The folder to make, which must not be there."""
    if output is not None:
        folder = output.resolve()
        if folder.exists():
            raise ConfigError(f"{output} exists already", hint="name another folder with -o")
        return folder
    from anomscan.guessing.places import is_database

    name = place.rsplit("/", 1)[-1].partition("?")[0] if is_database(place) else Path(place).resolve().name
    stem = "".join(each if each.isalnum() or each in "-_." else "-" for each in name.split(".")[0]) or "data"
    folder = base = Path.cwd() / f"{stem}-anomscan"
    number = 1
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder


def _loaded(folder: Path, place: str) -> Loaded:
    from anomscan.config import load
    from anomscan.guessing.places import is_database

    whole: dict[tuple[str, ...], str] = {}
    if is_database(place) and not place.startswith("sqlite"):
        whole = {("sources", "fleet", "url"): place}
    return load(folder / "anomscan.toml", flags=whole, environ={}, cwd=folder)


def _work(console: TerminalConsole, loaded: Loaded, folder: Path) -> tuple[ExitCode, Path]:
    """Fetch, train where it must be, scan and report."""
    from anomscan.cli.fetch import fetch_source
    from anomscan.cli.findings import show_tally
    from anomscan.jobs.engines import Threads
    from anomscan.jobs.job import Job, remedies
    from anomscan.jobs.report import write_pages
    from anomscan.jobs.scan import Delivery, deliver
    from anomscan.reports.records import SCAN_SCHEMA, read_records

    settings = loaded.settings
    fetched = fetch_source(console, settings, "fleet", include_current=True)
    results = folder / "results.jsonl"
    job = Job(schema=SCAN_SCHEMA, whole=False, assets=None)
    tally = deliver(settings, job, Threads(None), console, Delivery(output=str(results)), lambda records, tally: None)
    tally.stale = ""
    show_tally(console, tally, remedies(settings, job))
    index = write_pages(console, settings, read_records(results), results, folder / "report")
    return worst([fetched, tally.code(fails=False)]), index.resolve()


def _has_display() -> bool:
    """Whether a browser may be opened: a person at a terminal of a desktop."""
    if not (sys.stdout.isatty() and sys.stdin.isatty()) or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
