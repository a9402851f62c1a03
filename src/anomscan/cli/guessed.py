"""What ``quick`` and ``init`` share: their options, the questions, and the screen that shows the guesses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomscan.errors import ConfigError

if TYPE_CHECKING:
    from anomscan.cli.console import TerminalConsole
    from anomscan.guessing.guess import Guess
    from anomscan.guessing.said import Said

AssetColumn = Annotated[str | None, typer.Option("--asset-column", metavar="NAME", help="Column of the assets' ids.")]
TimestampColumn = Annotated[str | None, typer.Option("--timestamp-column", metavar="NAME", help="Column of the times.")]
Values = Annotated[
    list[str] | None, typer.Option("--values", metavar="NAME", help="Column to watch; may be repeated, or a,b,c.")
]
HealthColumn = Annotated[str | None, typer.Option("--health-column", metavar="NAME", help="Column of the health.")]
CohortColumn = Annotated[
    str | None, typer.Option("--cohort-column", metavar="NAME", help="Column that says which assets belong together.")
]
LayoutOption = Annotated[
    str | None,
    typer.Option(
        "--layout", metavar="long|wide|tags", help="A row each sample, a column each asset, a row each value."
    ),
]
TimezoneOption = Annotated[
    str | None, typer.Option("--timezone", metavar="ZONE", help="Of times without an offset: UTC, Europe/Paris.")
]
TimestampFormat = Annotated[
    str | None, typer.Option("--timestamp-format", metavar="F", help="As %d.%m.%Y %H:%M, or unix, unix-ms, excel.")
]
CadenceOption = Annotated[str | None, typer.Option("--cadence", metavar="STEP", help="Between samples: 1D, 1h, 10min.")]
DelimiterOption = Annotated[str | None, typer.Option("--delimiter", metavar="C", help="Between the columns of CSV.")]
DecimalOption = Annotated[str | None, typer.Option("--decimal", metavar=".|,", help="The decimal sign.")]
SheetOption = Annotated[str | None, typer.Option("--sheet", metavar="NAME", help="Of a workbook.")]
TableOption = Annotated[str | None, typer.Option("--table", metavar="NAME", help="Of a database.")]
KindOption = Annotated[
    str | None,
    typer.Option("--detector", metavar="KIND", help="control-chart, nearest or rcf; else what suits the data."),
]


def said_of(given: Mapping[str, Any]) -> Said:
    """What the options of a command say, by their names.

    Raises
    ------
    ConfigError
        If one has a value that it cannot have.
    """
    from anomscan.guessing.said import OPTIONS, Said

    for option, allowed in (
        ("layout", ("long", "wide", "tags")),
        ("detector", ("control-chart", "nearest", "rcf")),
        ("decimal", (".", ",")),
    ):
        if given[option] not in (None, *allowed):
            raise ConfigError(f"--{option} {given[option]} is not known", hint=f"write {', '.join(allowed)}")
    said = {name: given[name] for name in OPTIONS.values()}
    return Said(**{**said, "values": tuple(name for each in given["values"] or () for name in each.split(","))})


def guessed(console: TerminalConsole, place: str, said: Said, *, ask: bool) -> Guess:
    """What a file or database holds; what is not clear is asked on a terminal.

    Raises
    ------
    UnsureError
        What is not clear, where it cannot be asked.
    AnomscanError
        If it cannot be read.
    """
    from anomscan.guessing.guess import guess
    from anomscan.guessing.reading import sample_of_database, sample_of_files

    def look(said: Said) -> Guess:
        sample = sample_of_database(place, said) if is_database(place) else sample_of_files(Path(place), said)
        return guess(sample, said)

    return _asked(console, look, said, ask=ask)


def _asked(console: TerminalConsole, look: Callable[[Said], Guess], said: Said, *, ask: bool) -> Guess:
    from anomscan.guessing.said import OPTIONS
    from anomscan.guessing.unsure import UnsureError

    while True:
        try:
            return look(said)
        except UnsureError as error:
            name = OPTIONS[error.option]
            if not ask or not console.can_ask or getattr(said, name):
                raise
            answer = console.answer(f"{error.what} ({error.option})", error.choices)
            if not answer:
                raise
            change: dict[str, Any] = {name: tuple(answer.split(",")) if name == "values" else answer}
            said = replace(said, **change)


def is_database(place: str) -> bool:
    """Whether a place is the URL of a database."""
    return "://" in place


def show_guess(console: TerminalConsole, guess: Guess) -> None:
    """Show on one screen what was guessed."""
    most = 18
    rows = guess.shown
    if len(rows) > most:
        left = [row for row in rows if row[0] == "left out"]
        kept = [row for row in rows if row[0] != "left out"]
        shown = left[: max(0, most - len(kept))]
        names = ", ".join(name for _, name, _ in left[len(shown) :])
        rows = [*kept[:-1], *shown, ("left out", f"{len(left) - len(shown)} more", names[:200]), kept[-1]]
    table = [(what, tuple(value.split()), tuple(why.split())) for what, value, why in rows]
    console.table("guessed", ("what", "guess", "why"), table, data=False)


def configuration_of(guess: Guess, place: str, base: Path, command: str) -> tuple[str, str | None]:
    """The text of ``anomscan.toml`` in a folder, and of the list of assets beside it, if there is one."""
    from anomscan.guessing.reading import quoted_name
    from anomscan.guessing.writing import asset_list, configuration, query_of, shown_path

    title = f"Written by anomscan {command}; what was guessed is said beside it."
    if not is_database(place):
        origin: dict[str, object] = {"kind": "files", "path": shown_path(Path(place).resolve(), base)}
        listed = asset_list(guess) if guess.cohorts else None
        columns = {"path": "assets.csv", "columns": {"asset": "asset", "cohort": "cohort"}} if listed else None
        return configuration(guess, origin, title=title, assets=columns), listed
    backend, table = str(guess.sample.said["backend"]), str(guess.sample.said["table"])
    query, _ = query_of(guess, backend, table)
    origin = {"kind": "sql", "url": without_password(place), "query": query}
    assets = None
    if guess.cohorts and guess.roles.asset and guess.roles.cohort:
        names = [quoted_name(name, backend) for name in (guess.roles.asset, guess.roles.cohort)]
        assets = {
            "source": "fleet",
            "query": f"SELECT DISTINCT {', '.join(names)} FROM {quoted_name(table, backend)}",  # noqa: S608 - quoted
            "columns": {"asset": guess.roles.asset, "cohort": guess.roles.cohort},
        }
    return configuration(guess, origin, title=title, assets=assets), None


def without_password(url: str) -> str:
    """A database's URL without the password, and a SQLite file by its whole path."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        parsed = parsed.set(database=str(Path(str(parsed.database)).resolve()))
    # URL.set takes None for "as it was".
    return parsed._replace(password=None).render_as_string(hide_password=False)
