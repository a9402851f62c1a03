"""Incidents that ended long ago: one file a year beside the ledger, in its form, not read every night."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from anomscan.incidents.ledger import KNOWN_LABELS, Entry, Ledger
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.storage.durable import output_errors


class Archive:
    """The archive of the ledger in a folder; the ledger's lock is its own, and what the ledger has counts.

    Parameters
    ----------
    folder
        The ledger's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "archive"

    def with_all_of(self, ledger: Ledger) -> Ledger:
        """A ledger with all that the archive has.

        Raises
        ------
        InputError
            If a file cannot be used.
        """
        archived = {id_: each for file in self._files() for id_, each in file.read().entries.items()}
        return replace(ledger, entries={**archived, **ledger.entries}) if archived else ledger

    def add(self, entries: Iterable[Entry], *, only: bool = False) -> None:
        """Keep some incidents, each in the file of the year of its last flagged sample; before the ledger lets them go.

        Parameters
        ----------
        only
            Whether there are no others.

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        years: defaultdict[str, list[Entry]] = defaultdict(list)
        for each in entries:
            years[each.last[:4]].append(each)
        names = {file.path.stem for file in self._files()} if only else set()
        with output_errors(self._folder):
            self._folder.mkdir(exist_ok=True)
        for year in sorted({*years, *names}):
            file = LedgerFile(self._folder, f"{year}.jsonl")
            known = {} if only else dict(file.read().entries)
            file.write(Ledger.of({**known, **{each.id: each for each in years[year]}}.values(), {}))

    def _files(self) -> list[LedgerFile]:
        return [LedgerFile(self._folder, path.name) for path in sorted(self._folder.glob("[0-9]*.jsonl"))]


def parted(ledger: Ledger, before: str) -> tuple[Ledger, list[Entry]]:
    """A ledger without the incidents that are over and were last flagged before a time, and these.

    What is still to be told stays, and so do labels, which act on what is normal, and what is part of another incident.
    """
    pending = {each.tell for each in ledger.outbox if each.to}
    parts = {each.merged_into for each in ledger.entries.values()}

    def stays(entry: Entry) -> bool:
        acts = any(each.label in KNOWN_LABELS for each in (*entry.labels, *entry.withdrawn))
        joined = entry.merged_into is not None or entry.id in parts
        return entry.is_open or entry.last >= before or acts or joined or entry.id in pending

    old = [each for each in ledger.entries.values() if not stays(each)]
    if not old:
        return ledger, []
    kept = [each for each in ledger.entries.values() if stays(each)]
    return Ledger.of(kept, ledger.nights, ledger.outbox), old
