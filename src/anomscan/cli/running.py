"""What ``scan`` and ``detect`` share: settings to a run over the store, and what a person sees of it."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from anomscan import __version__
from anomscan.cli.console import Console
from anomscan.cli.output import output_file
from anomscan.errors import ConfigError, ExitCode, OutputError, worst

if TYPE_CHECKING:
    from anomscan.backtest.asset import AssetScan
    from anomscan.backtest.engines import Engine
    from anomscan.backtest.fleet import Failure
    from anomscan.config import Settings
    from anomscan.reports.records import Record
    from anomscan.telemetry.series import Series

#: Assets that a summary names before the rest becomes a count.
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Job:
    """What the command line asked for.

    Parameters
    ----------
    schema
        Of the records.
    whole
        Whether one cut-off is taken over all scores of an asset.
    assets
        The ids asked for, None for all.
    record, replay
        Where to keep what a remote detector answers, or to have it from.
    min_severity
        An anomaly's severity lies above it; None for what the detector's settings say, if anything.
    """

    schema: str
    whole: bool
    assets: Sequence[str] | None
    source: str | None = None
    detector: str | None = None
    start: str | None = None
    end: str | None = None
    days: int | None = None
    as_of: str | None = None
    record: Path | None = None
    replay: Path | None = None
    min_severity: float | None = None


@dataclass(slots=True)
class Tally:
    """What a run amounts to; its size does not grow with the fleet."""

    assets: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    unit: str = "days"
    findings: int = 0
    ranked: list[tuple[int, str, str]] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    failed: int = 0
    notes: list[str] = field(default_factory=list)
    unshown_notes: int = 0

    def note(self, notes: Iterable[str]) -> None:
        """Keep what the user should know beside the verdicts."""
        for note in notes:
            if len(self.notes) < _SHOWN:
                self.notes.append(note)
            else:
                self.unshown_notes += 1

    def add(self, record: Record) -> None:
        """Count one asset."""
        self.assets += 1
        self.verdicts.update(record.verdicts)
        if record.from_ is not None and "T" in record.from_:
            self.unit = "samples"
        if record.error is not None:
            self.failed += 1
            if len(self.failures) < _SHOWN:
                self.failures.append((record.asset, record.error))
        elif record.has_findings:
            self.findings += 1
            days = record.verdicts["anomalous"]
            spans = ", ".join(start if start == end else f"{start}..{end}" for start, end in record.spans)
            self.ranked = sorted([*self.ranked, (-days, record.asset, spans)])[:_SHOWN]

    def code(self, *, fail_on_findings: bool = False) -> ExitCode:
        """The exit code these results call for."""
        codes = [ExitCode.ASSETS_FAILED] if self.failed else []
        if fail_on_findings and self.findings:
            codes.append(ExitCode.FINDINGS)
        return worst(codes)

    def show(self, console: Console) -> None:
        """Say it to a person."""
        counts = [(verdict, count) for verdict, count in self.verdicts.items() if count]
        console.table(self.unit, ("verdict", self.unit), [*counts, *([] if counts else [("none", 0)])], data=False)
        if self.ranked:
            rows = [(asset, -days, spans) for days, asset, spans in self.ranked]
            console.table("findings", ("asset", f"anomalous {self.unit}", "spans"), rows, data=False)
        for note in self.notes:
            console.warn(note)
        if self.unshown_notes:
            console.warn(f"... and {self.unshown_notes} more such notes")
        for asset, reason in self.failures:
            console.error(f"asset '{asset}': {reason}")
        if self.failed > len(self.failures):
            console.error(f"... and {self.failed - len(self.failures)} more assets failed")
        console.info(f"{self.assets} assets: {self.findings} with findings, {self.failed} failed")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run: what a person sees, and what goes into its run file."""

    tally: Tally
    facts: dict[str, Any]


def run_job(settings: Settings, job: Job, engine: Engine, console: Console, keep: Callable[..., None]) -> Outcome:
    """Run a job over the store.

    Parameters
    ----------
    keep
        Called with each record and the result it stands for, in the order of the store.

    Raises
    ------
    AnomscanError
        If no asset can be scanned at all.
    """
    started = datetime.now(UTC)
    source, _ = settings.source(job.source)
    name, chosen = settings.detector(job.detector)

    from anomscan.backtest.asset import Stretch
    from anomscan.backtest.fleet import Backtest, Failure
    from anomscan.backtest.rules import Rules
    from anomscan.detectors.registry import opened
    from anomscan.errors import AssetError
    from anomscan.reports.findings import notes_of, record_of
    from anomscan.telemetry.cadence import first_instant, last_instant
    from anomscan.telemetry.store import Store

    scan = settings.scan
    rules = Rules(
        window=scan.window,
        shingle=scan.shingle,
        sigma=scan.sigma,
        include_newest=scan.baseline == "include-newest",
        calendar=scan.gaps == "calendar",
        skip_health=scan.skip_health,
    )
    stretch = Stretch(
        None if job.start is None else first_instant(job.start),
        None if job.end is None else last_instant(job.end),
        job.days,
    )
    as_of = None if job.as_of is None else last_instant(job.as_of)
    least = job.min_severity
    if least is None and job.whole and chosen.kind == "azure":
        least = 1 - chosen.sensitivity
    store = Store.open(settings.store.path)
    store.layout(source)
    revision = store.revision(source)

    tally = Tally()
    wanted = None if job.assets is None else sorted(set(job.assets))
    total = len(store.assets(source, as_of=as_of)) if wanted is None else len(wanted)
    seen: set[str] = set()

    def watched() -> Iterator[Sequence[Series]]:
        for chunk in store.stream(source, assets=wanted, as_of=as_of):
            if wanted is not None:
                seen.update(series.asset for series in chunk)
            yield chunk

    with (
        opened(name, chosen, console.warn, record=job.record, replay=job.replay) as detector,
        console.progress("scanning", total) as advance,
    ):
        for result in Backtest(detector, rules, stretch, job.whole, least).run(watched(), engine):
            record = record_of(result, schema=job.schema, detector=name, shingle=rules.shingle)
            tally.add(record)
            tally.note(notes_of(result, least))
            keep(record, result)
            advance(1)
        for asset in wanted or ():
            if asset not in seen:
                failure = Failure(asset, AssetError(f"source '{source}' has no asset '{asset}' in the store"))
                record = record_of(failure, schema=job.schema, detector=name, shingle=rules.shingle)
                tally.add(record)
                keep(record, failure)
    chosen_facts = {
        "source": source,
        "detector": name,
        "scan": scan.model_dump(mode="json"),
        "detector_settings": chosen.model_dump(mode="json", exclude={"path", "model"}),
        "from": job.start,
        "to": job.end,
        "days": job.days,
        "as_of": job.as_of,
        **({} if least is None else {"min_severity": least}),
    }
    facts = {
        "anomscan": __version__,
        "schema": job.schema,
        **chosen_facts,
        "config_hash": _hash(chosen_facts),
        "data_hash": revision,
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "assets": tally.assets,
        "with_findings": tally.findings,
        "failed": tally.failed,
        "verdicts": dict(tally.verdicts),
    }
    return Outcome(tally, facts)


def deliver(
    settings: Settings,
    job: Job,
    engine: Engine,
    console: Console,
    output: str | None,
    format_: Literal["jsonl", "table"] | None,
    *,
    overwrite: bool = False,
) -> Tally:
    """Run a job and put its records where they were asked for.

    Raises
    ------
    OutputError
        If the output cannot be written; the old file stays.
    """
    from anomscan.reports.findings import severities
    from anomscan.reports.publish import is_remote
    from anomscan.reports.results import ResultsWriter

    if output is not None and output != "-":
        if format_ == "table":
            raise ConfigError("a table goes to the terminal, a file holds JSON lines", hint="leave out -o or --format")
        if not is_remote(output) and not Path(output).parent.is_dir():
            raise OutputError(f"{output} cannot be written: there is no folder {Path(output).parent}")
    if format_ is None:
        format_ = "table" if output is None and sys.stdout.isatty() else "jsonl"
    with ResultsWriter() as writer, output_file(output, "results.jsonl", console, overwrite=overwrite) as path:
        graver: dict[str, list[float | None]] = {}

        def keep(record: Record, result: AssetScan | Failure) -> None:
            writer.add(record, result)
            if format_ == "table":
                graver[record.asset] = severities(result)

        outcome = run_job(settings, job, engine, console, keep)
        if path is not None:
            writer.write(path, outcome.facts)
        elif format_ == "table":
            _show_anomalies(console, writer.lines(), graver, outcome.tally.unit)
        else:
            sys.stdout.writelines(writer.lines())
    outcome.tally.show(console)
    return outcome.tally


def _show_anomalies(
    console: Console, lines: Iterator[str], severities: dict[str, list[float | None]], unit: str
) -> None:
    from anomscan.reports.records import read_records

    columns = ("asset", "timestamp", "values", "health", "score", "severity", "cutoff", "sigma", "contributions")
    rows = [
        (
            record.asset,
            anomaly.timestamp,
            ", ".join(f"{variable} {value:.4g}" for variable, value in anomaly.values.items()),
            anomaly.health or "",
            f"{anomaly.score:.4g}",
            "" if severity is None else f"{severity:.3f}",
            "" if math.isnan(anomaly.cutoff) else f"{anomaly.cutoff:.4g}",
            "" if anomaly.sigma is None else f"{anomaly.sigma:.2f}",
            ", ".join(f"{variable} {share:.3g}" for variable, share in anomaly.contributions[:3]),
        )
        for record in read_records(lines)
        for anomaly, severity in zip(record.anomalies, severities[record.asset], strict=True)
    ]
    console.table(f"anomalous {unit}", columns, rows, data=True)


def _hash(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
