"""``anomscan models``: the models that detectors have been given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anomscan.cli.session import session_of
from anomscan.errors import ConfigError, ExitCode, ModelError, OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from anomscan.cli.session import Session

models = typer.Typer(help="List, show or delete trained models.", add_completion=False, rich_markup_mode=None)

NameArgument = Annotated[str, typer.Argument(metavar="DETECTOR", help="A detector of the settings.")]


@models.command("list")
def list_models(context: typer.Context) -> int:
    """List the detectors that have a model file, and whether it can be read."""
    session = session_of(context)

    from anomscan.detectors.rcf import Forest

    rows = []
    for name, settings in session.load().settings.detectors.items():
        if settings.kind != "rcf":
            continue
        try:
            forest = Forest.load(settings.model)
            rows.append((name, settings.model, forest.facts.get("trained_through", "")))
        except ModelError as error:
            rows.append((name, settings.model, error.message))
    session.console.table("", ("detector", "file", "trained through"), rows, data=True)
    return ExitCode.DONE


@models.command("show")
def show_model(context: typer.Context, detector: NameArgument) -> int:
    """Show what a model was trained with."""
    session = session_of(context)

    from anomscan.detectors.rcf import Forest

    path = _path(session, detector)
    forest = Forest.load(path)
    facts = {
        "file": path,
        "trees": forest.trees,
        "sample_size": forest.sample_size,
        "seed": forest.seed,
        "sampling": forest.sampling,
        "dimension": forest.dimension,
        **forest.facts,
    }
    rows = [(key, ", ".join(map(str, value)) if isinstance(value, list) else value) for key, value in facts.items()]
    session.console.table("", ("fact", "value"), rows, data=True)
    return ExitCode.DONE


@models.command("delete")
def delete_model(context: typer.Context, detector: NameArgument) -> int:
    """Delete a detector's model file."""
    session = session_of(context)
    path = _path(session, detector)
    try:
        path.unlink()
    except FileNotFoundError:
        raise ModelError(f"there is no model {path}", hint="nothing to delete") from None
    except OSError as error:
        raise OutputError(f"{path} cannot be deleted: {error.strerror}") from None
    session.console.info(f"deleted {path}")
    return ExitCode.DONE


def _path(session: Session, detector: str) -> Path:
    name, settings = session.load().settings.detector(detector)
    if settings.kind != "rcf":
        raise ConfigError(f"detector '{name}' is {settings.kind}, which has no model file")
    return settings.model
