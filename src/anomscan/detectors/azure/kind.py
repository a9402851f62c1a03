"""The kind ``azure``: Azure's Multivariate Anomaly Detector, or a server of its protocol, which stores the models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from anomscan.config import AzureSettings as Settings
from anomscan.detectors.base import Detector
from anomscan.detectors.kind import Console, Kind, TrainingRequest
from anomscan.errors import AnomscanError, ConfigError
from anomscan.wording import counted

if TYPE_CHECKING:
    from anomscan.detectors.azure.client import Mvad
    from anomscan.store.store import Store

#: Most assets that an error names.
_SHOWN = 5


class AzureKind(Kind):
    """Trained on all of one asset's history, not on chosen exemplars."""

    words = "Azure's multivariate anomaly detector"
    trained = True
    train_options = frozenset({"--asset"})
    remote = True

    @contextmanager
    def opened(self, name: str, settings: Settings, warn: Callable[[str], None]) -> Iterator[Detector]:
        """Connect to the service."""
        from anomscan.detectors.azure.blob import staging_of
        from anomscan.detectors.azure.client import Mvad
        from anomscan.detectors.azure.detector import AzureDetector

        service = Mvad(settings)
        staging = staging_of(settings, warn, near=service.near)
        with closing(AzureDetector(name, settings, service, staging)) as detector:
            yield detector

    def train(self, console: Console, settings: Settings, training: TrainingRequest) -> None:
        """Train a model on one asset's history and show the result."""
        asset = training.options.get("--asset")
        from anomscan.detectors.azure.blob import staging_of
        from anomscan.detectors.azure.training import train
        from anomscan.store.store import Store

        source_name, _ = training.settings.source(training.source)
        store = Store.open(training.settings.store.path)
        series = store.read(source_name, _only(store, source_name) if asset is None else asset)
        with _service(settings) as service:
            staging = staging_of(settings, console.warn, near=service.near)
            done = train(series, settings, service, staging, through=training.limit, on_status=console.info)
        for note in done.notes:
            console.warn(note)
        _show(console, done.curve, done.variables, data=False)
        console.info(
            f"trained on {counted(done.timestamps, 'sample')} of asset '{series.asset}', "
            f"through {series.cadence.text(done.through)}: model {done.model_id}, noted in {settings.model}"
        )
        if settings.model_id is not None:
            console.warn(
                f"the settings name model {settings.model_id}: set model_id to {done.model_id}, or leave it out"
            )

    def models(self, name: str, settings: Settings) -> list[tuple[str, str, str]]:
        """List the models of the service, with their state and the end of their training data."""
        try:
            with _service(settings) as service:
                found = service.models()
        except AnomscanError as error:
            return [(name, settings.endpoint, error.message)]
        from anomscan.detectors.azure.client import status_of

        rows = []
        for model in found:
            info = model.model_info
            title = f" '{info.display_name}'" if info and info.display_name else ""
            end = f"{info.end_time:%Y-%m-%dT%H:%M:%SZ}" if info and info.end_time else ""
            rows.append((name, f"{model.model_id}{title} {status_of(info).lower()}".rstrip(), end))
        return rows

    def show(self, console: Console, name: str, settings: Settings, model_id: str | None) -> None:
        """Show what a model was trained with, its training curve and its variables."""
        from anomscan.detectors.azure.client import status_of
        from anomscan.detectors.azure.faults import listed as listed_errors
        from anomscan.detectors.azure.model_file import model_id_of
        from anomscan.detectors.azure.training import diagnostics

        with _service(settings) as service:
            model = service.model(model_id or model_id_of(name, settings))
        info = model.model_info
        facts: list[tuple[str, object]] = [("model", model.model_id), ("endpoint", settings.endpoint)]
        if info is not None:
            policy = info.align_policy
            facts += [
                ("name", info.display_name or ""),
                ("status", status_of(info)),
                *([("errors", tuple(listed_errors(info.errors)[0].split()))] if info.errors else []),
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

    def delete(self, console: Console, name: str, settings: Settings, model_id: str | None) -> None:
        """Delete a model from the service, and the local record of it."""
        from anomscan.detectors.azure.model_file import forget, model_id_of

        model_id = model_id or model_id_of(name, settings)
        with _service(settings) as service:
            service.delete(model_id)
        forget(settings, model_id)
        console.info(f"deleted model {model_id} at {settings.endpoint}")


@contextmanager
def _service(chosen: Settings) -> Iterator[Mvad]:
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


KIND = AzureKind()
