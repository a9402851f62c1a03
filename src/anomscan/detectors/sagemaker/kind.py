"""The kind ``sagemaker``: a forest behind an endpoint, trained in AWS.

Training first shows what it will do and cost, and asks for confirmation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from anomscan.config import SageMakerSettings as Settings
from anomscan.config.toml import toml_value
from anomscan.detectors.base import Detector
from anomscan.detectors.exemplar_tables import show_exemplars
from anomscan.detectors.kind import Console, Kind, TrainingRequest
from anomscan.errors import ConfigError
from anomscan.wording import counted

if TYPE_CHECKING:
    from anomscan.detectors.exemplars import Exemplars
    from anomscan.telemetry.rows import Layout


class SageMakerKind(Kind):
    """Trained on the same exemplars as a forest in this process."""

    words = "Amazon SageMaker's Random Cut Forest"
    trained = True
    train_options = frozenset({"--deploy", "--endpoint", "--artifact", "--dry-run"})
    remote = True

    def opened(self, name: str, settings: Settings, warn: Callable[[str], None]) -> AbstractContextManager[Detector]:
        """Connect to the endpoint."""
        return self.taped(name, settings, None, None)

    @contextmanager
    def taped(self, name: str, settings: Settings, record: Path | None, replay: Path | None) -> Iterator[Detector]:
        """Connect to the endpoint and record its answers, or replay recorded ones."""
        from anomscan.detectors.recording import taped
        from anomscan.detectors.sagemaker.detector import SageMakerDetector
        from anomscan.detectors.sagemaker.runtime import Runtime

        with taped(
            lambda: Runtime(settings), detector=name, endpoint=settings.endpoint, record=record, replay=replay
        ) as scorer:
            yield SageMakerDetector(name, settings, scorer)

    def train(self, console: Console, settings: Settings, training: TrainingRequest) -> None:
        """Train in AWS, deploy there, or both; what was created is printed on stdout as a line of JSON."""
        from anomscan.detectors.sagemaker.planning import Wish, make_plan
        from anomscan.detectors.sagemaker.training import Account

        name, through, yes = training.name, training.through, training.yes
        dry_run = bool(training.options.get("--dry-run"))
        wish = Wish(
            bool(training.options.get("--deploy")),
            training.options.get("--endpoint"),
            training.options.get("--artifact"),
        )
        if not (dry_run or yes or console.can_ask):
            raise ConfigError(
                "this costs money, and there is no terminal to ask at", hint="--yes agrees to it, --dry-run shows it"
            )
        if wish.artifact is not None:
            if through is not None:
                raise ConfigError("--through is for training, and --artifact trains nothing")
            plan = make_plan(name, settings, wish)
            trained_on = ""
        else:
            exemplars, layout = _exemplars(console, training)
            plan = make_plan(name, settings, wish, (exemplars, layout, training.settings.scan.shingle))
            through_day = layout.cadence.text(exemplars.trained_through)
            console.info(
                f"{counted(len(exemplars.points), 'shingle')} of {counted(len(exemplars.assets), 'asset')}, "
                f"left out {len(exemplars.left)}, through {through_day}"
            )
            trained_on = (
                f", shingle = {training.settings.scan.shingle}, variables = {toml_value(layout.variables)}, "
                f'trained_through = "{through_day}"'
            )
        if (warning := plan.warning()) is not None:
            console.warn(warning)
        if dry_run:
            for line in plan.lines():
                console.data(line)
            if wish.endpoint is not None:
                console.info(
                    f"where there is no endpoint '{wish.endpoint}', it is create_endpoint, not update_endpoint"
                )
            return
        account = Account(plan, say=console.info)
        update = account.check()
        for cost in plan.costs():
            console.warn(f"this costs money: {cost}")
        if not (yes or console.agrees("Go on?")):
            raise ConfigError("not agreed to: nothing was begun")
        made = account.carry_out(update=update)
        console.data(made.line())
        if made.endpoint is not None:
            console.info(f"in service; in [detectors.{name}]: endpoint = {toml_value(made.endpoint)}{trained_on}")
        else:
            console.info(f"to put it into service: anomscan train --detector {name} --artifact {made.artifact}")


def _exemplars(console: Console, training: TrainingRequest) -> tuple[Exemplars, Layout]:
    """The exemplars that a local forest would be trained on."""
    from anomscan.detectors.exemplars import Criteria, choose
    from anomscan.store.store import Store

    source_name, _ = training.settings.source(training.source)
    store = Store.open(training.settings.store.path)
    layout = store.layout(source_name)
    exemplars = choose(
        store.snapshot(source_name).stream,
        Criteria(training.settings.train.samples, training.settings.train.min_std, training.settings.train.max_std),
        shingle=training.settings.scan.shingle,
        through=training.limit,
    )
    show_exemplars(console, exemplars, layout)
    return exemplars, layout


KIND = SageMakerKind()
