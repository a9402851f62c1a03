"""What is known of the assets of a source: from a CSV file, or from what people wrote into the ledger."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from anomscan.config import Settings
from anomscan.errors import ConfigError
from anomscan.incidents.ledger import KNOWN_LABELS, Entry
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.judging.events import Known
from anomscan.judging.found import Span
from anomscan.tables.known_spans import read_known_spans

#: What stands for the ledger in place of a file.
LEDGER = "ledger"
_FAULT, _FALSE_ALARM = "fault", "false-alarm"


def read_labels(settings: Settings, source: str | None, origin: str) -> Known:
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
        return Known(bad, fine, complete=False)
    for each in read_known_spans(Path(origin), source_settings.sample_zone):
        span = Span(int(each.start.astype(np.int64)), int(each.end.astype(np.int64)), each.label)
        (fine if each.label == _FALSE_ALARM else bad)[each.asset].append(span)
    return Known(bad, fine)


def _label(entry: Entry) -> str | None:
    return next((each.label for each in reversed(entry.labels) if each.label in KNOWN_LABELS), None)


def _micros(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "us").astype(np.int64))
