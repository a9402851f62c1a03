"""A source whose variables or health change while its store goes on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from anomscan.store.store import Store
from cli.conftest import CONFIG, DAY, START, calm

HEADER = ["asset_id", "date", "prt7", "health_status", "temp"]
BOTH = CONFIG.replace('values = ["prt7"]', 'values = ["prt7", "temp"]')
BARE = CONFIG.replace(', health = "health_status"', "")
#: The options of a fetch that brings three days.
LAST = ("--from", str(START + 118 * DAY))


@pytest.fixture
def grown(place):
    """A place with 120 days in its store, whose file has grown by a day."""
    table(place, 120)
    place.good("fetch")
    table(place, 121)
    return place


def table(place, days):
    rows = [
        [asset, START + day * DAY, calm(day, number), "Unknown" if day == 118 else "Ok", 20 + calm(day, number)]
        for number, asset in enumerate("ab")
        for day in range(days)
    ]
    place.table("telemetry.csv", HEADER, rows)


def series(place):
    return Store.open(place.folder / "anomscan-data").read("fleet", "a")


def test_a_variable_that_is_added_is_fetched_and_old_rows_have_none(grown):
    grown.write("anomscan.toml", BOTH)
    code, _, err = grown("fetch", *LAST)
    assert code == 0
    assert " 0 revised" in err
    assert "now has temp: samples that this fetch did not bring have no value of it" in err
    found = series(grown)
    assert found.variables == ("prt7", "temp")
    assert len(found) == 121
    assert np.isnan(found.values).sum(axis=0).tolist() == [0, 118]
    assert np.isfinite(found.values[-3:]).all()
    again = grown("fetch", *LAST)[2]
    assert " 0 new, 0 revised" in again
    assert "now has" not in again


def test_its_history_is_brought_by_from_and_is_no_revision(grown):
    grown.write("anomscan.toml", BOTH)
    grown.good("fetch", *LAST)
    code, _, err = grown("fetch", "--from", str(START))
    assert code == 0
    assert " 0 revised" in err
    assert (series(grown).values[:, 1] > 20).all()
    Store.open(grown.folder / "anomscan-data").compact("fleet")
    assert (series(grown).values[:, 1] > 20).all()
    assert " 0 new, 0 revised" in grown("fetch", "--from", str(START))[2]


def test_a_value_that_changes_with_it_is_a_revision(grown):
    text = (grown.folder / "telemetry.csv").read_text()
    grown.write("telemetry.csv", text.replace(f"a,{START + 119 * DAY},", f"a,{START + 119 * DAY},1"))
    grown.write("anomscan.toml", BOTH)
    assert " 1 revised" in grown("fetch")[2]


def test_models_say_what_they_need_and_scans_go_on(grown):
    grown.good("train", "--detector", "rcf")
    before = grown.good("scan", "--all", "--detector", "rcf")
    grown.write("anomscan.toml", BOTH)
    assert grown.good("scan", "--all", "--detector", "rcf") == before  # nothing was fetched yet
    grown.good("fetch", *LAST)
    code, _, err = grown("scan", "--all", "--detector", "rcf")
    assert code == 2
    assert "was trained with variables prt7, this run has prt7, temp" in err
    assert "run anomscan train" in err
    code, _, err = grown("train", "--detector", "rcf")
    assert code == 2
    assert "no 60 consecutive finite samples" in err
    grown.good("fetch", "--from", str(START))
    grown.good("train", "--detector", "rcf")
    grown.good("scan", "--all", "--detector", "rcf")


def test_health_that_is_dropped_makes_no_revisions(grown):
    grown.write("anomscan.toml", BARE)
    code, _, err = grown("fetch", "--from", str(START))
    assert code == 0
    assert "2 new, 0 revised, 240 unchanged" in err
    found = series(grown)
    assert (found.health(118), found.health(119), found.health(120)) == ("Unknown", "Ok", None)


def test_a_variable_that_is_left_out_makes_no_revisions(grown):
    grown.write("anomscan.toml", BOTH)
    grown.good("fetch", "--from", str(START))
    table(grown, 123)
    grown.write("anomscan.toml", CONFIG)
    code, _, err = grown("fetch", "--from", str(START))
    assert code == 0
    assert "4 new, 0 revised, 242 unchanged" in err
    assert "source 'fleet' no longer has temp" in err
    found = series(grown)
    assert (found.variables, len(found)) == (("prt7",), 123)
    assert np.isfinite(found.values).all()
    assert "no longer" not in grown("fetch")[2]
    # It may come back; what was stored meanwhile has no value of it until it is fetched.
    grown.write("anomscan.toml", BOTH)
    table(grown, 124)
    assert " 2 new, 0 revised" in grown("fetch", "--from", str(START + 123 * DAY))[2]
    assert np.isnan(series(grown).values[:, 1]).tolist() == [False] * 121 + [True] * 2 + [False]
    assert " 0 revised" in grown("fetch", "--from", str(START))[2]
    assert (series(grown).values[:, 1] > 20).all()


def test_variables_that_are_left_out_go_with_a_compaction(grown):
    grown.write("anomscan.toml", BOTH)
    grown.good("fetch", "--from", str(START))
    grown.write("anomscan.toml", CONFIG)
    table(grown, 122)
    grown.good("fetch")
    grown.good("train", "--detector", "rcf")
    before = grown.good("scan", "--all", "--detector", "rcf")
    Store.open(grown.folder / "anomscan-data").compact("fleet")
    assert grown.good("scan", "--all", "--detector", "rcf") == before
    assert " 0 new, 0 revised" in grown("fetch", "--from", str(START))[2]


@pytest.mark.parametrize("values", ['["temp", "prt7"]', '["temp"]', '["hours", "temp", "prt7"]', '["hours", "temp"]'])
def test_variables_in_another_order_make_no_revisions(grown, values):
    grown.write("anomscan.toml", BOTH)
    grown.good("fetch", "--from", str(START))
    table(grown, 122)
    lines = (grown.folder / "telemetry.csv").read_text().splitlines()
    grown.write("telemetry.csv", "\n".join([f"{lines[0]},hours", *(f"{line},7" for line in lines[1:])]) + "\n")
    grown.write("anomscan.toml", CONFIG.replace('["prt7"]', values))
    code, _, err = grown("fetch")
    assert code == 0
    assert ", 0 revised" in err
    found = series(grown)
    assert list(found.variables) == json.loads(values)
    assert found.values[121].tolist() == [
        {"temp": 20 + calm(121), "prt7": calm(121), "hours": 7.0}[each] for each in found.variables
    ]
    first = dict(zip(found.variables, found.values[0].tolist(), strict=True))
    assert first["temp"] == 20 + calm(0)
    Store.open(grown.folder / "anomscan-data").compact("fleet")
    assert np.array_equal(series(grown).values, found.values, equal_nan=True)


def test_other_variables_altogether_are_another_source(grown):
    grown.write("anomscan.toml", CONFIG.replace('["prt7"]', '["temp"]'))
    code, _, err = grown("fetch")
    assert code == 2
    assert "is stored with variables prt7, not temp (give the source another name" in err


def test_what_fills_a_variable_in_is_new_after_a_compaction_too(grown):
    grown.write("anomscan.toml", BOTH)
    grown.good("fetch", *LAST)
    Store.open(grown.folder / "anomscan-data").compact("fleet")
    code, _, err = grown("fetch", "--from", str(START))
    assert code == 0
    assert " 0 revised" in err
    assert (series(grown).values[:, 1] > 20).all()
