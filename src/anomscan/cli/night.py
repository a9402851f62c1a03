"""``anomscan night``: everything that is done each night, in one command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomscan.cli.options import DetectorOption, SourceOption, WorkersOption
from anomscan.cli.session import session_of
from anomscan.errors import AnomscanError, ExitCode, LockedError, OutputError, worst

if TYPE_CHECKING:
    import numpy as np

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
        float, typer.Option(metavar="S", min=0.0, help="Seconds to wait for another night that is not over.")
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
        typer.Option("--prometheus", metavar="FILE", help="Write what monitors want to know; ends in .prom."),
    ] = None,
) -> int:
    """Fetch, scan what is new since the last night, remember incidents in the ledger, report and notify.

    A step that fails is told, and the others go on with what there is. FOLDER gets a file of results for each night,
    named by the day, and the report of the newest in FOLDER/report.
    """
    from anomscan.jobs.fail_on import FailOn

    conditions = FailOn.parse(fail_on)
    session = session_of(context)
    loaded, console = session.load(), session.console
    name, _ = loaded.settings.source(source)
    loaded.settings.detector(detector)

    from anomscan.cli.fetch import fetch_source
    from anomscan.jobs.fetch.requests import current_time
    from anomscan.jobs.notify import send
    from anomscan.jobs.outputs import local_path
    from anomscan.storage import lock
    from anomscan.storage.durable import output_errors

    started = current_time()
    folder = local_path(output)
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with lock.hold(folder / "night.lock", f"the nights in {folder}", timeout_s=lock_timeout):
        fetched = _step(console, "fetch", partial(fetch_source, console, loaded.settings, name))
        scanned = _step(console, "scan", partial(_scan, console, loaded, name, detector, folder, workers, conditions))
        put = _step(console, "archive", partial(_put_away, loaded.settings, folder))
        told = _step(console, "notify", partial(send, loaded.settings, console, dry_run=dry_run))
        code = worst([fetched, scanned, put, told])
        if prometheus is not None:
            path = local_path(prometheus)
            measured = _step(console, "prometheus", partial(_write_metrics, loaded.settings, path, started, code))
            code = worst([code, measured])
    return code


def _put_away(settings: Settings, folder: Path) -> ExitCode:
    """Move nights of long ago out of the way."""
    from datetime import UTC, datetime

    from anomscan.jobs.old_nights import put_away

    put_away(folder, settings, datetime.now(UTC).date())
    return ExitCode.DONE


def _write_metrics(settings: Settings, path: Path, started: np.datetime64, code: ExitCode) -> ExitCode:
    """Put the metrics of the night where node_exporter looks for them."""
    from anomscan.jobs.fetch.requests import current_time
    from anomscan.jobs.monitoring import metrics
    from anomscan.storage.durable import replace_file

    text = metrics(settings, started=started, ended=current_time(), code=code)
    with replace_file(path, follow=False) as file:
        file.write(text.encode())
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
) -> ExitCode:
    """Scan what is new since the ledger's last night, and report it."""
    from datetime import UTC, datetime

    from anomscan.cli.findings import show_tally
    from anomscan.config import files_named
    from anomscan.incidents.ledger_file import LedgerFile
    from anomscan.jobs.engines import Threads
    from anomscan.jobs.job import Job
    from anomscan.jobs.scan import Delivery
    from anomscan.reports.records import SCAN_SCHEMA

    settings = loaded.settings
    memory = LedgerFile(settings.incidents.path)
    last = memory.read().nights.get((source, settings.detector(detector)[0])) if memory.exists() else None
    results = folder / f"{datetime.now(UTC).date()}.jsonl"
    job = Job(schema=SCAN_SCHEMA, whole=False, assets=None, source=source, detector=detector, start=last)
    delivery = Delivery(output=str(results), ledger=True, reads=files_named(loaded))
    tally, remembered = _delivered(console, settings, job, Threads(workers), delivery)
    codes = [remembered, tally.code(fails=conditions.met(tally)), *([ExitCode.ASSETS_FAILED] if tally.stale else [])]
    if tally.stale:
        # For a scan of old data it is a remark; a night fails for it.
        console.warn(tally.stale)
        tally.stale = ""
    show_tally(console, tally, window=settings.scan.window)
    return worst([*codes, _step(console, "report", partial(_report, console, loaded, results, folder / "report"))])


def _delivered(
    console: TerminalConsole, settings: Settings, job: Job, engine: Engine, delivery: Delivery
) -> tuple[Tally, ExitCode]:
    """The results of a scan, be it that the ledger cannot be written; and what became of that."""
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
