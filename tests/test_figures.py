"""Pictures of the documentation are made by scripts, and show what their pages say."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"


@pytest.fixture(scope="module")
def drawn() -> dict[str, Any]:
    """What the script of the pictures of four-sigma.md has."""
    return runpy.run_path(str(ROOT / "scripts" / "figures" / "four_sigma.py"))


def test_each_picture_is_made_by_make_figures_and_shown(drawn: dict[str, Any]) -> None:
    target = re.search(r"^figures:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert target is not None
    made = {*drawn["NAMES"], *re.findall(r"docs/images/(\S+)", target[1])}
    assert {path.name for path in IMAGES.iterdir()} == made
    pages = "".join(page.read_text("utf-8") for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
    assert set(re.findall(r"images/([\w-]+\.\w+)\)", pages)) == made


def flagged(drawn: dict[str, Any], ratios: Any, detector: str) -> tuple[int, set[str]]:
    """On how many days of the low month the low plant is flagged, and which others ever are."""
    scores = drawn["scanned"](ratios, detector)
    found = scores[scores["score"] > scores["cutoff"]]
    month = (found.index >= drawn["WHEN"][drawn["LOW"].start]) & (found.index < drawn["WHEN"][drawn["LOW"].stop])
    own = found["asset"] == "p00"
    return int((own & month).sum()), {name for name in found["asset"][~own] if not name.startswith("cohort:")}


@pytest.mark.slow
def test_the_pictures_show_what_the_page_says(drawn: dict[str, Any]) -> None:
    healthy = drawn["region"]()
    low = drawn["low"]
    assert flagged(drawn, low(healthy, 0.2), "rcf")[0] > 0
    assert flagged(drawn, low(healthy, 0.2, stopped=True), "rcf")[0] == 0
    days, others = flagged(drawn, low(healthy, 0.1), "rcf")
    assert (days, len(others)) == (0, 13)
    days, others = flagged(drawn, low(healthy, 0.1), "control-chart")
    assert (days, others) == (28, set())
