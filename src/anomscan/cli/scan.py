"""``anomscan scan``: backtest a detector over the stored history."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from anomscan.cli.options import (
    AsOfOption,
    AssetOption,
    DaysOption,
    DetectorOption,
    FromOption,
    OutputOption,
    OverwriteOption,
    RecordOption,
    ReplayOption,
    SourceOption,
    ToOption,
)
from anomscan.cli.session import session_of
from anomscan.errors import ConfigError


def scan(
    context: typer.Context,
    asset: AssetOption = None,
    all_assets: Annotated[bool, typer.Option("--all", help="Every asset in the store.")] = False,
    source: SourceOption = None,
    detector: DetectorOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    days: DaysOption = None,
    as_of: AsOfOption = None,
    window: Annotated[int | None, typer.Option(metavar="N", help="Samples of the sliding window.")] = None,
    shingle: Annotated[int | None, typer.Option(metavar="N", help="Samples of a shingle.")] = None,
    sigma: Annotated[float | None, typer.Option(metavar="K", help="Std above the mean that make an anomaly.")] = None,
    output: OutputOption = None,
    overwrite: OverwriteOption = False,
    format_: Annotated[
        Literal["jsonl", "table"] | None,
        typer.Option("--format", help="By default a table on a terminal, else JSON lines."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Threads; by default the CPUs this process may use.")
    ] = None,
    fail_on: Annotated[
        Literal["any"] | None, typer.Option("--fail-on", help="Exit with 3 if any day is anomalous.")
    ] = None,
    record: RecordOption = None,
    replay: ReplayOption = None,
) -> int:
    """Judge each day of the stored history by what was known on it.

    Each day's score is held against mean + 4 std of its window; anomalous days are merged into spans. --from, --to and
    --days choose the days reported; earlier history still fills the windows.
    """
    if bool(asset) == all_assets:
        raise ConfigError("say which assets: --asset ID (may be repeated) or --all, one of them")
    session = session_of(context)
    flags: dict[tuple[str, ...], object] = {
        ("scan", "window"): window,
        ("scan", "shingle"): shingle,
        ("scan", "sigma"): sigma,
    }
    settings = session.load(flags).settings

    from anomscan.backtest.engines import Threads
    from anomscan.cli.running import Job, deliver
    from anomscan.reports.records import SCAN_SCHEMA

    job = Job(SCAN_SCHEMA, False, asset or None, source, detector, from_, to, days, as_of, record, replay)
    tally = deliver(settings, job, Threads(workers), session.console, output, format_, overwrite=overwrite)
    return tally.code(fail_on_findings=fail_on is not None)
