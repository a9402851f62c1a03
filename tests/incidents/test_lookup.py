"""What the ledger says of the incidents in a file of results."""

from __future__ import annotations

import pytest

from anomscan.errors import InputError
from anomscan.incidents.ledger import Entry, Ledger, Spell
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.incidents.lookup import entries_of


def entry(number: int) -> Entry:
    day = "2026-01-01"
    spell = Spell(day, day, day, 1)
    return Entry(f"{number:012x}", "fleet", "S1", "chart", day, "ongoing", "dropped", (spell,), day)


@pytest.fixture
def ledger(tmp_path):
    entries = {each.id: each for each in map(entry, range(1, 4))}
    file = LedgerFile(tmp_path / "incidents")
    with file.held():
        file.write(Ledger(entries, {}))
    return file


def test_only_incidents_that_the_results_name(tmp_path, ledger):
    results = tmp_path / "results.jsonl"
    results.write_text(
        '{"asset": "S1", "incidents": [{"id": "000000000001", "kind": "dropped"}, {"id": null}]}\n'
        '{"asset": "S2", "incidents": [{"id": "000000000003"}, {"id": "00000000000f"}]}\n'
    )
    assert list(entries_of(results, ledger.folder).values()) == [entry(1), entry(3)]


def test_without_a_ledger_there_is_nothing_to_say(tmp_path):
    assert entries_of(tmp_path / "results.jsonl", tmp_path / "incidents") == {}


def test_results_that_cannot_be_read(tmp_path, ledger):
    with pytest.raises(InputError, match=r"gone\.jsonl cannot be read"):
        entries_of(tmp_path / "gone.jsonl", ledger.folder)
