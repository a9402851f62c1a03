"""``anomscan compare``: which detector, which threshold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from anomscan.cli.options import (
    AsOfOption,
    AssetOption,
    CutoffsOption,
    DetectorsOption,
    FormatOption,
    FromOption,
    OutputOption,
    SeedOption,
    SourceOption,
    ThroughOption,
    ToOption,
    ViewsOption,
    WorkersOption,
)
from anomscan.cli.session import session_of
from anomscan.errors import ExitCode


def compare(
    context: typer.Context,
    asset: AssetOption = None,
    source: SourceOption = None,
    detector: DetectorsOption = None,
    view: ViewsOption = None,
    cutoff: CutoffsOption = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels", metavar="CSV|ledger", help="Known bad spans (asset,from,to), or the labels in the ledger."
        ),
    ] = None,
    alerts: Annotated[
        float | None,
        typer.Option("--alerts", metavar="N", help="How many incidents a week of the whole fleet you would look at."),
    ] = None,
    faults: Annotated[
        int | None,
        typer.Option(
            "--faults",
            metavar="N",
            min=1,
            max=1000,
            help="Also try N made-up faults of each kind and size, as inject does: what would each miss?",
        ),
    ] = None,
    seed: SeedOption = 0,
    from_: FromOption = None,
    to: ToOption = None,
    as_of: AsOfOption = None,
    through: ThroughOption = None,
    output: OutputOption = None,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE.html", help="Write one self-contained page, too.")
    ] = None,
    format_: FormatOption = None,
    workers: WorkersOption = None,
) -> int:
    """Try detectors, views and cut-offs on the same history, side by side.

    By default all detectors that score here are tried, with both views where no model is needed.
    Each detector scores the history once; cut-offs are tried on the scores. With labels, each figure stands beside what
    chance would give.
    """
    session = session_of(context)
    loaded, console = session.load(), session.console

    from anomscan.config import files_named
    from anomscan.jobs.compare import Asked, compare
    from anomscan.jobs.engines import Threads
    from anomscan.jobs.inject import caught_by
    from anomscan.jobs.job import Job
    from anomscan.jobs.labels import label_files, read_labels
    from anomscan.jobs.outputs import check_text_outputs, file_of, write_text
    from anomscan.reports import comparisons, injections
    from anomscan.telemetry.cadence import Cadence

    output = file_of(output, format_)
    settings = loaded.settings
    check_text_outputs(settings, {"-o": output, "--page": page}, [*files_named(loaded), *label_files(labels)])
    job = Job(
        schema=comparisons.SCHEMA,
        whole=False,
        assets=asset or None,
        source=source,
        start=from_,
        end=to,
        as_of=as_of,
        through=through,
    )
    asked = Asked(job=job, detectors=detector or (), views=view or (), cutoffs=cutoff or (), alerts=alerts)
    known = None if labels is None else read_labels(settings, source, labels)
    found = compare(settings, asked, known, Threads(workers), console)
    caught = (
        {}
        if faults is None
        else caught_by(settings, asked, found, known, Threads(workers), console, trials=faults, seed=seed)
    )
    cadence = Cadence.parse(settings.source(source)[1].cadence)
    lines = comparisons.lines(found, {name: injections.faults_of(each) for name, each in caught.items()})
    if output is not None:
        write_text(output, "".join(lines))
    elif format_ == "table" or (format_ is None and sys.stdout.isatty()):
        console.table("", *comparisons.table(found), data=True)
    else:
        sys.stdout.writelines(lines)
    if page is not None:
        smallest = {name: injections.smallest(each) for name, each in caught.items()}
        write_text(page, comparisons.page(found, cadence, "Which detector, which cut-off", smallest))
    for sentence in comparisons.summary(found, cadence):
        console.info(sentence)
    return ExitCode.ASSETS_FAILED if any(row.failed for row in found.rows) else ExitCode.DONE
