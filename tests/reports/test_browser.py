"""The page of a fleet in a real browser, from the disk and without a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from anomscan.reports import html
from anomscan.reports.html import Report
from anomscan.reports.records import Record
from reports.test_html import HOSTILE, found, quiet, scores_of, series_of
from servers.chromium import Opened, opened

pytestmark = pytest.mark.servers

FLEET = [*HOSTILE, *(f"S{number:04}" for number in range(1_990))]


def records() -> list[Record]:
    """2,000 assets, the hostile ones and a few others with findings; the first is the worst."""
    return [
        replace(found(asset), anomalies=[replace(found(asset).anomalies[0], score=40.0 - place)])
        if place < 20
        else quiet(asset)
        for place, asset in enumerate(FLEET)
    ]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "fleet.html"
    Report(series_of=series_of, scores_of=scores_of).file(records(), path)
    return path


def look(page: Path, folder: Path, width: int = 1366, **address: str) -> Opened:
    shown = opened(page, urlencode(address), width=width, folder=folder / "browser")
    assert shown.console == []
    return shown


@pytest.mark.parametrize("width", [1366, 390])
def test_it_opens_without_a_complaint_and_shows_the_fleet(page: Path, tmp_path: Path, width: int) -> None:
    shown = look(page, tmp_path, width)
    assert shown.text["shown"] == "2,000 of 2,000 assets"
    assert HOSTILE[0] in shown.text["fleet-view"]
    assert "<img src=x" not in shown.html
    # Rows beyond the screen are made when they come into sight.
    assert "S1989" not in shown.text["fleet-view"]


def test_the_address_keeps_search_and_filters(page: Path, tmp_path: Path) -> None:
    shown = look(page, tmp_path, q="s1989")
    assert shown.text["shown"] == "1 of 2,000 assets"
    assert "S1989" in shown.text["fleet-view"]
    assert look(page, tmp_path, state="closed").text["shown"] == "20 of 2,000 assets"
    assert look(page, tmp_path, q="no such asset").text["shown"] == "0 of 2,000 assets"


@pytest.mark.parametrize("asset", HOSTILE)
def test_an_asset_opens_by_its_address_whatever_it_is_called(page: Path, tmp_path: Path, asset: str) -> None:
    shown = look(page, tmp_path, asset=asset)
    assert asset.split("\u2028", maxsplit=1)[0] in shown.text["asset-view"]
    assert "Incidents" in shown.text["asset-view"]


def test_a_view_that_was_left_out_for_its_size_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "_VIEWS", 0)
    path = tmp_path / "small.html"
    Report(series_of=series_of, scores_of=scores_of).file(records()[:30], path)
    shown = look(path, tmp_path, asset=HOSTILE[1])
    assert HOSTILE[1] in shown.text["asset-view"]
    assert "Its charts were left out of this file for its size." in shown.text["asset-view"]
