"""``anomscan inject``: what a set-up would catch, and what it will miss."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from anomscan.cli.options import (
    AsOfOption,
    AssetOption,
    CutoffsOption,
    DetectorsOption,
    FormatOption,
    OutputOption,
    SeedOption,
    SourceOption,
    ThroughOption,
    TrialsOption,
    ViewsOption,
    WorkersOption,
)
from anomscan.cli.session import session_of
from anomscan.errors import ExitCode
from anomscan.wording import counted


def inject(
    context: typer.Context,
    asset: AssetOption = None,
    source: SourceOption = None,
    detector: DetectorsOption = None,
    view: ViewsOption = None,
    cutoff: CutoffsOption = None,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="KIND", help="Kind of fault, such as jump or drift; may be repeated."),
    ] = None,
    trials: TrialsOption = 30,
    seed: SeedOption = 0,
    labels: Annotated[
        str | None,
        typer.Option("--labels", metavar="CSV|ledger", help="Known bad spans, where no fault is put; as for compare."),
    ] = None,
    as_of: AsOfOption = None,
    through: ThroughOption = None,
    output: OutputOption = None,
    format_: FormatOption = None,
    workers: WorkersOption = None,
) -> int:
    """Put made-up faults into copies of calm history, and tell which of them would be caught.

    By default the detector of the settings is tried, with its view and cut-off.
    Jumps, drifts, stuck values and others, of several sizes, in calm places of your own assets; the store stays as it
    is. It tells how many are caught, how late, and the smallest that are caught nine times of ten.
    """
    session = session_of(context)
    loaded, console = session.load(), session.console

    from anomscan.config import files_named
    from anomscan.jobs.engines import Threads
    from anomscan.jobs.inject import inject
    from anomscan.jobs.job import Job
    from anomscan.jobs.labels import label_files, read_labels
    from anomscan.jobs.outputs import check_text_outputs, file_of, write_text
    from anomscan.jobs.setups import Choice
    from anomscan.reports import injections

    output = file_of(output, format_)
    settings = loaded.settings
    check_text_outputs(settings, {"-o": output}, [*files_named(loaded), *label_files(labels)])
    job = Job(schema=injections.SCHEMA, whole=False, assets=asset or None, source=source, as_of=as_of, through=through)
    choice = Choice(detector or (), view or (), cutoff or (), configured=True)
    known = None if labels is None else read_labels(settings, source, labels)
    found = inject(settings, job, choice, known, Threads(workers), console, trials=trials, seed=seed, kinds=fault or ())
    if output is not None:
        write_text(output, "".join(injections.lines(found.setups, found.found)))
    elif format_ == "table" or (format_ is None and sys.stdout.isatty()):
        console.table("", injections.HEADERS, injections.rows(found.setups, found.found), data=True)
    else:
        sys.stdout.writelines(injections.lines(found.setups, found.found))
    lacking = f"; {counted(found.unplaced, 'fault')} found no calm place" if found.unplaced else ""
    console.info(f"made-up faults in copies of {counted(found.assets, 'asset')}, seed {seed}{lacking}")
    for setup, each in zip(found.setups, found.found, strict=True):
        for sentence in injections.words(setup, each):
            console.info(sentence)
    return ExitCode.DONE
