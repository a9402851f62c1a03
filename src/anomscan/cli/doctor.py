"""``anomscan doctor``: check that everything is where the settings say it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from anomscan.cli.options import SourceOption
from anomscan.cli.session import session_of
from anomscan.errors import AnomscanError, ServiceError, StoreError
from anomscan.wording import counted

if TYPE_CHECKING:
    from anomscan.cli.console import TerminalConsole
    from anomscan.config import Settings
    from anomscan.sources.checkup import CheckResult


def doctor(context: typer.Context, source: SourceOption = None) -> int:
    """Check each source (settings, clock and query), the store and the models.

    Exits with 0 if all is well, 2 if settings or data are not, 5 if a source cannot be reached or refuses us.
    """
    session = session_of(context)
    settings = session.load().settings
    names = [settings.source(source)[0]] if source else list(settings.sources)

    import numpy as np

    from anomscan.errors import ExitCode
    from anomscan.sources.checkup import CheckResult, check, verdict
    from anomscan.sources.registry import build

    now = np.datetime64("now", "us")
    findings: list[CheckResult] = []

    def say(thing: str, found: Iterator[CheckResult]) -> None:
        for finding in found:
            findings.append(finding)
            mark = "ok  " if finding.code == ExitCode.DONE else "FAIL"
            session.console.data(f"{mark} {thing}: {finding.what}: {finding.said}")

    if not names:
        say("settings", iter([CheckResult("sources", "there is none; see config.example.toml", ExitCode.INPUT)]))
    for name in names:
        try:
            origin = build(name, settings.sources[name])
        except AnomscanError as error:
            say(f"source {name}", iter([CheckResult("settings", str(error), error.exit_code)]))
            continue
        say(f"source {name}", check(origin, now))
    say("store", _store(settings))
    say("detectors", _detectors(settings, session.console))
    return verdict(findings)


def _store(settings: Settings) -> Iterator[CheckResult]:
    from anomscan.jobs.expecting import stale
    from anomscan.sources.checkup import CheckResult
    from anomscan.store.store import Store

    path = settings.store.path
    if isinstance(path, Path) and not path.exists():
        yield CheckResult("path", f"{path} does not exist yet; anomscan fetch creates it")
        return
    try:
        store = Store.create(path) if isinstance(path, Path) else Store(path)
        if not store.sources():
            # A first fetch that failed leaves it so.
            filled = "run anomscan fetch" if isinstance(path, Path) else "copy a store's folder there"
            yield CheckResult("path", f"{path} is still empty; {filled}")
        for name in store.sources():
            ends = store.last_timestamps(name)
            newest = f", the newest sample from {store.layout(name).cadence.text(max(ends.values()))}" if ends else ""
            yield CheckResult(name, f"{counted(len(ends), 'asset')}{newest}")
            if ends and name in settings.sources:
                cadence = store.layout(name).cadence
                old = stale(name, settings.sources[name], cadence, max(ends.values()))
                if old is not None:
                    yield CheckResult(name, old)
    except (StoreError, ServiceError) as error:
        yield CheckResult("path", str(error), error.exit_code)


def _detectors(settings: Settings, console: TerminalConsole) -> Iterator[CheckResult]:
    from anomscan.detectors.kernel import describe
    from anomscan.detectors.registry import kind_of, opened
    from anomscan.sources.checkup import CheckResult
    from anomscan.telemetry.cadence import instant_text

    for name, chosen in settings.detectors.items():
        if (reason := kind_of(chosen).missing(chosen)) is not None:
            yield CheckResult(name, reason)
            continue
        try:
            with opened(name, chosen, console.warn) as detector:
                known = None if detector.capabilities.retrospective else detector.trained_through
        except AnomscanError as error:
            yield CheckResult(name, str(error), error.exit_code)
            continue
        yield CheckResult(name, "ready" if known is None else f"ready, trained through {instant_text(known)}")
    yield CheckResult("kernel", describe())
