"""The pages hold together: each link leads to a file, and to a heading of it; the site builds, and asks nobody else."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from anomscan.cli.commands import COMMANDS
from anomscan.config.settings import Settings
from anomscan.errors import ExitCode
from anomscan.reports.schemas import NAMES, schema

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("examples/*/README.md")),
]
#: Pages that are made from the code when the site is built.
MADE = {ROOT / "docs" / "reference" / f"{name}.md" for name in ("commands", "exit-codes", "records", "settings")}


def prose(page: Path) -> str:
    """A page without what is set apart as code."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links, on GitHub and on the site alike."""
    headings = re.findall(r"^#+ +(.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, heading = target.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        there = (page.parent / path).resolve() if path else page
        if there in MADE:
            continue
        assert there.exists(), target
        if heading:
            assert heading in anchors(there), target


def test_names_of_pages_in_code_and_settings_exist():
    """Messages and comments name pages by their path in the repository."""
    for file in [ROOT / "config.example.toml", *ROOT.glob("src/**/*.py"), *PAGES]:
        for name in re.findall(r"(?<![\w/.[-])docs/[\w/-]+\.md", file.read_text("utf-8")):
            assert (ROOT / name).is_file(), f"{file}: {name}"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as ``make docs`` builds it."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


class Page(HTMLParser):
    """What a page loads, what it leads to, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.words: list[str] = []
        self.feed(path.read_text("utf-8"))
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        wanted = {"script": "src", "img": "src", "iframe": "src", "link": "href"}.get(tag)
        if wanted and known.get(wanted):
            self.loads.append(str(known[wanted]))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.slow
def test_pages_of_the_site_load_nothing_from_elsewhere(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 25
    for path in pages:
        for target in Page(path).loads:
            assert not re.match(r"[a-z]+:|//", target), f"{path.name}: {target}"
            # The page for what is not there has addresses from the root.
            if path.name != "404.html":
                assert (path.parent / target.partition("?")[0]).exists(), f"{path.name}: {target}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", sheet.read_text("utf-8")), sheet.name


def test_the_reference_of_the_site_has_all_there_is(site):
    commands = Page(site / "reference" / "commands.html").text
    assert all(f"anomscan {name}" in commands for name in COMMANDS)
    assert "anomscan incidents snooze" in commands
    codes = Page(site / "reference" / "exit-codes.html").text
    assert all(code.meaning.split("`")[0].strip() in codes for code in ExitCode)
    records = Page(site / "reference" / "records.html").text
    for name in NAMES:
        assert schema(name)["title"] in records
        assert json.loads((site / "reference" / "schemas" / f"{name}.json").read_text("utf-8")) == schema(name)


def test_the_reference_says_what_each_setting_means(site):
    sections = Settings.model_json_schema()["$defs"].values()
    text = (site / "reference" / "settings.html").read_text("utf-8")
    rows = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)]
    told = [cells for cells in rows if cells]
    assert [cells[0] for cells in told if not cells[-1]] == []
    named = {re.sub("<.*?>", "", cells[0]) for cells in told}
    assert named == {key for each in sections for key, about in each["properties"].items() if "const" not in about}


def test_a_large_fault_lifts_the_cut_off_as_the_page_says():
    window = np.random.default_rng(1).normal(size=360)
    window = (window - window.mean()) / window.std(ddof=1)
    assert round(window.mean() + 4 * window.std(ddof=1)) == 4
    window[100:107] += 20
    assert round(window.mean() + 4 * window.std(ddof=1)) == 12
    page = (ROOT / "docs" / "explanation" / "four-sigma.md").read_text("utf-8")
    assert "lift the cut-off of a window of 360 from 4 to 12" in " ".join(page.split())
