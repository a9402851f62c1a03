"""What comes from outside stays text in a real browser, and the page's policy forbids what might yet slip through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anomscan.incidents.incident import Incident
from anomscan.incidents.ledger import Acknowledged, Entry, Ledger, Note, Spell
from anomscan.reports.fleet.known import FleetFacts
from anomscan.reports.fleet.told import Memory
from anomscan.reports.html import Report
from anomscan.reports.records import Record
from anomscan.telemetry.series import Series
from fleets import daily
from reports.test_html import HOSTILE, found, scores_of
from servers.chromium import Chromium, Opened

pytestmark = pytest.mark.servers


def hostile(place: int) -> Record:
    """One of which every text is hostile."""
    text = HOSTILE[place]
    one = Incident(
        *(f"{place:012}", text, "2017-01-03", "2017-01-09", "2017-01-12", True, 1, None),
        *({text: 0.5}, {text: 1.0}, {text: -0.5}, {text: 2.0}, ((text, 0.9), ("w", 0.1)), None),
    )
    return replace(found(text, text), detector=text, incidents=[one])


def series_of(asset: str) -> Series:
    return daily(asset, np.ones(20), (asset,), health_codes=np.zeros(20, np.int32), health_names=(asset,))


def remembered(place: int) -> Entry:
    text, at = HOSTILE[place], "2017-01-20T00:00:00Z"
    spell = Spell("2017-01-03", "2017-01-09", "2017-01-12", 1)
    return Entry(
        *(f"{place:012}", "fleet", text, text, "2017-01-09", "new", "dropped", (spell,), "2017-01-09"),
        acknowledged=Acknowledged(text, at, text),
        notes=(Note(text, text, at),),
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    places = range(len(HOSTILE))
    who = {text: dict.fromkeys(("name", "cohort", "tags"), text) | {"url": text} for text in HOSTILE}
    memory = Memory.of(Ledger.of(map(remembered, places), {("fleet", "x"): "2017-01-20"}), "fleet", "x", "2017-01-20")
    path = tmp_path_factory.mktemp("page") / "fleet.html"
    report = Report(series_of, scores_of, known=FleetFacts(memory=memory, who=who), run_facts={HOSTILE[1]: HOSTILE[1]})
    report.file(map(hostile, places), path)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


def leads_only_within(shown: Opened) -> bool:
    places = shown.page.evaluate("() => [...document.querySelectorAll('[href]')].map((each) => each.href)")
    return all(place.startswith("file:") and "#" in place for place in places)


def test_hostile_text_is_only_ever_text(browser: Chromium, page: Path) -> None:
    with browser.opened(page) as shown:
        assert leads_only_within(shown)
        for text in HOSTILE:
            shown.page.evaluate("(asset) => { location.hash = new URLSearchParams({ asset }); }", text)
            shown.page.locator("#asset-view .panel").first.wait_for()
            shown.page.evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
            assert leads_only_within(shown)
            assert shown.page.locator("#asset-view h1").text_content() == text
            told = shown.page.locator("#asset-view").text_content() or ""
            assert told.count(text) > 8  # its name, variable, health, notes, by whom, and what the charts say
            assert shown.page.locator("img, iframe, object, base, #asset-view script").count() == 0
            assert not shown.scrolls_sideways
        assert (shown.complaints, shown.requests) == ([], [page.resolve().as_uri()])


def test_the_policy_forbids_handlers_and_the_network(browser: Chromium, page: Path) -> None:
    with browser.opened(page) as shown:
        shown.page.evaluate(
            """() => document.body.insertAdjacentHTML("beforeend",
                '<img src="https://example.com/x.png"><img src="data:," onerror="window.ran = true">')"""
        )
        refused = shown.page.evaluate("() => fetch('https://example.com/').then(() => 'open', () => 'refused')")
        assert refused == "refused"
        assert shown.page.evaluate("() => window.ran") is None
        assert sum("Content Security Policy" in each for each in shown.complaints) >= 3
