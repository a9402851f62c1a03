"""The use cases behind ``incidents``: look into the ledger, write into it, rebuild it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from pydantic_core import to_json

from anomscan.config import Settings
from anomscan.errors import AssetError, ConfigError, StoreError
from anomscan.incidents.archive import Archive
from anomscan.incidents.ledger import STATES, Entry, Ledger
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.incidents.people import find
from anomscan.telemetry.cadence import parse_duration
from anomscan.telemetry.series import Floats

if TYPE_CHECKING:
    from anomscan.jobs.engines import Engine
    from anomscan.jobs.job import Job
    from anomscan.jobs.scan import ScanConsole

#: How long to wait for another that writes the ledger, in seconds.
WAIT_S = 60.0
#: What of an asset's history is drawn about an incident, unless it has more samples than that.
_YEAR, _MONTH, _MOST = np.timedelta64(365, "D"), np.timedelta64(30, "D"), 1_000_000
#: What comes first of an incident in JSON.
_FIRST = {"id", "asset", "state"}
_RANK = {state: place for place, state in enumerate(STATES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which incidents are wanted; each condition that is given must hold.

    Parameters
    ----------
    states
        Some of ``STATES``, or ``open`` for all but ``closed``.
    assets, cohorts, kinds, labels
        One of them.
    older_than, newer_than
        Since its onset, by the clock: ``7d``, ``12h``.
    severity
        At least; one without a severity is left out.
    """

    states: Sequence[str] = ()
    assets: Sequence[str] = ()
    cohorts: Sequence[str] = ()
    kinds: Sequence[str] = ()
    labels: Sequence[str] = ()
    older_than: str | None = None
    newer_than: str | None = None
    severity: float | None = None

    def of(self, entries: Iterable[Entry], now: datetime | None = None) -> Iterator[Entry]:
        """Those that are wanted.

        Raises
        ------
        ConfigError
            If a state or a length of time is invalid.
        """
        states = set(self.states)
        if unknown := states - {*STATES, "open"}:
            known = ", ".join(["open", *STATES])
            raise ConfigError(f"there is no state '{min(unknown)}'", hint=f"one of {known}")
        if "open" in states:
            states |= {*STATES} - {"closed"}
        now = now or datetime.now(UTC)
        # Dates and instants are compared as text: an instant is later than its date.
        latest = None if self.older_than is None else _before(now, self.older_than)
        earliest = None if self.newer_than is None else _before(now, self.newer_than)
        for each in entries:
            if (
                (not states or each.state in states)
                and (not self.assets or each.asset in self.assets)
                and (not self.cohorts or each.cohort in self.cohorts)
                and (not self.kinds or each.kind in self.kinds)
                and (not self.labels or any(one.label in self.labels for one in each.labels))
                and (latest is None or each.since <= latest)
                and (earliest is None or each.since >= earliest[: len(each.since)])
                and (self.severity is None or (each.severity is not None and each.severity >= self.severity))
            ):
                yield each


def listed(settings: Settings, wanted: Filter) -> list[Entry]:
    """The incidents of the ledger that are wanted: new ones first, closed ones last, by asset."""
    entries = wanted.of(LedgerFile(settings.incidents.path).read().entries.values())
    return sorted(entries, key=lambda each: _RANK[each.state])  # they are in the order of the ledger already


def as_json(entries: Iterable[Entry], today: str) -> Iterator[bytes]:
    """Entries for programs, each an object in JSON: all that the ledger has, and what follows from it.

    Parameters
    ----------
    today
        ``YYYY-MM-DD``, by which a snooze still holds or has ended.
    """
    rest = TypeAdapter(Entry).serializer.to_json  # of pydantic's ways the quickest, which counts for a hundred thousand
    for entry in entries:
        first = {
            "id": entry.id,
            "asset": entry.asset,
            "state": entry.state,
            "muted": entry.is_muted(today),
            "since": entry.since,
            "last": entry.last,
            "days": entry.days,
        }
        yield to_json(first)[:-1] + b"," + rest(entry, exclude=_FIRST)[1:]


def shown(settings: Settings, text: str) -> Entry:
    """One incident, by its id or the beginning of it.

    Raises
    ------
    ConfigError
        If there is none, or there are several.
    """
    file = LedgerFile(settings.incidents.path)
    return _found(file, file.read(), text)


def course(settings: Settings, entry: Entry) -> tuple[str, Floats, NDArray[np.bool_]] | None:
    """The values about an incident: a year of them, until a month after its last day, or until now.

    Returns
    -------
    The variable that is farthest off; (n,) its values on the grid of its cadence, NaN where there is none; (n,) which
    of them lie in the incident. None where the store has no values of the asset.
    """
    from anomscan.store.store import Store

    try:
        series = Store.open(settings.store.path).read(entry.source, entry.asset)
    except (AssetError, StoreError, ConfigError):
        return None
    ends = [np.datetime64(at.removesuffix("Z"), "us") for spell in entry.spells for at in (spell.since, spell.last)]
    end = min(series.timestamps[-1], ends[-1] + _MONTH) if len(series) else ends[-1]
    kept = (series.timestamps > end - _YEAR) & (series.timestamps <= end)
    step = series.cadence.step
    if not kept.any() or _YEAR // step > _MOST:
        return None
    variable = max(entry.deviation, key=lambda name: abs(entry.deviation[name]), default=series.variables[0])
    column = series.variables.index(variable) if variable in series.variables else 0
    times = series.timestamps[kept]
    places = ((times - times[0]) // step).astype(np.int64)
    values = np.full(int((end - times[0]) // step) + 1, np.nan)
    values[places] = series.values[kept, column]
    grid = times[0] + np.arange(len(values)) * step
    inside = np.zeros(len(grid), bool)
    for since, last in zip(ends[::2], ends[1::2], strict=True):
        inside |= (grid >= since) & (grid <= last)
    return series.variables[column], values, inside


def write(settings: Settings, ids: Sequence[str], change: Callable[[Entry], Entry]) -> list[Entry]:
    """Change some incidents, all or none of them; as they are then.

    Raises
    ------
    ConfigError
        If there is no such incident, or it cannot be changed so.
    LockedError
        If another run writes the ledger.
    OutputError
        If it cannot be written.
    """
    file = LedgerFile(settings.incidents.path)
    with file.held(WAIT_S):
        ledger = file.read()
        changed = {entry.id: change(entry) for entry in (_found(file, ledger, text) for text in ids)}
        file.write(replace(ledger, entries={**ledger.entries, **changed}))
    return list(changed.values())


def _found(file: LedgerFile, ledger: Ledger, text: str) -> Entry:
    """An incident of the ledger, or else of its archive."""
    known = any(id_.startswith(text.lower()) for id_ in ledger.entries)
    return find(ledger if known else Archive(file.folder).with_all_of(ledger), text)


def rebuild(settings: Settings, job: Job, engine: Engine, console: ScanConsole) -> str:
    """Rebuild the ledger of a source and detector from a scan of all that is stored; a summary in one line.

    Raises
    ------
    AnomscanError
        If no asset can be scanned at all, or the ledger can be neither read nor written; the old one stays.
    """
    from anomscan.detectors.registry import opened
    from anomscan.incidents import nights
    from anomscan.jobs.checkpoint import Checkpoint
    from anomscan.jobs.labels import labelled
    from anomscan.jobs.remembering import keep, night_of, seen_of, summary, with_archive
    from anomscan.jobs.run import Run
    from anomscan.store.store import Store

    file = LedgerFile(settings.incidents.path)
    source, _ = settings.source(job.source)
    said = labelled(file.read(), source)
    name, chosen = settings.detector(job.detector)
    store = Store.open(settings.store.path)
    with opened(name, chosen, console.warn) as detector:
        run = Run.of(settings, job, store.snapshot(source), detector, said)
        night = night_of(settings, job, run)
        with Checkpoint(None, run.key, run.work.columns) as checkpoint:
            with console.scanning(run.assets, checkpoint.tally()) as watch, engine:
                run.go(engine, checkpoint, watch)
            with file.held(WAIT_S):
                ledger = with_archive(alone := file.read(), settings, night, run)
                folded = nights.rebuild(ledger, night, seen_of(settings, job, run, ledger, checkpoint.results()))
                keep(file, folded.ledger, settings, night, whole=ledger is not alone)
    return summary(folded, night)


def now() -> str:
    """The clock, as marks have it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def day(text: str) -> str:
    """A day as marks have it.

    Raises
    ------
    ConfigError
        If the text is not a day.
    """
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return str(date.fromisoformat(text))
    except ValueError:
        pass
    raise ConfigError(f"'{text}' is not a day", hint="write 2027-01-31")


def _before(now: datetime, length: str) -> str:
    moment = np.datetime64(now.replace(tzinfo=None), "us") - parse_duration(length)
    return f"{np.datetime_as_string(moment, unit='s')}Z"
