"""``anomscan tune``: choose a set-up within a budget of incidents."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from anomscan.cli.options import (
    AsOfOption,
    AssetOption,
    CutoffsOption,
    DetectorsOption,
    FromOption,
    OutputOption,
    SeedOption,
    SourceOption,
    ThroughOption,
    ToOption,
    TrialsOption,
    ViewsOption,
    WorkersOption,
)
from anomscan.cli.session import session_of
from anomscan.errors import ExitCode


def tune(
    context: typer.Context,
    alerts: Annotated[
        float,
        typer.Option("--alerts", metavar="N", help="How many incidents a week of the whole fleet you would look at."),
    ],
    asset: AssetOption = None,
    source: SourceOption = None,
    detector: DetectorsOption = None,
    view: ViewsOption = None,
    cutoff: CutoffsOption = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels", metavar="CSV|ledger", help="Known bad spans, as for compare; else faults are made up."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split", metavar="D", help="First day held out; by default six tenths of the history lie before it."
        ),
    ] = None,
    trials: TrialsOption = 30,
    seed: SeedOption = 0,
    from_: FromOption = None,
    to: ToOption = None,
    as_of: AsOfOption = None,
    through: ThroughOption = None,
    output: OutputOption = None,
    workers: WorkersOption = None,
) -> int:
    """Choose a detector and a cut-off on the first part of history, and try them on the rest.

    The one that catches most within the budget is chosen, with its view. What it is worth is told from days that had no
    say. The settings for it are written as TOML, to be copied into yours.
    """
    session = session_of(context)
    loaded, console = session.load(), session.console

    from anomscan.config import files_named
    from anomscan.jobs.compare import Asked
    from anomscan.jobs.engines import Threads
    from anomscan.jobs.job import Job
    from anomscan.jobs.labels import label_files, read_labels
    from anomscan.jobs.outputs import check_text_outputs, file_of, write_text
    from anomscan.jobs.tune import settings_for, tune
    from anomscan.reports import comparisons, tunings
    from anomscan.telemetry.cadence import Cadence

    path = file_of(output, None)
    settings = loaded.settings
    check_text_outputs(settings, {"-o": path}, [*files_named(loaded), *label_files(labels)])
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
    found = tune(settings, asked, known, Threads(workers), console, split=split, trials=trials, seed=seed)
    cadence = Cadence.parse(settings.source(source)[1].cadence)
    told = list(tunings.summary(found, cadence))
    for sentence in told:
        console.info(sentence)
    text = "".join(f"# {sentence}\n" for sentence in told) + settings_for(found.chosen, settings)
    if path is None:
        sys.stdout.write(text)
    else:
        write_text(path, text)
    return ExitCode.DONE
