"""What ``train`` and ``models`` do with detectors of kind azure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anomscan.cli.console import Console
from anomscan.errors import AnomscanError, ConfigError, ExitCode

if TYPE_CHECKING:
    from anomscan.config import AzureDetector, Settings
    from anomscan.detectors.azure.client import Mvad
    from anomscan.telemetry.store import Store

#: Assets that an error names.
_SHOWN = 5


def train_remotely(
    console: Console,
    settings: Settings,
    chosen: AzureDetector,
    source: str | None,
    asset: str | None,
    through: str | None,
) -> int:
    """Train a model on one asset's history and show what came of it."""
    from anomscan.detectors.azure.blob import shelf_of
    from anomscan.detectors.azure.training import train
    from anomscan.telemetry.cadence import last_instant
    from anomscan.telemetry.store import Store

    source_name, _ = settings.source(source)
    limit = None if through is None else last_instant(through)
    store = Store.open(settings.store.path)
    series = store.read(source_name, _only(store, source_name) if asset is None else asset)
    with _service(chosen) as service:
        shelf = shelf_of(chosen, console.warn, near=service.near)
        done = train(series, chosen, service, shelf, through=limit, on_status=console.info)
    for note in done.notes:
        console.warn(note)
    _show(console, done.curve, done.variables, data=False)
    console.info(
        f"trained on {done.timestamps} samples of asset '{series.asset}', through {series.cadence.text(done.through)}: "
        f"model {done.model_id}, noted in {chosen.model}"
    )
    if chosen.model_id is not None:
        console.warn(f"the settings name model {chosen.model_id}: set model_id to {done.model_id}, or leave it out")
    return ExitCode.DONE


def listed(name: str, chosen: AzureDetector) -> list[tuple[str, str, str]]:
    """The models of a detector's service: detector, model and its state, end of training."""
    try:
        with _service(chosen) as service:
            found = service.models()
    except AnomscanError as error:
        return [(name, chosen.endpoint, error.message)]
    from anomscan.detectors.azure.client import status_of

    rows = []
    for model in found:
        info = model.model_info
        title = f" '{info.display_name}'" if info and info.display_name else ""
        end = f"{info.end_time:%Y-%m-%dT%H:%M:%SZ}" if info and info.end_time else ""
        rows.append((name, f"{model.model_id}{title} {status_of(info).lower()}".rstrip(), end))
    return rows


def show(console: Console, name: str, chosen: AzureDetector, model_id: str | None) -> None:
    """Show what a model was trained with, its training curve and its variables."""
    from anomscan.detectors.azure.client import status_of
    from anomscan.detectors.azure.faults import listed as listed_errors
    from anomscan.detectors.azure.model_file import model_id_of
    from anomscan.detectors.azure.training import diagnostics

    with _service(chosen) as service:
        model = service.model(model_id or model_id_of(name, chosen))
    info = model.model_info
    facts: list[tuple[str, object]] = [("model", model.model_id), ("endpoint", chosen.endpoint)]
    if info is not None:
        policy = info.align_policy
        facts += [
            ("name", info.display_name or ""),
            ("status", status_of(info)),
            *([("errors", listed_errors(info.errors)[0])] if info.errors else []),
            ("sliding_window", info.sliding_window),
            ("data_schema", getattr(info.data_schema, "value", info.data_schema)),
            ("from", info.start_time),
            ("trained_through", info.end_time),
        ]
        if policy is not None:
            fill = getattr(policy.fill_n_a_method, "value", policy.fill_n_a_method)
            facts += [("align", getattr(policy.align_mode, "value", policy.align_mode)), ("fill", fill)]
    console.table("", ("fact", "value"), facts, data=True)
    _show(console, *diagnostics(model), data=True)


def delete(console: Console, name: str, chosen: AzureDetector, model_id: str | None) -> None:
    """Delete a model at the service, and the note of it."""
    from anomscan.detectors.azure.model_file import forget, model_id_of

    model_id = model_id or model_id_of(name, chosen)
    with _service(chosen) as service:
        service.delete(model_id)
    forget(chosen, model_id)
    console.info(f"deleted model {model_id} at {chosen.endpoint}")


@contextmanager
def _service(chosen: AzureDetector) -> Iterator[Mvad]:
    from anomscan.detectors.azure.client import Mvad

    service = Mvad(chosen)
    try:
        yield service
    finally:
        service.close()


def _only(store: Store, source: str) -> str:
    assets = store.assets(source)
    if len(assets) == 1:
        return next(iter(assets))
    some = ", ".join(sorted(assets)[:_SHOWN]) + (", ..." if len(assets) > _SHOWN else "")
    raise ConfigError(
        f"a model learns from one asset, the store has {len(assets)} ({some})", hint="name one with --asset"
    )


def _show(
    console: Console,
    curve: list[tuple[int, float, float]],
    variables: list[tuple[str, float, int, str, str]],
    *,
    data: bool,
) -> None:
    if curve:
        rows = [(epoch, f"{loss:.4g}", f"{validation:.4g}") for epoch, loss, validation in curve]
        console.table("training", ("epoch", "loss", "validation loss"), rows, data=data)
    if variables:
        states = [(name, f"{filled:.1%}", count, first, last) for name, filled, count, first, last in variables]
        console.table("variables", ("variable", "filled", "values", "first", "last"), states, data=data)
