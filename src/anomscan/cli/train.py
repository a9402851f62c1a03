"""``anomscan train``: learn from the exemplars in the store."""

from __future__ import annotations

from typing import Annotated

import typer

from anomscan.cli.options import DetectorOption, SourceOption, ThroughOption
from anomscan.cli.session import session_of
from anomscan.errors import ConfigError, ExitCode


def train(
    context: typer.Context,
    detector: DetectorOption = None,
    source: SourceOption = None,
    through: ThroughOption = None,
    asset: Annotated[
        str | None,
        typer.Option("--asset", metavar="ID", help="azure: the asset to learn from; by default the only one."),
    ] = None,
    deploy: Annotated[bool, typer.Option("--deploy", help="sagemaker: deploy the model.")] = False,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="NAME", help="sagemaker: deploy to this endpoint; update it if it exists."),
    ] = None,
    artifact: Annotated[
        str | None,
        typer.Option(
            "--artifact", metavar="URI", help="sagemaker: deploy this model, trained earlier, without training."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="sagemaker: print the calls without making them.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="sagemaker: do not ask for confirmation.")] = False,
) -> int:
    """Train a model on the exemplars in the store: assets with a complete, calm year.

    Says which assets it took, which it left, and why. With a detector of kind sagemaker the model is trained in AWS,
    and put into service there if that is asked for. One of kind azure learns from one asset, calm or not.
    """
    session = session_of(context)
    loaded = session.load()
    settings = loaded.settings
    name, chosen = settings.detector(detector)

    from anomscan.detectors.kind import TrainingRequest
    from anomscan.detectors.registry import kind_of, kinds_where
    from anomscan.jobs.outputs import refuse_model_path

    kind = kind_of(chosen)
    flags = {
        "--asset": asset,
        "--deploy": deploy,
        "--endpoint": endpoint,
        "--artifact": artifact,
        "--dry-run": dry_run,
    }
    options = {flag: value for flag, value in flags.items() if value is not None and value is not False}
    strange = next((flag for flag in options if flag not in kind.train_options), None)
    if strange is not None:
        able = " or ".join(kinds_where(lambda each: strange in each.train_options))
        raise ConfigError(f"{strange} is for detectors of kind {able}; '{name}' is {chosen.kind}")
    if not kind.trained:
        *others, last = kinds_where(lambda each: each.trained)
        raise ConfigError(
            f"detector '{name}' is {chosen.kind}, which is not trained",
            hint=f"name one of kind {', '.join(others)} or {last}",
        )
    refuse_model_path(loaded, name)
    training = TrainingRequest(settings=settings, name=name, source=source, through=through, options=options, yes=yes)
    kind.train(session.console, chosen, training)
    return ExitCode.DONE
