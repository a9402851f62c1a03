"""The page of a fleet in a real browser, from the disk and without a network, used as a reader would use it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest

from anomscan.incidents.incident import Incident
from anomscan.reports import html
from anomscan.reports.fleet.known import FleetFacts
from anomscan.reports.html import Report
from anomscan.reports.records import Record
from fleets import daily
from reports.test_drawing import amiss
from reports.test_html import HOSTILE, failed, found, quiet, scores_of, series_of
from servers.chromium import Chromium, Opened

pytestmark = pytest.mark.servers

FLEET = [*HOSTILE, *(f"S{number:04}" for number in range(1_990))]
KINDS = ("dropped", "zero", "silent", "raised")
WHO = {
    asset: {"cohort": f"R{place % 5}", "tags": "snow" if place % 10 == 3 else ""} for place, asset in enumerate(FLEET)
}


def record(place: int, asset: str) -> Record:
    """The first 20 have an incident each, the first the worst, every other one open; the last could not be read."""
    if place == len(FLEET) - 1:
        return failed(asset, "no column 'prt7'")
    if place >= 20:
        return quiet(asset)
    one = Incident(
        *(None, KINDS[place % 4], f"2017-01-{place % 10 + 1:02}", "2017-01-09", "2017-01-12", place % 2 == 0, 1, None),
        *({"prt7": 0.5}, {"prt7": 1.0}, {"prt7": -0.5 + place / 100}, {"prt7": 2.0 + place}, (("prt7", 1.0),), None),
    )
    return replace(found(asset), anomalies=[replace(found(asset).anomalies[0], score=40.0 - place)], incidents=[one])


def records() -> list[Record]:
    return [record(place, asset) for place, asset in enumerate(FLEET)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "fleet.html"
    Report(series_of=series_of, scores_of=scores_of, known=FleetFacts(who=WHO)).file(records(), path)
    return path


@contextmanager
def look(browser: Chromium, page: Path, *, width: int = 1366, dark: bool = False, **address: str) -> Iterator[Opened]:
    """Open a page and, at the end, make sure that it neither complained nor asked for anything nor scrolls sideways."""
    with browser.opened(page, urlencode(address), width=width, dark=dark) as shown:
        yield shown
        assert shown.complaints == []
        assert shown.requests == [page.resolve().as_uri()]
        assert not shown.scrolls_sideways


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_it_opens_without_a_complaint_and_shows_the_fleet(
    browser: Chromium, page: Path, width: int, dark: bool
) -> None:
    with look(browser, page, width=width, dark=dark) as shown:
        assert shown.text("#shown") == "2,000 of 2,000 assets"
        assert HOSTILE[0] in shown.text("#fleet-view")
        assert shown.page.locator("img").count() == 0
        # Rows beyond the screen are made when they come into sight.
        assert "S1989" not in shown.text("#rows")
        shown.page.evaluate("() => window.scrollTo(0, document.body.scrollHeight)")
        shown.page.locator("#rows .row", has_text="S1989").wait_for()
        luminous = sum(map(int, re.findall(r"\d+", background(shown))[:3])) > 384
        assert luminous is not dark


def background(shown: Opened) -> str:
    return str(shown.page.evaluate("() => getComputedStyle(document.body).backgroundColor"))


def test_search_and_filters_leave_what_is_wanted_and_the_address_keeps_them(browser: Chromium, page: Path) -> None:
    with look(browser, page) as shown:
        shown.page.fill("#f-q", "s1989")
        assert shown.text("#shown") == "1 of 2,000 assets"
        assert "S1989" in shown.text("#rows")
        shown.page.fill("#f-q", "no such asset")
        assert shown.text("#shown") == "0 of 2,000 assets"
        shown.page.click("button[type=reset]")
        shown.page.select_option("#f-state", "closed")
        assert shown.text("#shown") == "10 of 2,000 assets"
        shown.page.select_option("#f-kind", "zero")
        assert shown.text("#shown") == "5 of 2,000 assets"
        shown.page.select_option("#f-cohort", "R1")
        assert shown.text("#shown") == "1 of 2,000 assets"
        address = shown.page.url.partition("#")[2]
        shown.page.click("button[type=reset]")
        shown.page.select_option("#f-tag", "snow")
        assert shown.text("#shown") == "200 of 2,000 assets"
        shown.page.click("button[type=reset]")
        shown.page.check("#f-unjudged")
        assert shown.text("#shown") == "1 of 2,000 assets"
        assert "no column 'prt7'" in shown.text("#rows")
    with look(browser, page, **dict(each.split("=") for each in address.split("&"))) as again:
        assert again.text("#shown") == "1 of 2,000 assets"
        assert again.page.input_value("#f-kind") == "zero"


def test_a_range_of_days_leaves_the_incidents_that_touch_it(browser: Chromium, page: Path) -> None:
    with look(browser, page) as shown:
        shown.page.fill("#f-to", "2017-01-03")
        assert shown.text("#shown") == "6 of 2,000 assets"
        shown.page.fill("#f-from", "2017-01-13")
        shown.page.fill("#f-to", "2017-01-20")
        assert shown.text("#shown") == "0 of 2,000 assets"


def names(shown: Opened) -> list[str]:
    return shown.page.locator("#rows .body .cell.asset bdi").all_inner_texts()


def test_the_table_is_sorted_as_asked(browser: Chromium, page: Path) -> None:
    with look(browser, page) as shown:
        shown.page.select_option("#f-sort", "loss")
        assert names(shown)[:2] == ["S0009", "S0008"]
        shown.page.select_option("#f-sort", "deviation")
        assert names(shown)[0] == HOSTILE[0]
        shown.page.select_option("#f-sort", "asset")
        assert names(shown)[0] == min(FLEET)


@pytest.mark.parametrize("asset", HOSTILE)
def test_an_asset_opens_by_its_address_whatever_it_is_called(browser: Chromium, page: Path, asset: str) -> None:
    with look(browser, page, asset=asset) as shown:
        assert shown.page.locator("#asset-view h1").text_content() == asset
        assert "Incidents" in shown.text("#asset-view")
        assert shown.page.locator("#asset-view canvas").count() > 3


def test_a_click_opens_an_asset_and_going_back_finds_the_table_as_it_was(browser: Chromium, page: Path) -> None:
    with look(browser, page, width=390) as shown:
        shown.page.fill("#f-q", "r2")
        shown.page.locator("#rows .row", has_text=HOSTILE[2]).first.click()
        assert shown.page.locator("#asset-view h1").text_content() == HOSTILE[2]
        assert not shown.scrolls_sideways
        incidents = shown.page.locator("#asset-view .wide", has=shown.page.locator(".cards-on-phones"))
        assert incidents.evaluate("(each) => each.scrollWidth <= each.clientWidth")
        shown.page.click(".back")
        shown.page.locator("#fleet-view").wait_for()
        assert (shown.page.input_value("#f-q"), shown.text("#shown")) == ("r2", "400 of 2,000 assets")


def test_hovering_tells_of_a_day(browser: Chromium, page: Path) -> None:
    with look(browser, page) as shown:
        shown.page.locator("#rows .body canvas").first.hover(position={"x": 2, "y": 20})
        assert shown.text("#tip").startswith("2017-01-01")
        assert "ok" in shown.text("#tip")
        shown.page.locator("#timeline").hover()
        assert "with an incident" in shown.text("#tip")
        shown.page.mouse.move(2, 2)
        shown.page.locator("#tip").wait_for(state="hidden")
    with look(browser, page, asset=HOSTILE[0]) as shown:
        shown.page.locator(".panel .u-over").first.hover()
        assert re.search(r"time:?\s*2017-01-\d\d", shown.text(".panel .u-legend >> nth=0"))
        shown.page.locator(".strip canvas").last.hover()
        assert "ok" in shown.text("#tip")


def test_contributions_are_those_of_the_incident_in_view(browser: Chromium, tmp_path: Path) -> None:
    first, last = (
        replace(record(0, "a").incidents[0], since=day, first_flagged=day, last=day, open=False, variables=shares)
        for day, shares in (("2017-01-02", (("y", 0.9), ("prt7", 0.1))), ("2017-06-19", (("prt7", 0.8), ("y", 0.2))))
    )
    path = tmp_path / "one.html"
    asset = replace(record(0, "a"), incidents=[first, last])
    Report(series_of=lambda asset: daily(asset, np.ones(200), ("prt7",)), scores_of=scores_of).file([asset], path)
    with look(browser, path, asset="a") as shown:
        assert shown.page.locator(".share").all_inner_texts() == ["prt7\n80 %", "y\n20 %"]
        shown.page.locator("tr", has_text="2017-01-02").get_by_role("button", name="show").click()
        assert shown.page.locator(".share").all_inner_texts() == ["y\n90 %", "prt7\n10 %"]


def test_every_chart_is_a_table_too(browser: Chromium, page: Path) -> None:
    with look(browser, page, asset=HOSTILE[0]) as shown:
        charts = shown.page.locator(".panel").count()
        assert shown.page.locator(".numbers").count() == charts + 1
        shown.page.get_by_text("incidents, verdicts as a table").click()
        rows = shown.page.locator(".numbers table").first.locator("tbody tr")
        rows.first.wait_for()  # a table is made when it is opened
        told = rows.all_inner_texts()
        assert [row.split("\t") for row in told][1:] == [["verdicts", "ok", "2017-01-01", "2017-01-20"]]
        assert told[0].endswith("2017-01-01\t2017-01-12")
        for place in range(1, charts + 1):
            shown.page.locator(".numbers summary").nth(place).click()
            shown.page.locator(".numbers").nth(place).get_by_text("2017-01-09").first.wait_for()
        assert shown.faults() == []
    with look(browser, page) as shown:
        shown.page.locator("#timeline-table summary").click()
        shown.page.locator("#timeline-table").get_by_text("2017-01-09").first.wait_for()


def test_all_of_it_is_done_by_keyboard(browser: Chromium, page: Path) -> None:
    with look(browser, page) as shown:
        keys = shown.page.keyboard
        keys.press("/")
        keys.type("R0")
        assert shown.text("#shown") == "400 of 2,000 assets"
        while not shown.page.evaluate("() => document.activeElement.matches('#rows .row')"):
            assert shown.page.evaluate("() => document.activeElement !== document.body"), "the table is not reached"
            keys.press("Tab")
        keys.press("End")
        assert "S1985" in shown.text("#rows .row:focus")
        keys.press("Home")
        keys.press("ArrowDown")
        asset = shown.page.locator("#rows .row:focus .asset bdi").text_content()
        keys.press("Enter")
        assert shown.page.locator("#asset-view h1").text_content() == asset
        before = shown.text("#asset-view [role=status]")
        shown.page.locator(".moving").focus()
        keys.press("+")
        assert shown.text("#asset-view [role=status]") != before
        keys.press("Escape")
        shown.page.locator("#fleet-view").wait_for()
        assert shown.page.evaluate("() => document.activeElement.matches('#rows .row')")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
@pytest.mark.parametrize("asset", ["", HOSTILE[1]], ids=["fleet", "asset"])
def test_axe_finds_nothing_serious(browser: Chromium, page: Path, asset: str, width: int, dark: bool) -> None:
    with look(browser, page, width=width, dark=dark, **({"asset": asset} if asset else {})) as shown:
        shown.page.evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert shown.faults() == []


@pytest.mark.parametrize("asset", ["", HOSTILE[1]], ids=["fleet", "asset"])
def test_it_prints(browser: Chromium, page: Path, tmp_path: Path, asset: str) -> None:
    with look(browser, page, **({"asset": asset} if asset else {})) as shown:
        shown.page.pdf(path=tmp_path / "page.pdf", format="A4")
        assert (tmp_path / "page.pdf").read_bytes().count(b"/Type /Page\n") < 40
        shown.page.set_viewport_size({"width": 718, "height": 1000})  # A4 within its margins
        shown.page.emulate_media(media="print")
        shown.page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
        assert not shown.page.locator("#filters").is_visible()
        widths = shown.page.evaluate("() => [...document.querySelectorAll('.uplot')].map((each) => each.scrollWidth)")
        assert all(width <= 718 for width in widths)
        if not asset:
            assert shown.text("#not-printed").startswith("The first 300 of 2,000 rows are printed")


def test_axe_would_find_what_is_wrong(browser: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        '<html lang="en"><title>t</title><p style="color: #ccc; background: #fff">pale</p><button></button>'
    )
    with browser.opened(page) as shown:
        assert [fault.split()[0] for fault in shown.faults()] == ["button-name", "color-contrast"]


def test_a_folder_is_walked_from_page_to_page(browser: Chromium, tmp_path: Path) -> None:
    written = Report(series_of=series_of, scores_of=scores_of, known=FleetFacts(who=WHO)).folder(
        records()[:30], tmp_path
    )
    for width in (1366, 390):
        with look(browser, written.index, width=width):
            pass
        (chart,) = [each for each in (tmp_path / "charts").glob("*.html") if each.name.startswith("x-")]
        with browser.opened(chart, width=width) as shown:
            assert shown.page.locator("h1").text_content() == HOSTILE[0]
            assert not shown.scrolls_sideways
            assert shown.faults() == []
            shown.page.click(".back")
            assert shown.text("#shown") == "30 of 30 assets"
            assert (shown.complaints, len(shown.requests)) == ([], 2)


def test_a_view_that_was_left_out_for_its_size_is_told_in_words(
    browser: Chromium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "_VIEWS", 0)
    path = tmp_path / "small.html"
    Report(series_of=series_of, scores_of=scores_of).file(records()[:30], path)
    with look(browser, path, asset=HOSTILE[1]) as shown:
        assert HOSTILE[1] in shown.text("#asset-view")
        assert "Its charts were left out of this file for its size." in shown.text("#asset-view")


def test_a_page_of_very_many_anomalous_samples_opens_and_says_what_it_left_out(
    browser: Chromium, tmp_path: Path
) -> None:
    record, series, scores = amiss(20_000, 4)
    page = tmp_path / "fleet.html"
    Report(series_of=lambda asset: series, scores_of=lambda asset: scores).file([record], page)
    assert page.stat().st_size < 3_000_000
    with look(browser, page, asset=record.asset) as shown:
        view = shown.text("#asset-view")
        assert f"200 of {len(record.incidents)} incidents are told" in view
        assert f"marked, of {len(record.anomalies):,} in all" in view
        assert shown.page.locator(".panel h3").all_inner_texts() == ["score and cut-off", "v0", "v1", "v2", "v3"]
        assert shown.page.locator(".panel canvas").count() == 5
        assert shown.faults() == []
