"""The use case behind ``scan`` and ``detect``: do a run and put its records where they were asked for."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from anomscan.detectors.kind import Console
from anomscan.errors import ConfigError, OutputError, ProofError
from anomscan.jobs.outputs import check_names, file_of, local_path, refuse_inputs
from anomscan.reports.output import is_remote, output_file
from anomscan.wording import counted

if TYPE_CHECKING:
    from anomscan.config import Settings
    from anomscan.incidents.ledger_file import LedgerFile
    from anomscan.jobs.checkpoint import Checkpoint
    from anomscan.jobs.engines import Engine
    from anomscan.jobs.job import Job
    from anomscan.jobs.run import Run
    from anomscan.jobs.tally import Tally
    from anomscan.reports.results import EncodedRecord


#: How long to wait for another run, or a person, that writes the ledger: each does for a moment only.
LEDGER_WAIT_S = 60.0


class ScanConsole(Console, Protocol):
    """Where a run says what it does and how far it is."""

    def progress(
        self, what: str, total: int | None, *, unit: str = "assets"
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Show what is done; the block is given a function to call with each number of steps."""

    def scanning(self, total: int, before: Tally) -> AbstractContextManager[Callable[[Tally], None]]:
        """Show what a run has done; the block is given a function to call with what was done since the last call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Where the records of a run go, and how.

    Parameters
    ----------
    output
        As ``-o`` says it; None for standard output.
    format
        None for a table on a terminal, else JSON lines.
    overwrite
        Whether objects at a URL may be replaced.
    resume
        Whether what an interrupted run has finished is taken over.
    lock_timeout_s
        How long to wait for another run that writes the same output.
    prove
        Whether a sample of the verdicts is proved before anything is delivered.
    ledger
        Whether the ledger learns of the run; else its incidents only get the ids that the ledger knows.
    reads
        What must not be overwritten beside the store and the sources' files: what each file is, and its path.
    """

    output: str | None = None
    format: Literal["jsonl", "table"] | None = None
    overwrite: bool = False
    resume: bool = False
    lock_timeout_s: float = 0.0
    prove: bool = False
    ledger: bool = False
    reads: Sequence[tuple[str, Path]] = ()


def deliver(
    settings: Settings,
    job: Job,
    engine: Engine,
    console: ScanConsole,
    delivery: Delivery,
    show: Callable[[Iterable[EncodedRecord], Tally], None],
) -> Tally:
    """Do a job and put its records where they were asked for.

    Parameters
    ----------
    show
        Called with the records where they go to standard output.

    Raises
    ------
    ConfigError
        If what was asked for makes no sense.
    InputError
        If the ledger cannot be used.
    LockedError
        If another run writes the same output, or the ledger.
    OutputError
        If the output cannot be written; the old file stays.
    ProofError
        If a verdict does not stand up; the old file stays.
    AnomscanError
        If no asset can be scanned at all.
    """
    from anomscan.detectors.registry import opened
    from anomscan.incidents.ledger_file import LedgerFile
    from anomscan.jobs.checkpoint import Checkpoint
    from anomscan.jobs.expecting import stale_run
    from anomscan.jobs.job import samples_to_false
    from anomscan.jobs.labels import labelled
    from anomscan.jobs.run import Run
    from anomscan.jobs.views import tell_of_peers
    from anomscan.reports.results import write_results
    from anomscan.store.store import Store

    started = datetime.now(UTC)
    place = _place(job, delivery)
    _check_writes(place, settings, job, delivery)
    source, _ = settings.source(job.source)
    name, chosen = settings.detector(job.detector)
    store = Store.open(settings.store.path)
    memory = None if job.whole else LedgerFile(settings.incidents.path)
    if memory is not None and not memory.exists() and not delivery.ledger:
        memory = None
    # A ledger that cannot be used is told before the work.
    said = [] if memory is None else labelled(memory.read(), source)
    kept = None if place is None else _checkpoint_path(place)
    with (
        _locked(place, delivery.lock_timeout_s),
        opened(name, chosen, console.warn, record=job.record, replay=job.replay) as detector,
        _opened(place, console, delivery) as path,
    ):
        # Only now: another run's end may have been waited for.
        run = Run.of(settings, job, store.snapshot(source), detector, said)
        if run.work.cohorts is not None:
            tell_of_peers(console, run.work.cohorts, chosen, run.work.backtest.detector, run.cut.assets)
        # A result does not say whether it was proved: what is to be proved is scanned again.
        again = delivery.prove or delivery.ledger  # nor whether the ledger knows it
        done = _complete(place, run) if place is not None and delivery.resume and not again else None
        if done is not None:
            with suppress(OutputError), Checkpoint(kept, run.key, ()) as checkpoint:
                checkpoint.remove()  # its run was killed at the very end
            console.info(f"{place} is the result of this very run: nothing is left to do")
            return done
        columns = run.work.columns
        with Checkpoint(kept, run.key, columns, resume=delivery.resume) as checkpoint:
            with _telling(console, checkpoint, run.assets, kept):
                with console.scanning(run.assets, checkpoint.tally()) as watch, engine:
                    run.go(engine, checkpoint, watch)
                if delivery.prove:
                    _prove(console, run, checkpoint)
                tally = checkpoint.tally()
                tally.stale = stale_run(settings, job, run.work.snapshot) or ""
                tally.allow_for_false(
                    samples_to_false(run.work.backtest.rules, chosen, run.work.snapshot.layout.cadence.step_us)
                )
                results = checkpoint.results
                if memory is not None:
                    results = _remembered(settings, job, run, checkpoint, tally, memory, console, delivery)
                if path is not None:
                    write_results(path, results(), run.report(tally, started), columns=columns)
                else:
                    show(results(), tally)
            checkpoint.remove()
    return tally


def _remembered(
    settings: Settings,
    job: Job,
    run: Run,
    checkpoint: Checkpoint,
    tally: Tally,
    memory: LedgerFile,
    console: ScanConsole,
    delivery: Delivery,
) -> Callable[[], Iterator[EncodedRecord]]:
    """The results with the ids of their incidents.

    The ledger is written before the results: no file names an id that it does not have, and a run that is killed
    between the two gives the same ledger again.
    """
    from anomscan.incidents.nights import fold
    from anomscan.incidents.notify.outbox import post
    from anomscan.jobs.remembering import (
        Remembered,
        keep,
        night_of,
        seen_of,
        snoozes_that_end,
        summary,
        with_archive,
        with_ids,
    )

    night = night_of(settings, job, run)
    if delivery.ledger:
        with memory.held(max(delivery.lock_timeout_s, LEDGER_WAIT_S)):
            ledger = with_archive(alone := memory.read(), settings, night, run)
            folded = fold(ledger, night, seen_of(settings, job, run, ledger, checkpoint.results()))
            # With the states that they tell of: none is lost, whatever happens before they are told.
            after = post(ledger, folded.ledger, folded.changes, night.end, settings.notify)
            keep(memory, after, settings, night, whole=ledger is not alone)
        told = Remembered.of(folded)
        console.info(summary(folded, night))
        if ending := snoozes_that_end(folded.ledger.entries.values()):
            console.warn(ending)
    else:
        ledger = with_archive(memory.read(), settings, night, run)
        told = Remembered.read(ledger, night, seen_of(settings, job, run, ledger, checkpoint.results()))
    told.count(
        tally,
        checkpoint.results(),
        written=delivery.ledger,
        direction=settings.scan.direction,
        excused=run.work.excused,
    )
    return lambda: with_ids(checkpoint.results(), told.ids)


def _place(job: Job, delivery: Delivery) -> Path | None:
    """The local file to write; None if the output is something else.

    Raises
    ------
    ConfigError, OutputError
        If it cannot be.
    """
    from anomscan.storage.durable import file_mode, output_errors

    output = file_of(delivery.output, delivery.format)
    place = None if output is None or is_remote(output) else Path(output)
    if place is not None:
        place = local_path(place)
    if place is not None and not place.parent.is_dir():
        raise OutputError(f"{output} cannot be written: there is no folder {place.parent}")
    if place is not None:
        with output_errors(place):
            mode = file_mode(place)
        if stat.S_ISDIR(mode):
            raise OutputError(f"{output} cannot be written: it is a folder", hint="name a file in it")
        if not stat.S_ISREG(mode):
            place = None  # a device or a pipe, beside which nothing is kept
    if delivery.resume and job.record is not None:
        raise ConfigError(
            "--resume and --record exclude each other", hint="a recording has all that a run asks: leave out --resume"
        )
    if delivery.resume and place is None:
        raise ConfigError("--resume needs a file to resume", hint="name it with -o FILE")
    return place


def _check_writes(place: Path | None, settings: Settings, job: Job, delivery: Delivery) -> None:
    """Refuse what could not be written at the end, or would take the place of what is read.

    Raises
    ------
    ConfigError
        If there is something.
    """
    from anomscan.reports.results import run_path, scores_path

    reads = [*delivery.reads, *([("the recording to replay", job.replay)] if job.replay is not None else [])]
    reads.append(("the ledger", settings.incidents.path / "ledger.jsonl"))
    writes = []
    if place is not None:
        writes = [place, scores_path(place), run_path(place), _lock_path(place), _checkpoint_path(place)]
        check_names("-o", writes)
        refuse_inputs("-o", writes, settings, reads)
    if job.record is not None:
        own = [(f"what -o writes ({path.name})", path) for path in writes]
        check_names("--record", [job.record])
        refuse_inputs("--record", [job.record], settings, [*reads, *own])


@contextmanager
def _opened(place: Path | None, console: Console, delivery: Delivery) -> Iterator[Path | None]:
    """The file to write: the local one, one that is published when the block ends well, or none."""
    from anomscan.reports.results import run_path, scores_path

    if place is not None:
        yield place
        return
    with output_file(delivery.output, "results.jsonl", console.info, overwrite=delivery.overwrite) as path:
        if path is not None:
            check_names("-o", [path, scores_path(path), run_path(path)])
        yield path


def _lock_path(place: Path) -> Path:
    return place.with_name(place.name + ".lock")


def _checkpoint_path(place: Path) -> Path:
    return place.with_name(place.name + ".parts")


@contextmanager
def _locked(place: Path | None, timeout_s: float) -> Iterator[None]:
    """Be the only run that writes an output."""
    from anomscan.storage.lock import hold

    lock = nullcontext() if place is None else hold(_lock_path(place), str(place), timeout_s=timeout_s, remove=True)
    with lock:
        yield


@contextmanager
def _telling(console: ScanConsole, checkpoint: Checkpoint, assets: int, kept: Path | None) -> Iterator[None]:
    """Say what is kept of a run that is cut short."""
    resumed = checkpoint.tally().assets
    if resumed:
        console.info(f"{resumed:,} of {counted(assets, 'asset')} finished by the run before")
    try:
        yield
    except ProofError:
        checkpoint.remove()
        raise
    except BaseException:
        finished = checkpoint.tally().assets
        if kept is not None and finished:
            console.warn(
                f"{finished:,} of {counted(assets, 'asset')} finished and kept in {kept}: "
                "the same command goes on with --resume"
            )
        raise


def _prove(console: ScanConsole, run: Run, checkpoint: Checkpoint) -> None:
    """Prove a sample of the verdicts of a run, and say of what.

    Raises
    ------
    ProofError
        If one does not stand up.
    """
    from anomscan.jobs.proving import prove
    from anomscan.jobs.sampling import SAMPLE, draw, of_few_days

    seed = int(run.key[:8], 16)
    claims = draw(checkpoint.results(), SAMPLE, seed)
    if run.work.cohorts is not None:
        claims = of_few_days(claims)
    if not claims:
        console.warn("--prove: no day was judged, so nothing is proved")
        return
    with console.progress("proving", len(claims), unit="verdicts") as advance:
        proof = prove(run.work, claims, advance)
    console.info(
        f"proved {counted(proof.verdicts, 'verdict')} of {counted(proof.assets, 'asset')}, "
        f"{proof.anomalous:,} of them anomalous, from the rows before them alone (seed {seed})",
        **asdict(proof),
        seed=seed,
    )
    if proof.in_sample:
        console.info(
            f"{proof.in_sample:,} of these are in_sample: the model has learnt from their days, which this cannot undo"
        )


def _complete(place: Path, run: Run) -> Tally | None:
    """What the file amounts to, if it is the whole result of a run and as that run wrote it."""
    from anomscan.jobs.tally import Tally
    from anomscan.reports.records import read_records
    from anomscan.reports.results import is_result_of

    if not is_result_of(place, run.key):
        return None
    tally = Tally()
    for record in read_records(place):
        tally.add(record, direction=run.work.joining.direction, excused=run.work.excused)
    tally.shorten()
    return tally
