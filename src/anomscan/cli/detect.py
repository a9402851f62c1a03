"""``anomscan detect``: score a history once, with one cut-off over all its scores."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from anomscan.cli.options import (
    AsOfOption,
    DaysOption,
    DetectorOption,
    FormatOption,
    FromOption,
    OutputOption,
    OverwriteOption,
    RecordOption,
    ReplayOption,
    SourceOption,
    ToOption,
)
from anomscan.cli.session import session_of


def detect(
    context: typer.Context,
    asset: Annotated[list[str], typer.Option("--asset", metavar="ID", help="Asset; may be repeated.")],
    source: SourceOption = None,
    detector: DetectorOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    days: DaysOption = None,
    as_of: AsOfOption = None,
    min_severity: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            min=0.0,
            max=1.0,
            help="Keep anomalies with a severity above X; azure: by default 1 - sensitivity.",
        ),
    ] = None,
    output: OutputOption = None,
    overwrite: OverwriteOption = False,
    format_: FormatOption = None,
    record: RecordOption = None,
    replay: ReplayOption = None,
) -> int:
    """Score an asset's stored history once, with one cut-off over all its scores.

    With azure, anomalies are what the service calls so, as far as severe enough. --from, --to and --days choose the
    days reported.
    """
    session = session_of(context)
    loaded = session.load()
    settings = loaded.settings

    from anomscan.cli.findings import show_records, show_tally
    from anomscan.config import files_named
    from anomscan.jobs.engines import Threads
    from anomscan.jobs.job import Job, remedies
    from anomscan.jobs.scan import Delivery, deliver
    from anomscan.reports.records import DETECT_SCHEMA

    job = Job(
        schema=DETECT_SCHEMA,
        whole=True,
        assets=asset,
        source=source,
        detector=detector,
        start=from_,
        end=to,
        days=days,
        as_of=as_of,
        record=record,
        replay=replay,
        min_severity=min_severity,
    )
    console = session.console
    delivery = Delivery(output=output, format=format_, overwrite=overwrite, reads=files_named(loaded))
    tally = deliver(settings, job, Threads(1), console, delivery, partial(show_records, console, format_))
    show_tally(console, tally, remedies(settings, job))
    return tally.code()
