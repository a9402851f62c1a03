"""``anomscan train`` with a detector of kind sagemaker: what will be done, what it will cost, and whether to go on."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from anomscan.cli.console import Console
from anomscan.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from anomscan.config import SageMakerDetector, Settings
    from anomscan.detectors.rcf.exemplars import Exemplars
    from anomscan.detectors.sagemaker.planning import Wish
    from anomscan.telemetry.rows import Layout


def train_remotely(
    console: Console,
    settings: Settings,
    name: str,
    chosen: SageMakerDetector,
    wish: Wish,
    source: str | None,
    through: str | None,
    *,
    dry_run: bool,
    yes: bool,
) -> ExitCode:
    """Train in AWS, deploy there, or both; what was made goes to standard output as a line of JSON.

    Raises
    ------
    ConfigError
        If it was not agreed to, or there is nobody to ask.
    """
    from anomscan.detectors.sagemaker.planning import make_plan
    from anomscan.detectors.sagemaker.training import Account

    if not (dry_run or yes or sys.stdin.isatty()):
        raise ConfigError(
            "this costs money, and there is no terminal to ask at", hint="--yes agrees to it, --dry-run shows it"
        )
    if wish.artifact is not None:
        if through is not None:
            raise ConfigError("--through is for training, and --artifact trains nothing")
        plan = make_plan(name, chosen, wish)
        trained_on = ""
    else:
        exemplars, layout = _exemplars(console, settings, source, through)
        plan = make_plan(name, chosen, wish, (exemplars, layout, settings.scan.shingle))
        through_day = layout.cadence.text(exemplars.trained_through)
        console.info(
            f"{len(exemplars.points):,} shingles of {len(exemplars.assets)} assets (left {len(exemplars.left)}), "
            f"through {through_day}"
        )
        trained_on = (
            f", shingle = {settings.scan.shingle}, variables = {json.dumps(layout.variables)}, "
            f'trained_through = "{through_day}"'
        )
    if (warning := plan.warning()) is not None:
        console.warn(warning)
    if dry_run:
        for line in plan.lines():
            print(line)
        if wish.endpoint is not None:
            console.info(f"where there is no endpoint '{wish.endpoint}', it is create_endpoint, not update_endpoint")
        return ExitCode.DONE
    account = Account(plan, say=console.info)
    update = account.check()
    for cost in plan.costs():
        console.warn(f"this costs money: {cost}")
    if not (yes or _agreed()):
        raise ConfigError("not agreed to: nothing was begun")
    made = account.carry_out(update=update)
    print(made.line())
    if made.endpoint is not None:
        console.info(f"in service; in [detectors.{name}]: endpoint = {json.dumps(made.endpoint)}{trained_on}")
    else:
        console.info(f"to put it into service: anomscan train --detector {name} --artifact {made.artifact}")
    return ExitCode.DONE


def _exemplars(
    console: Console, settings: Settings, source: str | None, through: str | None
) -> tuple[Exemplars, Layout]:
    """The same as a forest here would learn from."""
    from anomscan.cli.exemplars import show
    from anomscan.detectors.rcf.exemplars import Criteria, choose
    from anomscan.telemetry.cadence import last_instant
    from anomscan.telemetry.store import Store

    source_name, _ = settings.source(source)
    store = Store.open(settings.store.path)
    layout = store.layout(source_name)
    exemplars = choose(
        store.snapshot(source_name).stream,
        Criteria(settings.train.samples, settings.train.min_std, settings.train.max_std),
        shingle=settings.scan.shingle,
        through=None if through is None else last_instant(through),
    )
    show(console, exemplars, layout)
    return exemplars, layout


def _agreed() -> bool:
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
