"""What people say of the assets of a source, in the ledger or in a CSV file: what was wrong, and what is normal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from anomscan.config import Settings
from anomscan.errors import ConfigError
from anomscan.incidents.ledger import KNOWN_LABELS, Entry, Label, Ledger
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.incidents.matching import at
from anomscan.jobs.job import Job
from anomscan.judging.events import Labels
from anomscan.judging.found import Span
from anomscan.store.snapshot import Snapshot
from anomscan.tables.known_spans import read_known_spans
from anomscan.telemetry.baseline import Labelled
from anomscan.telemetry.outages import in_sample_time

#: What stands for the ledger in place of a file.
LEDGER = "ledger"
_FAULT, _FALSE_ALARM = "fault", "false-alarm"


def label_files(origin: str | None) -> list[tuple[str, Path]]:
    """The file that labels are read from, and what it is; none for the ledger, or without labels."""
    return [] if origin in (None, LEDGER) else [("the labels", Path(origin))]


def read_labels(settings: Settings, source: str | None, origin: str) -> Labels:
    """The known spans of the assets of a source.

    Parameters
    ----------
    origin
        The path of a CSV file, which tells all that was wrong; or ``ledger``, which knows of some incidents only.

    Raises
    ------
    ConfigError
        If the ledger has no labels.
    InputError
        If the file or the ledger cannot be used.
    """
    name, source_settings = settings.source(source)
    bad: defaultdict[str, list[Span]] = defaultdict(list)
    fine: defaultdict[str, list[Span]] = defaultdict(list)
    if origin == LEDGER:
        for entry in LedgerFile(settings.incidents.path).read().entries.values():
            label = _label(entry)
            if entry.source == name and label in (_FAULT, _FALSE_ALARM):
                spans = bad if label == _FAULT else fine
                spans[entry.asset] += [Span(_micros(one.since), _micros(one.last), entry.kind) for one in entry.spells]
        if not bad and not fine:
            raise ConfigError(
                "no incident of the ledger is labelled fault or false-alarm",
                hint="label some with anomscan incidents label, or name a CSV file",
            )
        return Labels(bad, fine, complete=False)
    for each in read_known_spans(Path(origin), source_settings.sample_zone):
        span = Span(int(each.start.astype(np.int64)), int(each.end.astype(np.int64)), each.label)
        (fine if each.label == _FALSE_ALARM else bad)[each.asset].append(span)
    return Labels(bad, fine)


def labelled(ledger: Ledger, source: str) -> list[Entry]:
    """The incidents of a source that people have labelled, also where they took the label back."""
    return [
        each
        for each in ledger.entries.values()
        if (each.labels or each.withdrawn) and each.source == source and each.merged_into is None
    ]


def labels_of(
    entries: Iterable[Entry], settings: Settings, job: Job, snapshot: Snapshot
) -> dict[str, Sequence[Labelled]]:
    """By asset, what the labels of incidents say of what is normal."""
    dates_of = settings.source(job.source)[1].zone if snapshot.layout.cadence.whole_days else None
    found: defaultdict[str, list[Labelled]] = defaultdict(list)
    for entry in entries:
        for label in (*entry.labels, *entry.withdrawn):
            if label.label in KNOWN_LABELS:
                found[entry.asset].append(_labelled(entry, label, dates_of))
    return dict(found)


def _labelled(entry: Entry, label: Label, dates_of: str | None) -> Labelled:
    made = in_sample_time(at(label.at), dates_of)
    until = None if label.withdrawn is None else in_sample_time(at(label.withdrawn), dates_of)
    # Earlier versions did not note what a label covers: what the incident had by then.
    covers = label.covers or [(each.since, each.last) for each in entry.spells]
    stretches = [(at(first), min(at(last), made)) for first, last in covers]
    return Labelled(made, tuple(each for each in stretches if each[0] <= each[1]), label.label == _FALSE_ALARM, until)


def _label(entry: Entry) -> str | None:
    return next((each.label for each in reversed(entry.labels) if each.label in KNOWN_LABELS), None)


def _micros(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "us").astype(np.int64))
