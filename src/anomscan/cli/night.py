"""``anomscan night``: everything that is done each night, in one command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomscan.cli.interrupts import Interrupted
from anomscan.cli.options import DetectorOption, SourceOption, WorkersOption
from anomscan.cli.session import session_of
from anomscan.errors import (
    AnomscanError,
    ExitCode,
    LockedError,
    MissingFilesError,
    OutputError,
    ServiceError,
    worst,
)

if TYPE_CHECKING:
    from anomscan.cli.console import TerminalConsole
    from anomscan.config import Loaded, Settings
    from anomscan.jobs.engines import Engine
    from anomscan.jobs.fail_on import FailOn
    from anomscan.jobs.job import Job
    from anomscan.jobs.scan import Delivery
    from anomscan.jobs.tally import Tally


def night(
    context: typer.Context,
    source: SourceOption = None,
    detector: DetectorOption = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where the nights' results and the report are.")
    ] = Path("nights"),
    workers: WorkersOption = None,
    lock_timeout: Annotated[
        float, typer.Option(metavar="S", min=0.0, help="Seconds to wait for another night that is still running.")
    ] = 0.0,
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", metavar="LIST", help="Exit with 3 on any of these, as for scan; such as new,silent."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what [[notify]] would send; it is sent the next night.")
    ] = False,
    prometheus: Annotated[
        Path | None,
        typer.Option("--prometheus", metavar="FILE", help="Write metrics, as [night] prometheus; ends in .prom."),
    ] = None,
) -> int:
    """Fetch, scan what is new since the last night, remember incidents in the ledger, report and notify.

    A step that fails is told, and the others go on with what there is. FOLDER gets a file of results for each night,
    named by the day, and the report of the newest in FOLDER/report.
    """
    from anomscan.config.sections import metrics_file
    from anomscan.jobs.fail_on import FailOn

    session = session_of(context)
    metrics = _Metrics(None if prometheus is None else metrics_file(prometheus))
    with metrics.of_what_ends_early(session.console):
        loaded = session.load()
        metrics.know(loaded.settings)
        conditions = FailOn.parse(fail_on)
        code = _night(session.console, loaded, source, detector, output, workers, lock_timeout, conditions, dry_run)
    return worst([code, metrics.write(session.console, code)])


def _night(
    console: TerminalConsole,
    loaded: Loaded,
    source: str | None,
    detector: str | None,
    output: Path,
    workers: int | None,
    lock_timeout: float,
    conditions: FailOn,
    dry_run: bool,
) -> ExitCode:
    """All steps but the last."""
    name, _ = loaded.settings.source(source)
    loaded.settings.detector(detector)

    from anomscan.jobs.notify import send
    from anomscan.jobs.outputs import local_path
    from anomscan.storage import lock
    from anomscan.storage.durable import output_errors

    folder = local_path(output)
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with lock.hold(folder / "night.lock", f"the nights in {folder}", timeout_s=lock_timeout):
        fetched = _step(console, "fetch", partial(_fetch, console, loaded.settings, name))
        is_down = fetched not in (ExitCode.DONE, ExitCode.ASSETS_FAILED)
        scan = partial(_scan, console, loaded, name, detector, folder, workers, conditions, is_down=is_down)
        scanned = _step(console, "scan", scan)
        put = _step(console, "archive", partial(_put_away, loaded.settings, name, folder))
        told = _step(console, "notify", partial(send, loaded.settings, console, dry_run=dry_run))
        return worst([fetched, scanned, put, told])


class _Metrics:
    """The last step: what monitors want to know, also of a night that ends before its steps are done.

    Parameters
    ----------
    path
        Where to; None for where the settings say, if they do.
    """

    def __init__(self, path: Path | None) -> None:
        from anomscan.jobs.fetch.requests import current_time

        self._path, self._started = path, current_time()
        self._settings: Settings | None = None

    def know(self, settings: Settings) -> None:
        """Take the settings once they are read."""
        self._settings, self._path = settings, self._path or settings.night.prometheus

    @contextmanager
    def of_what_ends_early(self, console: TerminalConsole) -> Iterator[None]:
        """Write them if an exception ends the night, which goes on its way."""
        try:
            yield
        except AnomscanError as error:
            self.write(console, error.exit_code)
            raise
        except Interrupted as error:
            self.write(console, error.code)
            raise
        except Exception:
            self.write(console, ExitCode.BUG)
            raise

    def write(self, console: TerminalConsole, code: ExitCode) -> ExitCode:
        """Put them where node_exporter looks for them, if that is wanted."""
        return _step(console, "prometheus", partial(self._write, code))

    def _write(self, code: ExitCode) -> ExitCode:
        if self._path is None:
            return ExitCode.DONE
        from anomscan.jobs.fetch.requests import current_time
        from anomscan.jobs.monitoring import metrics
        from anomscan.storage.durable import replace_file

        text = metrics(self._settings, started=self._started, ended=current_time(), code=code)
        with replace_file(self._path, follow=False) as file:
            file.write(text.encode())
        return ExitCode.DONE


def _fetch(console: TerminalConsole, settings: Settings, source: str) -> ExitCode:
    """Bring in what is new; files that are gone are told as a database that is away."""
    from anomscan.cli.fetch import fetch_source
    from anomscan.store.store import Store

    try:
        return fetch_source(console, settings, source)
    except MissingFilesError as error:
        if not Store.create(settings.store.path).last_timestamps(source):
            raise
        raise ServiceError(
            error.message, hint="they were there before: moved, or on a disk that is not mounted?"
        ) from None


def _put_away(settings: Settings, source: str, folder: Path) -> ExitCode:
    """Move what nights of long ago have left out of the way."""
    from anomscan.jobs.fetch.requests import current_time
    from anomscan.jobs.old_nights import put_away

    put_away(folder, settings, source, current_time())
    return ExitCode.DONE


def _step(console: TerminalConsole, what: str, do: Callable[[], ExitCode]) -> ExitCode:
    """Do a step; if it fails, tell so and go on."""
    try:
        return do()
    except AnomscanError as error:
        for each in error.parts or (error,):
            console.error(f"{what}: {each}")
        return error.exit_code


def _scan(
    console: TerminalConsole,
    loaded: Loaded,
    source: str,
    detector: str | None,
    folder: Path,
    workers: int | None,
    conditions: FailOn,
    *,
    is_down: bool,
) -> ExitCode:
    """Scan what is new since the ledger's last night, and report it; ``is_down`` says that nothing could be fetched."""
    from datetime import UTC, datetime

    from anomscan.cli.findings import show_tally
    from anomscan.config import files_named
    from anomscan.incidents.ledger_file import LedgerFile
    from anomscan.jobs.engines import Threads
    from anomscan.jobs.job import Job, remedies
    from anomscan.jobs.scan import Delivery
    from anomscan.reports.records import SCAN_SCHEMA

    settings = loaded.settings
    memory = LedgerFile(settings.incidents.path)
    last = memory.read().nights.get((source, settings.detector(detector)[0])) if memory.exists() else None
    results = folder / f"{datetime.now(UTC).date()}.jsonl"
    job = Job(schema=SCAN_SCHEMA, whole=False, assets=None, source=source, detector=detector, start=last)
    delivery = Delivery(output=str(results), ledger=True, reads=files_named(loaded))
    tally, remembered = _delivered(console, settings, job, Threads(workers), delivery)
    if is_down and not tally.stale:
        tally.stale = f"source '{source}' is stale: nothing could be fetched, and this night is of what the store has"
    codes = [remembered, tally.code(fails=conditions.met(tally)), *([ExitCode.ASSETS_FAILED] if tally.stale else [])]
    if tally.stale:
        # For a scan of old data it is a remark; a night fails for it.
        console.warn(tally.stale)
        tally.stale = ""
    show_tally(console, tally, remedies(settings, job))
    return worst([*codes, _step(console, "report", partial(_report, console, loaded, results, folder / "report"))])


def _delivered(
    console: TerminalConsole, settings: Settings, job: Job, engine: Engine, delivery: Delivery
) -> tuple[Tally, ExitCode]:
    """The results of a scan, even if the ledger cannot be written; and what became of that."""
    from anomscan.jobs.scan import deliver

    try:
        return deliver(settings, job, engine, console, delivery, lambda records, tally: None), ExitCode.DONE
    except (OutputError, LockedError) as error:
        # What was scanned is kept, and taken over. If it is the results that cannot be written, this fails as well.
        without = replace(delivery, ledger=False, resume=True)
        tally = deliver(settings, job, engine, console, without, lambda records, tally: None)
        console.error(f"ledger: {error}")
        return tally, error.exit_code


def _report(console: TerminalConsole, loaded: Loaded, results: Path, folder: Path) -> ExitCode:
    """Write the pages of some results."""
    from anomscan.config import files_named
    from anomscan.jobs.report import results_files, write_pages
    from anomscan.reports.records import read_records

    reads = [*files_named(loaded), *results_files(results)]
    index = write_pages(console, loaded.settings, read_records(results), results, folder, reads)
    console.info(f"open {index.resolve()}")
    return ExitCode.DONE
