"""The shapes of a report beside its pages: charts as files, listings."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def scanned(fetched):
    """A place with results."""
    fetched.good("scan", "--all", "-o", "results.jsonl")
    return fetched


@pytest.mark.parametrize("charts", ["svg", "png"])
def test_charts_are_files_when_asked_for(scanned, charts):
    code, _, err = scanned("report", "results.jsonl", "-o", "pages", "--charts", charts)
    assert (code, "1 chart page, 1 image" in err) == (0, True)
    assert [path.suffix for path in (scanned.folder / "pages" / "charts").glob("a-*") if path.suffix != ".html"] == [
        f".{charts}"
    ]


def test_without_being_asked_no_chart_is_a_file(scanned, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    scanned.good("report", "results.jsonl", "-o", "pages")
    assert {path.suffix for path in (scanned.folder / "pages" / "charts").iterdir()} == {".html"}
    code, _, err = scanned("report", "results.jsonl", "-o", "other", "--charts", "png")
    assert (code, "pip install 'anomscan[charts]'" in err) == (2, True)


def test_a_listing_has_no_charts(scanned):
    code, out, err = scanned("report", "results.jsonl", "--format", "csv", "--charts", "svg")
    assert (code, out) == (2, "")
    assert "--charts" in err
