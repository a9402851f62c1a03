"""``anomscan train``: learn from the exemplars in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anomscan.cli.options import DetectorOption, SourceOption
from anomscan.cli.session import session_of
from anomscan.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from anomscan.cli.console import Console
    from anomscan.config import RcfDetector, Settings


def train(
    context: typer.Context,
    detector: DetectorOption = None,
    source: SourceOption = None,
    through: Annotated[
        str | None, typer.Option("--through", metavar="D", help="Learn from nothing later than this day or instant.")
    ] = None,
    asset: Annotated[
        str | None,
        typer.Option("--asset", metavar="ID", help="azure: the asset to learn from; by default the only one."),
    ] = None,
    deploy: Annotated[bool, typer.Option("--deploy", help="sagemaker: put the model into service.")] = False,
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint", metavar="NAME", help="sagemaker: deploy to this endpoint; one that is there is updated."
        ),
    ] = None,
    artifact: Annotated[
        str | None,
        typer.Option("--artifact", metavar="URI", help="sagemaker: deploy this model, trained earlier; train nothing."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="sagemaker: show the calls and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="sagemaker: do not ask about what costs money.")] = False,
) -> int:
    """Train a model on the exemplars in the store: assets with a complete, calm year.

    Says which assets it took, which it left, and why. With a detector of kind sagemaker the model is trained in AWS,
    and put into service there if that is asked for. One of kind azure learns from one asset, calm or not.
    """
    session = session_of(context)
    settings = session.load().settings
    name, chosen = settings.detector(detector)
    console = session.console
    if asset is not None and chosen.kind != "azure":
        raise ConfigError(f"--asset is for detectors of kind azure; '{name}' is {chosen.kind}")
    if chosen.kind == "sagemaker":
        from anomscan.cli.sagemaker import train_remotely
        from anomscan.detectors.sagemaker.planning import Wish

        wish = Wish(deploy, endpoint, artifact)
        return train_remotely(console, settings, name, chosen, wish, source, through, dry_run=dry_run, yes=yes)
    for flag, given in (
        ("--deploy", deploy),
        ("--endpoint", endpoint),
        ("--artifact", artifact),
        ("--dry-run", dry_run),
    ):
        if given:
            raise ConfigError(f"{flag} is for detectors of kind sagemaker; '{name}' is {chosen.kind}")
    if chosen.kind == "azure":
        from anomscan.cli.azure import train_remotely as train_mvad

        return train_mvad(console, settings, chosen, source, asset, through)
    if chosen.kind != "rcf":
        raise ConfigError(
            f"detector '{name}' is {chosen.kind}, which is not trained", hint="name one of kind rcf, sagemaker or azure"
        )
    return _here(console, settings, chosen, source, through)


def _here(console: Console, settings: Settings, chosen: RcfDetector, source: str | None, through: str | None) -> int:
    from anomscan.cli.exemplars import show
    from anomscan.detectors.rcf.training import train as train_forest
    from anomscan.telemetry.cadence import last_instant
    from anomscan.telemetry.store import Store

    source_name, _ = settings.source(source)
    limit = None if through is None else last_instant(through)
    store = Store.open(settings.store.path)
    layout = store.layout(source_name)
    exemplars = train_forest(
        store.snapshot(source_name).stream, layout, chosen, settings.train, shingle=settings.scan.shingle, through=limit
    )
    show(console, exemplars, layout)
    console.info(
        f"trained {chosen.trees} trees on {len(exemplars.points)} shingles of {len(exemplars.assets)} assets "
        f"(left {len(exemplars.left)}), through {layout.cadence.text(exemplars.trained_through)}: {chosen.model}"
    )
    return ExitCode.DONE
