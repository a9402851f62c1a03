"""``anomscan train``: learn from the exemplars in the store."""

from __future__ import annotations

from typing import Annotated

import typer

from anomscan.cli.options import DetectorOption, SourceOption
from anomscan.cli.session import session_of
from anomscan.errors import ConfigError, ExitCode

#: Lines of a list that a person reads before the rest becomes a count.
_SHOWN = 20


def train(
    context: typer.Context,
    detector: DetectorOption = None,
    source: SourceOption = None,
    through: Annotated[
        str | None, typer.Option("--through", metavar="D", help="Learn from nothing later than this day or instant.")
    ] = None,
) -> int:
    """Train a model on the exemplars in the store: assets with a complete, calm year.

    Says which assets it took, which it left, and why.
    """
    session = session_of(context)
    settings = session.load().settings
    name, chosen = settings.detector(detector)
    source_name, _ = settings.source(source)
    if chosen.kind != "rcf":
        raise ConfigError(f"detector '{name}' is {chosen.kind}, which is not trained", hint="name one of kind rcf")

    from anomscan.detectors.rcf.training import train as train_forest
    from anomscan.telemetry.cadence import last_instant
    from anomscan.telemetry.store import Store

    limit = None if through is None else last_instant(through)
    store = Store.open(settings.store.path)
    layout = store.layout(source_name)
    exemplars = train_forest(
        store.stream(source_name), layout, chosen, settings.train, shingle=settings.scan.shingle, through=limit
    )
    console = session.console
    taken = [(asset, ", ".join(f"{std:.4g}" for std in stds)) for asset, stds in exemplars.taken]
    console.table(
        f"taken ({len(taken)})", ("asset", f"std of {', '.join(layout.variables)}"), taken[:_SHOWN], data=False
    )
    if exemplars.left:
        console.table(f"left ({len(exemplars.left)})", ("asset", "why"), exemplars.left[:_SHOWN], data=False)
    hidden = max(len(taken) - _SHOWN, 0) + max(len(exemplars.left) - _SHOWN, 0)
    if hidden:
        console.info(f"... and {hidden} more assets")
    console.info(
        f"trained {chosen.trees} trees on {len(exemplars.points)} shingles of {len(taken)} assets "
        f"(left {len(exemplars.left)}), through {layout.cadence.text(exemplars.trained_through)}: {chosen.model}"
    )
    return ExitCode.DONE
