"""Reports: the size of a fleet's page, the CPU to write it and to show its rows; pages of assets beside their scan."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from benchmarks import fleets

from anomscan.incidents.incident import Incident
from anomscan.reports.fleet.cells import CODES
from anomscan.reports.fleet.known import FleetFacts
from anomscan.reports.fleet.payload import AssetVerdicts
from anomscan.reports.html import Report
from anomscan.reports.records import SCAN_SCHEMA, VERDICTS, Record
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Series

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from servers.chromium import Chromium  # the browser of the tests

FLEETS, PAGES = (10, 1_000, 10_000), 1_000
TIMES = fleets.FIRST + np.arange(fleets.DAYS) * fleets.DAY
FIRST, SINCE, LAST = (str(TIMES[place])[:10] for place in (0, -20, -1))


def record(number: int) -> Record:
    """An asset; one of twenty has dropped."""
    dropped = Incident(
        *(None, "dropped", SINCE, SINCE, LAST, True, 20, None),
        *({"prt7": 0.5}, {"prt7": 0.8}, {"prt7": -0.375}, {"prt7": 6.0}, (("prt7", 1.0),), None),
    )
    counts = dict.fromkeys(VERDICTS, 0) | {"ok": fleets.DAYS}
    found = [] if number % 20 else [dropped]
    return Record(SCAN_SCHEMA, f"asset-{number:06d}", "rcf", FIRST, LAST, [], [], counts, None, found)


def series(number: int) -> Series:
    values = 0.8 + np.random.default_rng(number).normal(0, 0.03, (fleets.DAYS, 1))
    return Series(f"asset-{number:06d}", Cadence.parse("1D"), ("prt7",), TIMES, values)


def judged(assets: int) -> Iterator[AssetVerdicts]:
    """Now and then a day is without data."""
    for number in range(assets):
        codes = np.full(fleets.DAYS, CODES["ok"], np.uint8)
        codes[number % 50 :: 50] = CODES["no-data"]
        yield AssetVerdicts(f"asset-{number:06d}", TIMES, codes)


def fleet_page(browser: Chromium, assets: int) -> None:
    """The one file of a fleet."""
    known = FleetFacts(
        begin=FIRST, every_series=lambda: map(series, range(assets)), judged=lambda: judged(assets)
    )  # fmt: skip
    report = Report(lambda asset: series(int(asset[6:])), lambda asset: None, known=known)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "fleet.html"
        cpu = time.process_time()
        report.file(map(record, range(assets)), page)
        cpu = time.process_time() - cpu
        with browser.opened(page) as shown:
            shown.page.locator("#rows .body .row").first.wait_for()
            shows = shown.cpu_s()
        print(
            f"{assets:6,} assets x 365 days: {page.stat().st_size / 1e6:.2f} MB (mark 8), written with {cpu:.1f} s of "
            f"CPU; rows are shown after {shows:.2f} s of the browser's CPU (mark 1)"
        )


def asset_pages() -> None:
    """A page for every asset."""
    with tempfile.TemporaryDirectory() as name, fleets.place(Path(name)) as store:
        fleets.fill(store, PAGES)
        fleets.command("train", "--through", "2016-12-31")
        scan, _ = fleets.command("scan", "--all", "-o", "results.jsonl")
        every = [f"--asset=asset-{asset:06d}" for asset in range(PAGES)]
        cpu, _ = fleets.command("report", "results.jsonl", "-o", "pages", *every)
        pages = list(Path("pages/charts").iterdir())
        assert len(pages) == PAGES
        size = sum(page.stat().st_size for page in pages) / PAGES
        print(
            f"{PAGES:,} pages of assets, {size / 1e3:.0f} kB each: {cpu / PAGES * 1e3:.1f} ms of CPU each with the "
            f"fleet's, {cpu / scan:.2f} times their scan (mark 1)"
        )


def main() -> None:
    with Chromium() as browser:
        for assets in FLEETS:
            fleet_page(browser, assets)
    asset_pages()


if __name__ == "__main__":
    main()
