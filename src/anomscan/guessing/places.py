"""Guesses about a file, a folder or a database, and the configuration that they make."""

from __future__ import annotations

from pathlib import Path

from anomscan.guessing.guess import Guess, guess
from anomscan.guessing.reading import quoted_name, sample_of_database, sample_of_files
from anomscan.guessing.said import Said
from anomscan.guessing.writing import asset_list, configuration, query_of, shown_path


def guess_of(place: str, said: Said) -> Guess:
    """What the table in a file, a folder or a database holds.

    Raises
    ------
    UnsureError
        What is not clear.
    AnomscanError
        If it cannot be read.
    """
    return guess(sample_of_database(place, said) if is_database(place) else sample_of_files(Path(place), said), said)


def is_database(place: str) -> bool:
    """Whether a place is the URL of a database."""
    return "://" in place


def configuration_of(guess: Guess, place: str, base: Path, command: str) -> tuple[str, str | None]:
    """The text of ``anomscan.toml`` in a folder, and of the list of assets beside it, if there is one.

    Parameters
    ----------
    command
        What writes it.
    """
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
