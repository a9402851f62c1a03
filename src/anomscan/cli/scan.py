"""``anomscan scan``: backtest a detector over the stored history."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from anomscan.cli.options import (
    AsOfOption,
    AssetOption,
    DaysOption,
    DetectorOption,
    FormatOption,
    FromOption,
    OutputOption,
    OverwriteOption,
    RecordOption,
    ReplayOption,
    SourceOption,
    ThroughOption,
    ToOption,
    WorkersOption,
)
from anomscan.cli.session import session_of
from anomscan.errors import ConfigError

if TYPE_CHECKING:
    from anomscan.jobs.engines import Engine


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
    through: ThroughOption = None,
    window: Annotated[int | None, typer.Option(metavar="N", help="Length of the sliding window, in samples.")] = None,
    shingle: Annotated[int | None, typer.Option(metavar="N", help="Length of a shingle, in samples.")] = None,
    sigma: Annotated[
        float | None, typer.Option(metavar="K", help="Standard deviations above the mean that make an anomaly.")
    ] = None,
    output: OutputOption = None,
    overwrite: OverwriteOption = False,
    format_: FormatOption = None,
    workers: WorkersOption = None,
    engine: Annotated[
        Literal["threads", "ray"], typer.Option(help="What runs the work: threads here, or a Ray cluster.")
    ] = "threads",
    address: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Cluster: ray://HOST:PORT or auto; by default one is started for this run."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run with the same -o.")] = False,
    rescore: Annotated[bool, typer.Option("--rescore", help="Score everything again and ignore kept scores.")] = False,
    lock_timeout: Annotated[
        float, typer.Option(metavar="S", min=0.0, help="Seconds to wait for another run that writes the same output.")
    ] = 0.0,
    prove: Annotated[
        bool, typer.Option("--prove", help="Recompute some verdicts from only what was known on their days.")
    ] = False,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Take the run into the ledger of incidents: who is new, ongoing, over.")
    ] = False,
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on",
            metavar="LIST",
            help="Exit with 3 on any of: any (an anomalous day), incident (an open one), new, silent, stale, sigma:5, "
            "severity:0.9.",
        ),
    ] = None,
    retrospective: Annotated[
        bool,
        typer.Option("--retrospective", help="Let a detector look at what came later; anomalies are marked in_sample."),
    ] = False,
    record: RecordOption = None,
    replay: ReplayOption = None,
) -> int:
    """Judge each day of the stored history by what was known on it.

    Each day's score is compared with mean + 4 std of its window; anomalous days are merged into spans. --from, --to and
    --days choose the days reported; earlier history still fills the windows.
    """
    from anomscan.jobs.fail_on import FailOn

    conditions = FailOn.parse(fail_on)
    if bool(asset) == all_assets:
        raise ConfigError("which assets? give either --asset ID (may be repeated) or --all")
    if ledger and to is not None:
        raise ConfigError("--ledger tells what is so at the run's end: it takes no --to", hint="--through D ends a run")
    if retrospective and (prove or ledger):
        raise ConfigError(
            f"--{'prove' if prove else 'ledger'} tells what was known on a day, --retrospective what came out later",
            hint="leave out one of them",
        )
    session = session_of(context)
    if address is not None and engine != "ray":
        raise ConfigError("--address is for --engine ray")
    flags: dict[tuple[str, ...], object] = {
        ("scan", "window"): window,
        ("scan", "shingle"): shingle,
        ("scan", "sigma"): sigma,
    }
    loaded = session.load(flags)
    settings = loaded.settings
    name, chosen = settings.detector(detector)

    from anomscan.detectors.registry import kind_of

    if engine == "ray" and kind_of(chosen).remote:
        raise ConfigError(
            f"detector '{name}' waits for a service, which threads do just as well", hint="leave out --engine ray"
        )

    from anomscan.cli.findings import show_records, show_tally
    from anomscan.config import files_named
    from anomscan.jobs.job import Job, remedies
    from anomscan.jobs.scan import Delivery, deliver
    from anomscan.reports.records import SCAN_SCHEMA

    job = Job(
        schema=SCAN_SCHEMA,
        whole=False,
        assets=asset or None,
        source=source,
        detector=detector,
        start=from_,
        end=to,
        days=days,
        as_of=as_of,
        through=through,
        record=record,
        replay=replay,
        rescore=rescore,
        retrospective=retrospective,
    )
    delivery = Delivery(
        output=output,
        format=format_,
        overwrite=overwrite,
        resume=resume,
        lock_timeout_s=lock_timeout,
        prove=prove,
        ledger=ledger,
        reads=files_named(loaded),
    )
    console = session.console
    show = partial(show_records, console, format_)
    tally = deliver(settings, job, _engine(engine, workers, address), console, delivery, show)
    show_tally(console, tally, remedies(settings, job))
    return tally.code(fails=conditions.met(tally))


def _engine(name: Literal["threads", "ray"], workers: int | None, address: str | None) -> Engine:
    if name == "threads":
        from anomscan.jobs.engines import Threads

        return Threads(workers)
    from anomscan.jobs.engines.cluster import Ray

    return Ray(workers, address)
