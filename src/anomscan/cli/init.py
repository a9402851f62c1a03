"""``anomscan init``: write a configuration file from what a file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anomscan.cli.guessed import guessed, show_guess, takes_guesses
from anomscan.cli.session import session_of
from anomscan.errors import ConfigError, ExitCode, InputError
from anomscan.guessing.said import Said

_FILE = "anomscan.toml"


@takes_guesses
def init(
    context: typer.Context,
    place: Annotated[
        str | None, typer.Argument(metavar="[FILE|URL]", help="Telemetry: a file, a folder, or a database's URL.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")] = Path(_FILE),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take the guesses without asking.")] = False,
    *,
    said: Said,
) -> int:
    """Guess what a file or database holds, and write anomscan.toml.

    What was guessed is shown, and asked about; --yes takes it. What is not clear is a question, or an error that names
    the option.
    """
    console = session_of(context).console
    target = output.resolve()
    if target.exists():
        raise ConfigError(f"{output} exists already", hint="name another file with -o, or edit that one")
    if place is None:
        if not console.can_ask:
            raise ConfigError("which telemetry?", hint="name a file, a folder, or a database's URL")
        place = console.answer("where is the telemetry? (a file, a folder, sqlite:///..., mysql://...)", ())
    guess = guessed(console, place, said, ask=not yes)
    show_guess(console, guess)
    if not yes and not console.can_ask:
        raise ConfigError("shall this be written?", hint="--yes takes the guesses")
    if not yes and not console.agrees(f"write {output}?"):
        raise InputError("nothing was written", hint="name what is wrong with an option, such as --asset-column")
    from anomscan.guessing.places import configuration_of, is_database, without_password

    text, listed = configuration_of(guess, place, target.parent, "init")
    listing = target.with_name("assets.csv")
    if listed is not None and listing.exists():
        raise ConfigError(f"{listing} exists already", hint="the list of assets would be written there")
    from anomscan.storage.durable import replace_file

    if listed is not None:
        with replace_file(listing) as file:
            file.write(listed.encode())
        console.info(f"{listing}: which asset belongs to which cohort")
    with replace_file(target) as file:
        file.write(text.encode())
    option = "" if output == Path(_FILE) else f" --config {output}"
    if is_database(place) and without_password(place) != place and not place.startswith("sqlite"):
        console.info("the password is not in it: set ANOMSCAN_SOURCES__FLEET__URL to the whole URL, or secret")
    from anomscan.detectors.registry import kind_named

    if kind_named(guess.choice.kind).trained:
        console.info(f"next: anomscan{option} fetch, then train, then scan --all -o results.jsonl")
    else:
        console.info(f"next: anomscan{option} fetch, then anomscan{option} scan --all -o results.jsonl")
    return ExitCode.DONE
