"""The kind ``rcf``: a forest in this process, with a model file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from anomscan.config import RcfSettings as Settings
from anomscan.detectors.base import Detector
from anomscan.detectors.cohorts import cohorts_of
from anomscan.detectors.exemplar_tables import show_exemplars
from anomscan.detectors.kind import Console, Kind, TrainingRequest
from anomscan.detectors.peers import against_peers
from anomscan.detectors.rcf.facts import load_trained
from anomscan.detectors.stretches import View, as_it_is
from anomscan.errors import ConfigError, ModelError, OutputError
from anomscan.store.asset_list import members_of, read_asset_list
from anomscan.store.store import Store
from anomscan.wording import counted, listed


class RcfKind(Kind):
    """Trained on the exemplars in the store."""

    words = "a Random Cut Forest: a score is high where a stretch of samples is unlike those it was trained on"
    trained = True

    @contextmanager
    def opened(self, name: str, settings: Settings, warn: Callable[[str], None]) -> Iterator[Detector]:
        """Load the model."""
        from anomscan.detectors.rcf.detector import RcfDetector

        detector = RcfDetector.load(name, settings.model)
        detector.check_view(settings.view, settings.peers)
        yield detector

    def missing(self, settings: Settings) -> str | None:
        """Say where the model would be."""
        return None if settings.model.exists() else f"no model yet at {settings.model}; run anomscan train"

    def train(self, console: Console, settings: Settings, training: TrainingRequest) -> None:
        """Grow a forest on the exemplars and write it to the model file."""
        from anomscan.detectors.rcf.training import train

        source, _ = training.settings.source(training.source)
        store = Store.open(training.settings.store.path)
        layout = store.layout(source)
        snapshot = store.snapshot(source)
        view: View = as_it_is
        if settings.view == "peers":
            listed = read_asset_list(snapshot.folder) if training.settings.assets.given else None
            cohorts = cohorts_of(snapshot, members_of(listed or {}), through=training.limit)
            view = partial(against_peers, cohorts=cohorts, how=settings.peers)
        exemplars = train(
            snapshot.stream,
            layout,
            settings,
            training.settings.train,
            shingle=training.settings.scan.shingle,
            through=training.limit,
            view=view,
        )
        show_exemplars(console, exemplars, layout)
        shingles, assets = counted(len(exemplars.points), "shingle"), counted(len(exemplars.assets), "asset")
        console.info(
            f"trained {counted(settings.trees, 'tree')} on {shingles} of {assets}, "
            f"left out {len(exemplars.left)}, through {layout.cadence.text(exemplars.trained_through)}: "
            f"{settings.model}"
        )

    def models(self, name: str, settings: Settings) -> list[tuple[str, str, str]]:
        """List the model file."""
        try:
            through = str(load_trained(settings.model).facts.get("trained_through", ""))
        except ModelError as error:
            through = error.message
        return [(name, str(settings.model), through)]

    def show(self, console: Console, name: str, settings: Settings, model_id: str | None) -> None:
        """Show the facts in the model file."""
        _refuse_id(name, model_id)
        forest = load_trained(settings.model)
        facts = {
            "file": settings.model,
            "trees": forest.trees,
            "sample_size": forest.sample_size,
            "seed": forest.seed,
            "sampling": forest.sampling,
            "dimension": forest.dimension,
            **forest.facts,
        }
        console.table("", ("fact", "value"), [(key, _cell(value)) for key, value in facts.items()], data=True)

    def delete(self, console: Console, name: str, settings: Settings, model_id: str | None) -> None:
        """Delete the model file."""
        _refuse_id(name, model_id)
        try:
            settings.model.unlink()
        except FileNotFoundError:
            raise ModelError(f"there is no model {settings.model}", hint="nothing to delete") from None
        except OSError as error:
            raise OutputError(f"{settings.model} cannot be deleted: {error.strerror}") from None
        console.info(f"deleted {settings.model}")


def _cell(fact: object) -> object:
    if isinstance(fact, dict):
        return listed(f"{name} {value:.4g}" for name, value in fact.items())
    return listed(map(str, fact)) if isinstance(fact, list) else fact


def _refuse_id(name: str, model_id: str | None) -> None:
    if model_id is not None:
        raise ConfigError(f"detector '{name}' has one model, a file", hint="leave out the id")


KIND = RcfKind()
