"""What monitors want to know of the nights: one status line, and a text file of metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from anomscan.config import Settings
from anomscan.errors import AnomscanError
from anomscan.incidents.ledger import SILENCE, STATES, Ledger
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.telemetry.cadence import first_instant
from anomscan.wording import counted, seen

_OPEN = tuple(state for state in STATES if state != "closed")


class Level(IntEnum):
    """What a plugin of Nagios may say; the exit codes are theirs."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Status:
    """Of the fleet, as the ledger knows it.

    Parameters
    ----------
    level
        How bad it is.
    line
        One line as Nagios takes it, with what was measured behind the bar.
    """

    level: Level
    line: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What is in a ledger.

    Parameters
    ----------
    states
        How many incidents are in each state, closed ones among them.
    alarming
        How many are open, and nobody has acknowledged or snoozed them and nothing is being serviced.
    silent
        How many of the open ones are assets that send nothing.
    undelivered
        Messages that a target has not taken yet.
    """

    states: Counter[str]
    alarming: int
    silent: int
    undelivered: int

    @classmethod
    def of(cls, ledger: Ledger, today: str) -> Counts:
        """Count a ledger; snoozes end by ``today``, ``YYYY-MM-DD``."""
        entries = [each for each in ledger.entries.values() if each.merged_into is None]
        opened = [each for each in entries if each.is_open]
        return cls(
            Counter(each.state for each in entries),
            sum(not each.is_muted(today) for each in opened),
            sum(each.family == SILENCE for each in opened),
            sum(len(each.to) for each in ledger.outbox),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is a warning, and what is critical.

    Parameters
    ----------
    warning, critical
        So many open incidents that nobody has acknowledged; None for never.
    max_age
        Critical where the newest judged sample of a detector is older.
    """

    warning: int
    critical: int | None
    max_age: np.timedelta64


def status(settings: Settings, now: np.datetime64, limits: Limits) -> Status:
    """Read the ledger and say how the fleet is; ``now`` is datetime64[us], UTC.

    What the settings no longer name is not waited for.
    """
    memory = LedgerFile(settings.incidents.path)
    try:
        if not memory.exists():
            return unknown(f"there is no ledger in {memory.folder}")
        ledger = memory.read()
        ends = [
            first_instant(end, "UTC")
            for (source, detector), end in ledger.nights.items()
            if source in settings.sources and detector in settings.detectors
        ]
    except AnomscanError as error:
        return unknown(str(error))
    if not ends:
        return unknown("no detector of the settings has run yet")
    oldest = min(ends)
    return _status(Counts.of(ledger, str(now.astype("datetime64[D]"))), oldest, now - oldest, limits)


def unknown(reason: str) -> Status:
    """The status where nothing can be said; the reason as one line in which no bar begins what was measured."""
    return Status(Level.UNKNOWN, f"ANOMSCAN UNKNOWN - {seen(reason).replace('|', '/')}")


def _status(counts: Counts, oldest: np.datetime64, age: np.timedelta64, limits: Limits) -> Status:
    level = Level.OK
    if counts.alarming >= limits.warning or counts.undelivered:
        level = Level.WARNING
    if age > limits.max_age or (limits.critical is not None and counts.alarming >= limits.critical):
        level = Level.CRITICAL
    said = [
        f"{counted(counts.alarming, 'incident')} open",
        f"{counts.states['new']:,} new",
        f"{counted(counts.silent, 'asset')} silent",
        f"judged through {str(oldest.astype('datetime64[s]')).partition('T')[0]}",
    ]
    if age > limits.max_age:
        said.append("which is too old")
    if counts.undelivered:
        said.append(f"{counted(counts.undelivered, 'message')} not delivered")
    measured = [
        f"incidents={counts.alarming};{limits.warning};{'' if limits.critical is None else limits.critical};0",
        *(f"{state}={counts.states[state]};;;0" for state in _OPEN),
        f"silent={counts.silent};;;0",
        f"undelivered={counts.undelivered};;;0",
        f"age={_seconds(age)}s;;{_seconds(limits.max_age)};0",
    ]
    return Status(level, f"ANOMSCAN {level.name} - {', '.join(said)} | {' '.join(measured)}")


def metrics(settings: Settings | None, *, started: np.datetime64, ended: np.datetime64, code: int) -> str:
    """What a night has come to, in the text format of Prometheus.

    Parameters
    ----------
    settings
        None where they cannot be read.
    started, ended
        datetime64[us], UTC: of the night.
    code
        Its exit code.

    References
    ----------
    Prometheus, text-based exposition format, version 0.0.4.
    """
    lines = [*_of_run(started, ended, code)]
    if settings is not None:
        lines += [*_of_ledger(settings, ended), *_of_store(settings)]
    return "".join(f"{line}\n" for line in lines)


def _of_run(started: np.datetime64, ended: np.datetime64, code: int) -> Iterator[str]:
    yield from _gauge("run_timestamp_seconds", "When the last night ended.", {"": _unix(ended)})
    yield from _gauge("run_duration_seconds", "How long it took.", {"": (ended - started) / np.timedelta64(1, "s")})
    yield from _gauge("run_exit_code", "Its exit code.", {"": code})


def _of_ledger(settings: Settings, now: np.datetime64) -> Iterator[str]:
    memory = LedgerFile(settings.incidents.path)
    try:
        ledger = memory.read()
    except AnomscanError:
        return  # the exit code says that something is wrong
    counts = Counts.of(ledger, str(now.astype("datetime64[D]")))
    states = {_label("state", state): counts.states[state] for state in STATES}
    yield from _gauge("incidents", "Incidents of the ledger by state.", states)
    yield from _gauge("incidents_alarming", "Open incidents that nobody has acknowledged.", {"": counts.alarming})
    yield from _gauge("silent_assets", "Assets that send nothing.", {"": counts.silent})
    yield from _gauge("notifications_undelivered", "Messages not taken yet.", {"": counts.undelivered})
    ends = {
        f"{{{_pair('source', source)},{_pair('detector', detector)}}}": _unix(first_instant(end, "UTC"))
        for (source, detector), end in ledger.nights.items()
    }
    yield from _gauge("judged_through_timestamp_seconds", "The newest judged sample.", ends)


def _of_store(settings: Settings) -> Iterator[str]:
    from anomscan.store.store import Store

    assets, newest = dict[str, float](), dict[str, float]()
    try:
        store = Store.open(settings.store.path)
        for source in settings.sources:
            if ends := store.last_timestamps(source):
                assets[_label("source", source)] = len(ends)
                newest[_label("source", source)] = _unix(max(ends.values()))
    except AnomscanError:
        pass  # what is known is told
    yield from _gauge("assets", "Assets in the store.", assets)
    yield from _gauge("newest_sample_timestamp_seconds", "The newest sample in the store.", newest)


def _gauge(name: str, help_text: str, samples: Mapping[str, float]) -> Iterator[str]:
    if samples:
        yield f"# HELP anomscan_{name} {help_text}"
        yield f"# TYPE anomscan_{name} gauge"
        yield from (f"anomscan_{name}{labels} {float(value)!r}" for labels, value in samples.items())


def _label(name: str, value: str) -> str:
    return f"{{{_pair(name, value)}}}"


def _pair(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}="{escaped}"'


def _unix(instant: np.datetime64) -> float:
    return float((instant - np.datetime64(0, "us")) / np.timedelta64(1, "s"))


def _seconds(span: np.timedelta64) -> int:
    return int(span // np.timedelta64(1, "s"))
