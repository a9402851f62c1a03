"""The examples of docs/how-to/extending.md work when they are added as the page says."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from anomscan.backtest.asset import Stretch
from anomscan.backtest.cutoff_rules import CUTOFF_RULES
from anomscan.backtest.fleet import Backtest
from anomscan.backtest.rules import Rules
from anomscan.backtest.verdicts import Verdict, judge, judge_stretch
from anomscan.detectors import registry as detectors
from anomscan.errors import ConfigError
from anomscan.jobs.fetch.fetching import fetch_into
from anomscan.reports.records import Record
from anomscan.sources import registry as sources
from anomscan.sources.base import Request
from anomscan.store.store import Store
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Series

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "extending.md"
DETECTOR, SOURCE, CUTOFF, LISTING = re.findall(
    r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.fixture
def module(monkeypatch):
    """Makes a module of an example."""

    def make(code):
        made = ModuleType("extending_example")
        monkeypatch.setitem(sys.modules, made.__name__, made)
        exec(compile(code, PAGE.name, "exec"), made.__dict__)  # noqa: S102 - our own page
        return made

    return make


def test_a_detector_of_a_new_kind_finds_a_jump(module, monkeypatch):
    example = module(DETECTOR)
    monkeypatch.setitem(detectors._MODULES, "distance", example.__name__)
    values = np.random.default_rng(1).normal(1.0, 0.01, (100, 1))
    values[90] = 2.0
    days = np.arange(100).astype("datetime64[D]").astype("datetime64[us]")
    health = np.full(100, -1, np.int32)
    series = Series("A1", Cadence.parse("1D"), ("x",), days, values, health, ())
    rules = Rules(window=40, shingle=1, sigma=4.0, include_newest=True, calendar=True, skip_health=())
    with detectors.opened("mine", example.DistanceSettings(), pytest.fail) as detector:
        (found,) = Backtest(detector, rules, Stretch()).scan([series])
    assert found.series.timestamps[found.anomalous].astype("datetime64[D]").astype(str).tolist() == ["1970-04-01"]


@pytest.mark.parametrize("whole", [False, True])
def test_a_new_cutoff_rule_flags_what_lies_above_it(module, monkeypatch, whole):
    monkeypatch.setitem(CUTOFF_RULES, "fixed", module(CUTOFF).FIXED)
    scores = np.tile([1.0, 3.0], 30)
    rules = Rules(window=40, shingle=1, sigma=2.0, cutoff="fixed")
    none = np.zeros(60, bool)
    judged = (
        judge_stretch(scores, none, rules) if whole else judge(scores[None], none[None], rules).at((0, slice(None)))
    )
    first = 0 if whole else 39
    assert np.flatnonzero(judged.verdict == Verdict.ANOMALOUS).tolist() == list(range(first | 1, 60, 2))


def test_an_unknown_cutoff_rule_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"no cut-off rule 'median'.*one of 'mean-std'"):
        Rules(cutoff="median")


def test_a_source_of_a_new_kind_fills_the_store(module, monkeypatch, tmp_path):
    example = module(SOURCE)
    monkeypatch.setitem(sources._SOURCES, "constant", (example.__name__, "Constant"))
    source = sources.build("mine", SimpleNamespace(kind="constant"))
    store = Store.create(tmp_path / "store")
    report = fetch_into(store, source, Request())
    assert (report.rows, report.new, report.assets) == (3, 3, 1)
    assert store.read("mine", "A1").values.tolist() == [[1.0], [1.0], [1.0]]


def test_a_new_listing_names_the_assets_with_findings(module):
    example = module(LISTING)
    records = [
        Record("s", asset, "d", None, None, spans, [], {}, None)
        for asset, spans in (("A1", [("2026-01-01", "2026-01-02")]), ("A2", []))
    ]
    assert list(example.NAMES.lines(records, None)) == ["A1\n"]
