"""``anomscan models``: the models that detectors have been given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anomscan.cli.session import session_of
from anomscan.errors import ConfigError, ExitCode, ModelError, OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from anomscan.config import DetectorSettings

models = typer.Typer(help="List, show or delete trained models.", add_completion=False, rich_markup_mode=None)

NameArgument = Annotated[str, typer.Argument(metavar="DETECTOR", help="A detector of the settings.")]
IdArgument = Annotated[
    str | None, typer.Argument(metavar="[MODEL_ID]", help="azure: which model of the service; else the detector's.")
]


@models.command("list")
def list_models(context: typer.Context) -> int:
    """List the detectors that have a model, in a file or at a service, and whether it can be read."""
    session = session_of(context)

    from anomscan.cli import azure
    from anomscan.detectors.rcf import Forest

    rows: list[tuple[object, ...]] = []
    for name, settings in session.load().settings.detectors.items():
        if settings.kind == "azure":
            rows += azure.listed(name, settings)
        if settings.kind != "rcf":
            continue
        try:
            forest = Forest.load(settings.model)
            rows.append((name, settings.model, forest.facts.get("trained_through", "")))
        except ModelError as error:
            rows.append((name, settings.model, error.message))
    session.console.table("", ("detector", "model", "trained through"), rows, data=True)
    return ExitCode.DONE


@models.command("show")
def show_model(context: typer.Context, detector: NameArgument, model_id: IdArgument = None) -> int:
    """Show what a model was trained with."""
    session = session_of(context)
    name, settings = session.load().settings.detector(detector)
    if settings.kind == "azure":
        from anomscan.cli import azure

        azure.show(session.console, name, settings, model_id)
        return ExitCode.DONE

    from anomscan.detectors.rcf import Forest

    path = _path(name, settings, model_id)
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
def delete_model(context: typer.Context, detector: NameArgument, model_id: IdArgument = None) -> int:
    """Delete a detector's model: its file, or what the service has."""
    session = session_of(context)
    name, settings = session.load().settings.detector(detector)
    if settings.kind == "azure":
        from anomscan.cli import azure

        azure.delete(session.console, name, settings, model_id)
        return ExitCode.DONE
    path = _path(name, settings, model_id)
    try:
        path.unlink()
    except FileNotFoundError:
        raise ModelError(f"there is no model {path}", hint="nothing to delete") from None
    except OSError as error:
        raise OutputError(f"{path} cannot be deleted: {error.strerror}") from None
    session.console.info(f"deleted {path}")
    return ExitCode.DONE


def _path(name: str, settings: DetectorSettings, model_id: str | None) -> Path:
    if settings.kind != "rcf":
        raise ConfigError(f"detector '{name}' is {settings.kind}, which has no model file")
    if model_id is not None:
        raise ConfigError(f"detector '{name}' has one model, a file", hint="leave the id out")
    return settings.model
