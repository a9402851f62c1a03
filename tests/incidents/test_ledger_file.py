"""The ledger on the disk: stable, editable, and refused with the line where it was edited wrongly."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from anomscan.errors import InputError, LockedError, OutputError
from anomscan.incidents.incident import Peak
from anomscan.incidents.ledger import Acknowledged, Label, Ledger, Note, Snoozed
from anomscan.incidents.ledger_file import LedgerFile, encoded
from incidents.entries import entry

NIGHTS = {("fleet", "chart"): "2026-03-09", ("fleet", "rcf"): "2026-03-08"}


WHOLE = entry(
    cohort="R1",
    common="cohort:R1",
    peak=Peak("2026-03-04", 3.5, None),
    severity=0.25,
    deviation={"prt7": -0.1},
    judged="2026-03-09",
    reopened="2026-03-05",
    told=0.1,
    worse="2026-03-06",
    acknowledged=Acknowledged("ada", "2026-03-03T10:00:00Z", "in \u2028 work"),
    snoozed=Snoozed("2026-04-01", "ada", "2026-03-03T10:00:00Z", "wait"),
    labels=(Label("fault", "ada", "2026-03-03T10:00:00Z"),),
    notes=(Note('a fuse\n"blew"', "grace", "2026-03-03T10:00:00Z"),),
)


@pytest.fixture
def file(tmp_path):
    return LedgerFile(tmp_path / "incidents")


def test_what_is_written_is_read(file):
    assert not file.exists()
    assert file.read() == Ledger()
    ledger = Ledger.of([WHOLE, entry("Ö\x85"), replace(entry("S2"), merged_into=WHOLE.id)], NIGHTS)
    with file.held():
        file.write(ledger)
    assert file.exists()
    assert file.read() == ledger


def test_one_line_an_incident_in_order_whatever_the_order_it_was_made_in(file):
    entries = [entry("S2"), entry("S10"), entry("S1", "2026-03-05"), WHOLE]
    assert encoded(Ledger({each.id: each for each in entries}, NIGHTS)) == encoded(Ledger.of(entries[::-1], NIGHTS))
    header, *lines = encoded(Ledger.of(entries, NIGHTS)).decode().splitlines()
    assert json.loads(header)["schema"] == "anomscan.ledger/1"
    named = [(each["asset"], each["first_flagged"]) for each in map(json.loads, lines)]
    assert named == [("S1", "2026-03-01"), ("S1", "2026-03-05"), ("S10", "2026-03-01"), ("S2", "2026-03-01")]
    changed = encoded(Ledger.of([*entries[:3], replace(WHOLE, state="quiet")], NIGHTS)).decode().splitlines()
    assert sum(one != other for one, other in zip([header, *lines], changed, strict=True)) == 1


def test_a_ledger_that_stays_the_same_is_not_written_again(file):
    with file.held():
        file.write(Ledger.of([WHOLE], NIGHTS))
        before = file.path.stat()
        file.write(Ledger.of([WHOLE], NIGHTS))
    assert file.path.stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    ("was", "edited", "said"),
    [
        ('"state": "ongoing"', '"state": "done"', r"'state': Input should be 'new'"),
        ('"asset": "S1"', '"asset": 7', r"'asset': Input should be a valid string"),
        ('"kind": "dropped"', '"kind": "tired"', r"'kind' is not one of silent, .*: 'tired'"),
        ('"acknowledged"', '"acknowleged"', r"'acknowleged': Unexpected keyword argument"),
        ('"until": "2026-04-01"', '"until": "soon"', r"'snoozed.until' is not a day such as 2026-01-31: 'soon'"),
        ('"first_seen": "2026-03-01"', '"first_seen": "2026-02-30"', r"'first_seen' is neither a date nor"),
        ('"last": "2026-03-09"', '"last": "2026-02-09"', r"'spells' are not in the order of time"),
        ('{"id": "', '{"id": "Z', r"'id' is not 12 hexadecimal digits"),
        ('"source": "fleet", ', "", r"'source': "),
        ("}\n", "\n", r"Invalid JSON"),
    ],
)
def test_a_line_that_was_edited_wrongly_is_named(file, was, edited, said):
    with file.held():
        file.write(Ledger.of([WHOLE], {}))
    text = file.path.read_text()
    header, line = text.split("\n", 1)
    file.path.write_text(f"{header}\n\n{line.replace(was, edited, 1) if was != '}' + chr(10) else line[:-2]}")
    with pytest.raises(InputError, match=rf"ledger\.jsonl, line 3: .*{said}"):
        file.read()


def test_an_id_that_stands_there_twice_and_one_that_is_nowhere_are_named(file):
    with file.held():
        file.write(Ledger.of([WHOLE], {}))
    text = file.path.read_text()
    file.path.write_text(text + text.splitlines()[1])
    with pytest.raises(InputError, match=rf"line 3: the id {WHOLE.id} stands in line 2 already"):
        file.read()
    with file.held():
        file.write(Ledger.of([replace(WHOLE, merged_into="0123456789ab")], {}))
    with pytest.raises(InputError, match="line 2: 'merged_into' names 0123456789ab, which is not in the file"):
        file.read()


@pytest.mark.parametrize("header", ["", "{}", '{"schema": 1}', '{"schema": "anomscan.scan/2"}', "[" * 100_000])
def test_what_is_no_ledger_is_refused(file, header):
    file.folder.mkdir()
    file.path.write_text(header)
    with pytest.raises(InputError, match="line 1: it does not begin with"):
        file.read()
    file.path.write_text('{"schema": "anomscan.ledger/1", "nights": [{"source": "fleet"}]}')
    with pytest.raises(InputError, match=r"line 1: 'nights\.0\.detector'"):
        file.read()


def test_a_newer_version_is_refused(file):
    file.folder.mkdir()
    file.path.write_text('{"schema": "anomscan.ledger/2", "nights": [], "more": 1}\n{"what": "ever"}\n')
    with pytest.raises(InputError, match="written by a newer anomscan") as caught:
        file.read()
    assert caught.value.hint == "update anomscan"


def test_one_writer_at_a_time(file):
    with file.held(), pytest.raises(LockedError, match="the ledger in"), file.held():
        pass


def test_something_else_in_the_way_is_named(file, tmp_path):
    (tmp_path / "incidents").write_text("mine")
    with pytest.raises(OutputError, match="incidents"), file.held():
        pass
    assert (tmp_path / "incidents").read_text() == "mine"
