"""The JSON Schemas hold for what is really written, and name every key of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

import anomscan as an
from anomscan.backtest.verdicts import Verdict
from anomscan.incidents.incident import KINDS, Peak
from anomscan.incidents.ledger import STATES, Acknowledged, Entry, Label, Note, Snoozed
from anomscan.incidents.notify.digest import ORDER, Digest, Told, items
from anomscan.jobs.incidents import as_json
from anomscan.reports.comparisons import SCHEMA as COMPARE_SCHEMA
from anomscan.reports.injections import SCHEMA as INJECT_SCHEMA
from anomscan.reports.records import DETECT_SCHEMA, SCAN_SCHEMA, read_records, record_line
from anomscan.reports.results import run_path
from anomscan.reports.schemas import NAMES, schema
from incidents.entries import entry
from reports.any_records import records

ROOT = Path(__file__).parents[2]
BY, AT = "eve", "2026-03-10T03:15:00Z"
MARKED = entry(
    "S2",
    cohort="R1",
    common="cohort:R1",
    peak=Peak("2026-03-02", 2.5, None),
    severity=0.4,
    deviation={"prt7": -0.25},
    acknowledged=Acknowledged(BY, AT, "known"),
    snoozed=Snoozed("2026-04-01", BY, AT, "spare part"),
    labels=(Label("fault", BY, AT),),
    notes=(Note("ordered", BY, AT),),
)


def objects(node: object):
    """All objects of a schema that are schemas of objects with known keys."""
    if isinstance(node, dict):
        if "properties" in node:
            yield node
        for each in node.values():
            yield from objects(each)
    elif isinstance(node, list):
        for each in node:
            yield from objects(each)


def validator(name: str, *, closed: bool = True) -> Draft202012Validator:
    """Of a schema; closed, it refuses keys that it does not name, which readers should pass over."""
    content = schema(name)
    for each in objects(content) if closed else ():
        # The settings of a detector are as many as there are detectors.
        each["additionalProperties"] = list(each["properties"]) == ["kind"]
    return Draft202012Validator(content, format_checker=Draft202012Validator.FORMAT_CHECKER)


RECORD, RUN, INCIDENTS, DIGEST, COMPARE, INJECT = (validator(name) for name in NAMES)


def test_there_is_a_name_for_each_file():
    folder = ROOT / "src" / "anomscan" / "reports" / "schemas"
    assert {path.stem for path in folder.glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_schema_and_tells_what_each_key_means(name):
    content = schema(name)
    Draft202012Validator.check_schema(content)
    assert content["$id"] == f"urn:anomscan:{name}"
    for each in objects(content):
        for key, about in each["properties"].items():
            assert about.get("description") or about.get("$ref") == "#/$defs/timestamp", key


def test_what_the_schemas_list_is_what_the_code_knows():
    record, incidents, digest = schema("record-2"), schema("incidents"), schema("digest-1")
    assert record["properties"]["schema"]["enum"] == [SCAN_SCHEMA, DETECT_SCHEMA]
    assert list(record["properties"]["verdicts"]["properties"]) == [verdict.text for verdict in Verdict]
    assert record["$defs"]["incident"]["properties"]["kind"]["enum"] == list(KINDS)
    for about in (incidents, digest):
        assert about["$defs"]["incident"]["properties"]["kind"]["enum"] == list(KINDS)
        assert about["$defs"]["incident"]["properties"]["state"]["enum"] == list(STATES)
    assert schema("compare-1")["properties"]["kinds"]["propertyNames"]["enum"] == list(KINDS)
    assert schema("compare-1")["properties"]["schema"]["const"] == COMPARE_SCHEMA
    assert schema("inject-1")["properties"]["schema"]["const"] == INJECT_SCHEMA
    assert digest["$defs"]["item"]["properties"]["what"]["enum"] == list(ORDER)


@given(records)
def test_any_record(record):
    line = json.loads(record_line(record))
    RECORD.validate(line)
    assert list(line) == list(schema("record-2")["properties"])


@pytest.mark.parametrize("path", ["tests/reports/golden/records.jsonl", "examples/ci/golden/results.jsonl"])
def test_golden_records(path):
    lines = (ROOT / path).read_text("utf-8").splitlines()
    assert lines
    for line in lines:
        RECORD.validate(json.loads(line))


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "anomscan.scan/1"},
        {"asset": None},
        {"to": "2017-01-01 00:00"},
        {"spans": [["2017-01-01"]]},
        {"verdicts": {"ok": 1}},
        {"other": 1},
    ],
)
def test_what_is_no_record_is_refused(change):
    golden = (ROOT / "tests" / "reports" / "golden" / "records.jsonl").read_text("utf-8").splitlines()[0]
    with pytest.raises(ValidationError):
        RECORD.validate({**json.loads(golden), **change})
    if "other" in change:
        validator("record-2", closed=False).validate({**json.loads(golden), **change})


fleets = st.builds(
    lambda seed, assets, days, step, fault, hole: frame(np.random.default_rng(seed), assets, days, step, fault, hole),
    seed=st.integers(0, 10**6),
    assets=st.integers(1, 5),
    days=st.integers(3, 150),
    step=st.sampled_from(["1D", "1h"]),
    fault=st.sampled_from([0.0, 0.4, 0.9, 1.0]),
    hole=st.booleans(),
)


def frame(random, assets: int, days: int, step: str, fault: float, hole: bool) -> pd.DataFrame:
    """A fleet; the last fifth of its first asset is lower by a share, and a stretch of another may be missing."""
    values = 0.8 + random.normal(0, 0.03, days) + random.normal(0, 0.01, (assets, days))
    values[0, -max(days // 5, 1) :] *= 1 - fault
    table = pd.DataFrame(
        {
            "asset": np.repeat([f"p{number}" for number in range(assets)], days),
            "timestamp": np.tile(pd.date_range("2024-01-01", periods=days, freq=step), assets),
            "power": values.round(6).ravel(),
        }
    )
    return table.drop(table.index[-days // 3 : -2]) if hole and days > 12 else table


@settings(max_examples=12)
@given(fleets, st.sampled_from(["control-chart", "nearest"]), st.booleans())
def test_runs_on_any_fleet(fleet, detector, whole):
    step = "1D" if fleet["timestamp"].dt.hour.eq(0).all() else "1h"
    result = (an.detect if whole else an.scan)(fleet, detector=detector, cadence=step)
    for line in result.path.read_text("utf-8").splitlines():
        RECORD.validate(json.loads(line))
    RUN.validate(json.loads(run_path(result.path).read_text("utf-8")))
    assert next(read_records(result.path)).schema == (DETECT_SCHEMA if whole else SCAN_SCHEMA)


def test_a_run_with_all_facts_that_may_be_left_out(tmp_path, monkeypatch):
    from anomscan.cli.app import run

    frame(np.random.default_rng(1), 4, 150, "1D", 0.5, hole=False).to_csv(tmp_path / "fleet.csv", index=False)
    (tmp_path / "anomscan.toml").write_text(FULL, "utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(["-q", "fetch"]) == 0
    assert run(["-q", "scan", "--all", "-o", "results.jsonl", "--through", "2024-05-28", "--ledger"]) == 0
    facts = json.loads((tmp_path / "results.jsonl.run.json").read_text("utf-8"))
    RUN.validate(facts)
    optional = set(schema("run")["properties"]) - set(schema("run")["required"])
    assert optional - set(facts) == {"min_severity", "retrospective"}
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text("utf-8").splitlines()]
    assert any(line["incidents"] and line["incidents"][0]["id"] for line in lines)
    for line in lines:
        RECORD.validate(line)


@pytest.mark.slow
def test_set_ups_side_by_side_and_what_they_catch(tmp_path, monkeypatch, capsys):
    from anomscan.cli.app import run

    frame(np.random.default_rng(1), 6, 200, "1D", 0.5, hole=True).to_csv(tmp_path / "fleet.csv", index=False)
    (tmp_path / "anomscan.toml").write_text(FULL, "utf-8")
    (tmp_path / "labels.csv").write_text("asset,from,to,label,kind\np0,2024-06-09,2024-07-18,bad,string\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(["-q", "fetch"]) == 0
    # The second has no day to judge.
    (tmp_path / "anomscan.toml").write_text(FULL + "[detectors.late]\nkind = 'nearest'\nmin_history = 190\n", "utf-8")
    keys = list(schema("compare-1")["properties"])
    for options in ([], ["--labels", "labels.csv"], ["--faults", "3"]):
        capsys.readouterr()
        assert run(["-q", "compare", *options]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert len(lines) > 1
        for line in lines:
            COMPARE.validate(line)
            assert list(line) == [key for key in keys if key in line]
        assert any("faults" in line for line in lines) == ("--faults" in options)
        assert any(line["recall_by_kind"] for line in lines) == ("--labels" in options)
    assert any(line["left_out"] for line in lines)
    assert run(["-q", "inject", "--trials", "3"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines
    for line in lines:
        INJECT.validate(line)
        assert list(line) == list(schema("inject-1")["properties"])


FULL = """
[sources.fleet]
kind = "files"
path = "fleet.csv"
cadence = "1D"
timezone = "Europe/Berlin"
columns = { asset = "asset", timestamp = "timestamp", values = ["power"] }
[detectors.chart]
kind = "control-chart"
[defaults]
detector = "chart"
[[maintenance]]
assets = ["p3"]
from = "2024-02-01"
to = "2024-02-03"
reason = "inverter swap"
"""


@pytest.mark.parametrize("one", [entry(), MARKED, replace(MARKED, state="closed", closed="2026-03-20", worse=None)])
def test_incidents_of_the_ledger(one: Entry):
    (line,) = as_json([one], "2026-03-10")
    INCIDENTS.validate([json.loads(line)])
    assert list(json.loads(line)) == list(schema("incidents")["$defs"]["incident"]["properties"])


def test_what_a_target_is_told():
    told = [Told(entry(), "new", "k1"), Told(MARKED, "worse", "k2"), Told(entry("S3"), "open")]
    nights = {("fleet", "chart"): "2026-03-09"}
    for still_open in (None, items(told)):
        digest = Digest("ops", AT, nights, items(told[:2]), still_open)
        DIGEST.validate(json.loads(json.dumps(digest.as_json())))
    DIGEST.validate(json.loads(json.dumps(Digest("ops", AT, {}, [], is_test=True).as_json())))
