"""``anomscan models``: the trained models of detectors."""

from __future__ import annotations

from typing import Annotated

import typer

from anomscan.cli.session import session_of
from anomscan.errors import ExitCode

models = typer.Typer(help="List, show or delete trained models.", add_completion=False, rich_markup_mode=None)

NameArgument = Annotated[str, typer.Argument(metavar="DETECTOR", help="A detector in the settings.")]
IdArgument = Annotated[
    str | None, typer.Argument(metavar="[MODEL_ID]", help="azure: a model of the service; by default the detector's.")
]


@models.command("list")
def list_models(context: typer.Context) -> int:
    """List the detectors that have a model, in a file or at a service, and whether it can be read."""
    session = session_of(context)

    from anomscan.detectors.registry import kind_of

    detectors = session.load().settings.detectors
    rows = [row for name, settings in detectors.items() for row in kind_of(settings).models(name, settings)]
    session.console.table("", ("detector", "model", "trained through"), rows, data=True)
    return ExitCode.DONE


@models.command("show")
def show_model(context: typer.Context, detector: NameArgument, model_id: IdArgument = None) -> int:
    """Show what a model was trained with."""
    session = session_of(context)
    name, settings = session.load().settings.detector(detector)

    from anomscan.detectors.registry import kind_of

    kind_of(settings).show(session.console, name, settings, model_id)
    return ExitCode.DONE


@models.command("delete")
def delete_model(context: typer.Context, detector: NameArgument, model_id: IdArgument = None) -> int:
    """Delete a detector's model, its file or that of the service."""
    session = session_of(context)
    name, settings = session.load().settings.detector(detector)

    from anomscan.detectors.registry import kind_of

    kind_of(settings).delete(session.console, name, settings, model_id)
    return ExitCode.DONE
