"""What ``quick`` and ``init`` share: their options, the questions, and the screen that shows the guesses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomscan.errors import ConfigError
from anomscan.guessing.said import OPTIONS, Said

if TYPE_CHECKING:
    from anomscan.cli.console import TerminalConsole
    from anomscan.guessing.guess import Guess


def _named(option: str, metavar: str, help_: str) -> Any:
    return Annotated[str | None, typer.Option(option, metavar=metavar, help=help_)]


#: What need not be guessed, by its name in ``Said``.
_OPTIONS = {
    "asset": _named("--asset-column", "NAME", "Column of the assets' ids."),
    "timestamp": _named("--timestamp-column", "NAME", "Column of the times."),
    "values": Annotated[
        list[str] | None, typer.Option("--values", metavar="NAME", help="Column to watch; may be repeated, or a,b,c.")
    ],
    "health": _named("--health-column", "NAME", "Column of the health."),
    "cohort": _named("--cohort-column", "NAME", "Column that says which assets belong together."),
    "layout": _named("--layout", "long|wide|tags", "A row each sample, a column each asset, a row each value."),
    "timezone": _named("--timezone", "ZONE", "Of times without an offset: UTC, Europe/Paris."),
    "timestamp_format": _named("--timestamp-format", "F", "As %d.%m.%Y %H:%M, or unix, unix-ms, excel."),
    "cadence": _named("--cadence", "STEP", "Between samples: 1D, 1h, 10min."),
    "delimiter": _named("--delimiter", "C", "Between the columns of CSV."),
    "decimal": _named("--decimal", ".|,", "The decimal sign."),
    "sheet": _named("--sheet", "NAME", "Of a workbook."),
    "table": _named("--table", "NAME", "Of a database."),
    "detector": _named("--detector", "KIND", "control-chart, nearest or rcf; else what suits the data."),
}
_ALLOWED = {
    "layout": ("long", "wide", "tags"),
    "detector": ("control-chart", "nearest", "rcf"),
    "decimal": (".", ","),
}


def takes_guesses(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options for what need not be guessed; it gets them together as ``said``."""
    own = signature(command, eval_str=True).parameters.values()
    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=option) for name, option in _OPTIONS.items()
    ]
    parameters = [*(each.replace(kind=Parameter.KEYWORD_ONLY) for each in own if each.name != "said"), *options]

    @wraps(command)
    def taking(**given: Any) -> int:
        said = _said({name: given.pop(name) for name in _OPTIONS})
        return command(**given, said=said)

    taking.__signature__ = Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
    taking.__annotations__ = {each.name: each.annotation for each in parameters}
    return taking


def _said(given: Mapping[str, Any]) -> Said:
    """What the options say.

    Raises
    ------
    ConfigError
        If one has a value that it cannot have.
    """
    for option, allowed in _ALLOWED.items():
        if given[option] not in (None, *allowed):
            raise ConfigError(f"--{option} {given[option]} is not known", hint=f"write {', '.join(allowed)}")
    return Said(**{**given, "values": tuple(name for each in given["values"] or () for name in each.split(","))})


def guessed(console: TerminalConsole, place: str, said: Said, *, ask: bool) -> Guess:
    """What a file or database holds; what is not clear is asked on a terminal.

    Raises
    ------
    UnsureError
        What is not clear, where it cannot be asked.
    AnomscanError
        If it cannot be read.
    """
    from anomscan.guessing.places import guess_of
    from anomscan.guessing.unsure import UnsureError

    while True:
        try:
            return guess_of(place, said)
        except UnsureError as error:
            name = OPTIONS[error.option]
            if not ask or not console.can_ask or getattr(said, name):
                raise
            answer = console.answer(f"{error.what} ({error.option})", error.choices)
            if not answer:
                raise
            change: dict[str, Any] = {name: tuple(answer.split(",")) if name == "values" else answer}
            said = replace(said, **change)


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
