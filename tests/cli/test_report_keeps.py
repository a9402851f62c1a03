"""What a report must not lose, and what it must not show as if it had been known."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from anomscan.reports.listings import FORMATS


@pytest.fixture
def reported(fetched):
    """A place with results and their report."""
    fetched.good("scan", "--all", "-o", "results.jsonl")
    fetched.good("report", "results.jsonl", "-o", "pages")
    return fetched


def pages(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.html")}


def test_an_empty_pipe_leaves_the_report_as_it_is(reported, monkeypatch):
    before = pages(reported.folder / "pages")
    assert len(before) == 2
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    code, _, err = reported("report", "-", "-o", "pages")
    assert (code, "the results hold no record" in err) == (2, True)
    assert pages(reported.folder / "pages") == before


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_an_empty_file_leaves_the_list_as_it_is(reported, format_):
    reported.good("report", "results.jsonl", "--format", format_, "-o", "list")
    before = (reported.folder / "list").read_bytes()
    reported.write("empty.jsonl", "\n")
    assert reported("report", "empty.jsonl", "--format", format_, "-o", "list")[0] == 2
    assert (reported.folder / "list").read_bytes() == before


def test_the_page_of_an_asset_that_failed_stays(reported):
    before = pages(reported.folder / "pages")
    scores = (reported.folder / "scores.csv").read_text().splitlines()
    reported.write("scores.csv", "\n".join(line for line in scores if not line.startswith("a,")) + "\n")
    assert reported("scan", "--all", "-o", "results.jsonl")[0] == 4
    reported.good("report", "results.jsonl", "-o", "pages")
    after = pages(reported.folder / "pages")
    assert {name: after[name] for name in before if name != "index.html"} == {
        name: page for name, page in before.items() if name != "index.html"
    }


def test_after_a_revision_the_values_are_those_that_were_known(reported):
    facts = json.loads((reported.folder / "results.jsonl.run.json").read_text())
    reported.write("results.jsonl.run.json", json.dumps(facts | {"started": "2100-01-01T00:00:00+00:00"}))
    code, _, err = reported("report", "results.jsonl", "-o", "same")
    assert (code, "has changed" in err) == (0, False)
    telemetry = (reported.folder / "telemetry.csv").read_text().splitlines()
    assert telemetry[101].startswith("a,2016-04-10,")
    reported.write("telemetry.csv", "\n".join([telemetry[0], "a,2016-04-10,0.123456789,Ok"]) + "\n")
    reported.good("fetch", "--from", "2016-04-10")
    reported.write("results.jsonl.run.json", json.dumps(facts))
    _, _, err = reported("report", "results.jsonl", "-o", "then")
    assert (
        f"the store has changed since the run: charts show the values that were known then, {facts['started']}" in err
    )
    (then,) = (page for name, page in pages(reported.folder / "then").items() if name != "index.html")
    assert b"0.123456789" not in then
    reported.write("results.jsonl.run.json", json.dumps({**facts, "started": "nonsense"}))
    _, _, err = reported("report", "results.jsonl", "-o", "today")
    assert "charts show the values of today" in err


def test_the_values_that_were_known_are_told_by_arrivals_not_by_the_clock(reported):
    """The clock of the run was behind that of the fetch; so is that of the fetch after it."""
    facts = json.loads((reported.folder / "results.jsonl.run.json").read_text())
    assert facts["data_arrived"] > "2020"
    reported.write(
        "results.jsonl.run.json", json.dumps({**facts, "data_hash": "0", "started": "1970-01-01T00:00:00+00:00"})
    )
    reported.good("report", "results.jsonl", "-o", "arrived")
    (page,) = (page for name, page in pages(reported.folder / "arrived").items() if name != "index.html")
    reported.write("results.jsonl.run.json", json.dumps(facts))
    reported.good("report", "results.jsonl", "-o", "plain")
    (plain,) = (page for name, page in pages(reported.folder / "plain").items() if name != "index.html")
    assert page == plain
