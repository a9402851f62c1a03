"""A run and the ledger: the incidents of its records get their ids, and the ledger learns of the night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from anomscan.backtest.verdicts import Verdict
from anomscan.config import Settings
from anomscan.errors import ConfigError
from anomscan.incidents.archive import Archive, parted
from anomscan.incidents.ledger import STATES, Entry, Ledger
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.incidents.matching import at
from anomscan.incidents.night import JudgedDays, Night, Seen
from anomscan.incidents.nights import Folded, known_ids
from anomscan.jobs.excused import Excused
from anomscan.jobs.job import Job
from anomscan.jobs.run import Run
from anomscan.jobs.tally import Tally
from anomscan.jobs.views import asset_list
from anomscan.reports.records import Record, read_records, record_line
from anomscan.reports.results import EncodedRecord
from anomscan.store.asset_list import members_of
from anomscan.telemetry.cadence import parse_duration
from anomscan.telemetry.names import PREFIX
from anomscan.wording import counted

_NO_INCIDENTS = b'"incidents": []'
#: So long before its end a snooze is told of.
ENDING = timedelta(days=7)


def night_of(settings: Settings, job: Job, run: Run) -> Night:
    """A run as the ledger knows it.

    Raises
    ------
    ConfigError
        If it has no end: there is nothing to scan.
    """
    source, _ = settings.source(job.source)
    detector, _ = settings.detector(job.detector)
    expected, cadence = run.work.backtest.expectations, run.work.snapshot.layout.cadence
    if expected is None:
        raise ConfigError(f"source '{source}' has no sample that this run may know", hint="fetch first")
    return Night(
        source,
        detector,
        cadence.text(expected.run_end),
        cadence,
        settings.incidents.close_after,
        parse_duration(settings.incidents.reopen_within),
    )


def kept_from(settings: Settings, night: Night) -> np.datetime64:
    """Incidents that were over before then are no longer in the ledger, but in its archive."""
    return at(night.end) - parse_duration(settings.incidents.keep)


def with_archive(ledger: Ledger, settings: Settings, night: Night, run: Run) -> Ledger:
    """The ledger, with its archive if a run may show something of so long ago.

    Raises
    ------
    InputError
        If the archive cannot be used.
    """
    start = run.work.backtest.stretch.start
    if start is not None and start > kept_from(settings, night) + night.reopen_within:
        return ledger
    return Archive(settings.incidents.path).with_all_of(ledger)


def keep(file: LedgerFile, ledger: Ledger, settings: Settings, night: Night, *, whole: bool) -> None:
    """Write the ledger; what was over long ago goes to the archive, and is there before it leaves the ledger.

    Parameters
    ----------
    whole
        Whether the ledger has all that the archive has.

    Raises
    ------
    OutputError
        If either cannot be written.
    """
    ledger, old = parted(ledger, night.cadence.text(kept_from(settings, night)))
    if old or whole:
        Archive(file.folder).add(old, only=whole)
    file.write(ledger)


def seen_of(settings: Settings, job: Job, run: Run, ledger: Ledger, results: Iterable[EncodedRecord]) -> Iterator[Seen]:
    """What the results of a run say of each asset."""
    members = members_of(asset_list(settings, run.work.snapshot, job.known(settings))) or {}
    known = {each.asset for each in ledger.entries.values()}
    excused, cadence = run.work.excused, run.work.snapshot.layout.cadence
    expected = run.work.backtest.expectations
    retired = (
        set() if expected is None else {each for each, last in expected.retired.items() if last < expected.run_end}
    )
    for result in results:
        if result.asset not in known and _NO_INCIDENTS in result.line:
            yield Seen(result.asset)
            continue
        (record,) = read_records([result.line.decode()])
        days = result.judged
        days = days[np.isin(days["verdict"], (int(Verdict.OK), int(Verdict.ANOMALOUS)))]
        if excused is not None:
            # What lies in an outage was judged, but says nothing of whether an incident is over.
            days = days[~excused.outages.mask(result.asset, days["timestamp"].view("datetime64[us]"), cadence)]
        yield Seen(
            result.asset,
            record.incidents,
            JudgedDays(days["timestamp"].view("datetime64[us]"), days["verdict"] == int(Verdict.ANOMALOUS)),
            failed=record.error is not None,
            cohort=result.asset.removeprefix(PREFIX) if result.asset.startswith(PREFIX) else members.get(result.asset),
            severities=_severities(record, result.severities),
            maintenance=None if excused is None else excused.now(result.asset),
            retired=result.asset in retired,
        )


def with_ids(results: Iterable[EncodedRecord], ids: Mapping[str, Sequence[str | None]]) -> Iterator[EncodedRecord]:
    """The results, their incidents with ids."""
    for result in results:
        own = ids.get(result.asset, ())
        if not any(own):
            yield result
            continue
        (record,) = read_records([result.line.decode()])
        incidents = [replace(each, id=one) for each, one in zip(record.incidents, own, strict=True)]
        yield replace(result, line=record_line(replace(record, incidents=incidents)).encode())


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a ledger says of a run.

    Parameters
    ----------
    ids
        By asset, the id of each incident of its record; None of one that the ledger does not know.
    entries
        The ledger's, by id.
    today
        ``YYYY-MM-DD``, by the clock.
    """

    ids: Mapping[str, Sequence[str | None]]
    entries: Mapping[str, Entry]
    today: str

    @classmethod
    def read(cls, ledger: Ledger, night: Night, seen: Iterable[Seen]) -> Remembered:
        """What a ledger that stays as it is says of a run."""
        return cls(known_ids(ledger, night, seen), ledger.entries, _today())

    @classmethod
    def of(cls, folded: Folded) -> Remembered:
        """What a ledger that has taken in the run says of it."""
        return cls(folded.ids, folded.ledger.entries, _today())

    def count(
        self,
        tally: Tally,
        results: Iterable[EncodedRecord],
        *,
        written: bool,
        direction: str,
        excused: Excused | None = None,
    ) -> None:
        """Take what somebody acknowledged or snoozed, or is in maintenance, out of what counts for an alarm.

        Parameters
        ----------
        written
            Whether the ledger has taken in the run, and so knows what is new.
        direction
            ``[scan] direction``: if it is not ``both``, only anomalous days in an incident count.
        excused
            What planned outages excuse.
        """
        muted = self._muted()
        if written:
            shown = {one for own in self.ids.values() for one in own if one is not None}
            tally.new_incidents = sum(self.entries[one].state == "new" for one in shown - muted)
        if muted:
            _hush(tally, results, self.ids, muted, count_new=not written, direction=direction, excused=excused)

    def _muted(self) -> set[str]:
        return {
            one
            for own in self.ids.values()
            for one in own
            if one is not None and self.entries[one].is_muted(self.today)
        }


def summary(folded: Folded, night: Night) -> str:
    """A night in one line: ``ledger: 2 new, 11 ongoing, 1 closed tonight``."""
    scope = [each for each in folded.ledger.entries.values() if each.source == night.source and each.is_open]
    states = Counter(each.state for each in scope)
    parts = [f"{states[state]:,} {state}" for state in STATES if states[state]]
    told = Counter(each.what for each in folded.changes)
    parts += [f"{told[what]:,} {what} tonight" for what in ("closed", "worse", "merged") if told[what]]
    return f"ledger: {', '.join(parts) or 'no open incident'}"


def snoozes_that_end(entries: Iterable[Entry]) -> str | None:
    """Which snoozes of open incidents end within a week, in one line; None if none does."""
    today, soon = _today(), str(datetime.now(UTC).date() + ENDING)
    ending = [
        each for each in entries if each.is_open and each.snoozed is not None and today < each.snoozed.until <= soon
    ]
    if not ending:
        return None
    named = ", ".join(f"{each.id} on {each.snoozed.until}" for each in ending[:3] if each.snoozed is not None)
    end = "ends" if len(ending) == 1 else "end"
    return f"{counted(len(ending), 'snooze')} {end} within a week: {named}{', ...' if len(ending) > 3 else ''}"


def _hush(
    tally: Tally,
    results: Iterable[EncodedRecord],
    ids: Mapping[str, Sequence[str | None]],
    muted: Collection[str],
    *,
    count_new: bool,
    direction: str,
    excused: Excused | None,
) -> None:
    """Count again what makes an alarm, without some incidents."""
    tally.most = {}
    tally.open_incidents = tally.muted_silent = 0
    if count_new:
        tally.new_incidents = 0
    for result in results:
        if _NO_INCIDENTS in result.line and b'"anomalies": []' in result.line and b'"silent": 0' in result.line:
            continue
        (record,) = read_records([result.line.decode()])
        own = ids.get(result.asset) or [None] * len(record.incidents)
        quiet = [each for each, one in zip(record.incidents, own, strict=True) if one in muted]
        loud = [each for each, one in zip(record.incidents, own, strict=True) if one not in muted]
        tally.open_incidents += sum(each.open for each in loud)
        if count_new:
            tally.new_incidents += sum(each.first_flagged >= (record.from_ or "") for each in loud)
        if any(each.kind == "silent" for each in quiet):
            tally.muted_silent += record.verdicts["silent"]
        elif excused is not None:
            tally.muted_silent += excused.silent(record)
        counting = [
            (each, severity)
            for each, severity in zip(record.anomalies, result.severities, strict=True)
            if (direction == "both" or any(one.since <= each.timestamp <= one.last for one in record.incidents))
            and not (excused is not None and excused.day(record.asset, each.timestamp))
        ]
        heard = [
            pair for pair in counting if not any(one.first_flagged <= pair[0].timestamp <= one.last for one in quiet)
        ]
        if counting and not heard and not result.asset.startswith(PREFIX):
            tally.muted_findings += 1
        for name, numbers in (
            ("sigma", [each.sigma for each, _ in heard if each.sigma is not None]),
            ("severity", [severity for _, severity in heard if severity is not None]),
        ):
            if numbers:
                tally.most[name] = max(tally.most.get(name, numbers[0]), *numbers)


def _severities(record: Record, severities: Sequence[float | None]) -> list[float | None]:
    if all(each is None for each in severities):
        return []
    pairs = [
        (each.timestamp, severity)
        for each, severity in zip(record.anomalies, severities, strict=True)
        if severity is not None and np.isfinite(severity)
    ]
    return [
        max((severity for time, severity in pairs if one.first_flagged <= time <= one.last), default=None)
        for one in record.incidents
    ]


def _today() -> str:
    return str(datetime.now(UTC).date())
