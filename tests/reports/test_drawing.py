"""What the view of an asset draws."""

import base64
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from anomscan.incidents.incident import Incident
from anomscan.reports.asset.coarse import coarse
from anomscan.reports.asset.drawing import drawing
from anomscan.reports.asset.near import near_misses
from anomscan.reports.asset.page import AssetPage
from anomscan.reports.asset.thinning import MOST, thinned
from anomscan.reports.fleet.packing import script_json
from anomscan.reports.fleet.rows import Rows
from anomscan.reports.fleet.told import told_alone
from anomscan.reports.pages import Pages
from anomscan.reports.records import DETECT_SCHEMA, SCAN_SCHEMA, VERDICTS, Anomaly, Record
from anomscan.reports.scores import ScoreTable
from anomscan.reports.summary import Summary
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Series

NAMES = ("temperature", "humidity", "prediction")
START = np.datetime64("2026-01-01", "us")
DAY_MS = 86_400_000


def series(rows: int = 20, cadence: str = "1D", names=NAMES) -> Series:
    step = Cadence.parse(cadence)
    values = np.arange(float(rows * len(names))).reshape(rows, len(names))
    return Series("pump", step, names, START + np.arange(rows) * step.step, values)


def scores(rows: int = 20, **columns) -> ScoreTable:
    at = START + np.arange(rows) * np.timedelta64(1, "D")
    verdicts = tuple("anomalous" if row == 12 else "ok" for row in range(rows))
    return ScoreTable("pump", at, np.arange(float(rows)), np.full(rows, 12.5), verdicts, columns)


def record(schema: str = SCAN_SCHEMA, **changes) -> Record:
    found = Anomaly("2026-01-13", dict(zip(NAMES, (36.0, 37.0, 38.0), strict=True)), None, 12.0, 2.5, 5.0, False,
                    [("humidity", 1.0), ("prediction", 0.5), ("temperature", 0.2)])  # fmt: skip
    counts = dict.fromkeys(VERDICTS, 0) | {"warming-up": 2, "ok": 19, "anomalous": 1}
    one = Record(
        schema, "pump", "rcf", "2025-12-30", "2026-01-20", [("2026-01-12", "2026-01-13")], [found], counts, None
    )
    return replace(one, **changes)


def drawn(series, scores, record):
    variables = NAMES if series is None else series.variables
    incidents = told_alone(record)
    return json.loads(script_json(drawing(record, incidents, variables if record.anomalies else (), series, scores)))


def numbers(text: str, kind: str = "<f4") -> list[float]:
    return np.frombuffer(base64.b64decode(text), kind).tolist()


def test_each_variable_has_a_panel_and_the_score_and_the_severity_too():
    found = drawn(series(), scores(severity=np.linspace(0, 1, 20)), record())
    assert [panel["title"] for panel in found["panels"]] == [*NAMES, "score and cut-off", "severity"]
    temperature, *_, severity = found["panels"]
    assert numbers(temperature["lines"]["value"]) == list(np.arange(0.0, 60.0, 3.0))
    assert numbers(temperature["x"], "<u4") == list(range(20))
    assert (temperature["start"], temperature["unit"]) == (int(START.astype("M8[ms]").astype(int)), DAY_MS)
    assert (found["marks"]["start"], numbers(found["marks"]["x"], "<u4")) == (temperature["start"] + 12 * DAY_MS, [0])
    assert numbers(temperature["at"]) == [36.0]
    assert numbers(severity["at"]) == pytest.approx([12 / 19])
    assert not any(panel.get("grey") for panel in found["panels"])


def test_what_detect_found_has_its_contributors_in_three_greys():
    found = drawn(series(), None, record(DETECT_SCHEMA))
    assert {panel["title"]: numbers(panel["grey"], "u1") for panel in found["panels"][:3]} == {
        "humidity": [1], "prediction": [2], "temperature": [3]}  # fmt: skip


def test_what_was_expected_is_on_the_days_on_which_it_is_known():
    told = {"expected": 5.0, "low": 4.0, "high": 6.0, "median": np.nan}
    table = scores(10, **{f"{kind}_humidity": np.full(10, value) for kind, value in told.items()})
    _, humidity, *_ = drawn(series(), table, record())["panels"]
    assert set(humidity["lines"]) == {"value", "expected", "low", "high"}
    expected = numbers(humidity["lines"]["expected"])
    assert expected[:10] == [5.0] * 10
    assert np.isnan(expected[10:]).all()


def test_without_series_and_scores_the_anomalies_still_stand():
    found = drawn(None, None, record())
    assert [numbers(panel["lines"]["value"]) for panel in found["panels"][:3]] == [[36.0], [37.0], [38.0]]
    assert [panel["title"] for panel in found["panels"]] == [*NAMES, "score and cut-off"]
    assert (found["verdicts"], found["health"]) == ([], [])
    nothing = drawn(None, None, record(anomalies=[], spans=[]))
    assert nothing["panels"] == []


def test_a_line_breaks_where_samples_are_missing():
    whole = series(6)
    parts = [0, 1, 4, 5]
    holed = replace(whole, timestamps=whole.timestamps[parts], values=whole.values[parts],
                    health_codes=np.array([0, 0, 0, 1], np.int32), health_names=("Ok", "Bad"))  # fmt: skip
    found = drawn(holed, None, record())
    assert numbers(found["panels"][0]["x"], "<u4") == [0, 1, 2, 4, 5]
    assert np.isnan(numbers(found["panels"][0]["lines"]["value"])).tolist() == [False, False, True, False, False]
    start = found["panels"][0]["start"]
    assert found["health"] == [
        ["Ok", start, start + DAY_MS], ["Ok", start + 4 * DAY_MS, start + 4 * DAY_MS],
        ["Bad", start + 5 * DAY_MS, start + 5 * DAY_MS]]  # fmt: skip


def test_the_strip_of_verdicts_tells_what_came_before_the_first_window():
    start = int(START.astype("M8[ms]").astype(int))
    ends = [[verdict, (first - start) // DAY_MS, (last - start) // DAY_MS]
            for verdict, first, last in drawn(series(), scores(), record())["verdicts"]]  # fmt: skip
    assert ends == [[3, -2, -1], [1, 0, 11], [2, 12, 12], [1, 13, 19]]


def test_incidents_have_their_ends_and_shares():
    incident = Incident(
        *(None, "dropped", "2026-01-11", "2026-01-12", "2026-01-13", False, 2, None),
        *({}, {}, {}, {}, (("<i>", 0.75), ("b", 0.25)), None),
    )
    (told,) = drawn(series(), None, record(incidents=[incident]))["incidents"]
    start = int(START.astype("M8[ms]").astype(int))
    assert (told["from"], told["to"]) == (start + 10 * DAY_MS, start + 12 * DAY_MS)
    assert (told["state"], told["open"], told["shares"]) == ("closed", False, [["<i>", 0.75], ["b", 0.25]])


def test_a_series_of_nan_draws_and_numbers_too_large_are_left_out():
    nothing = replace(series(), values=np.full((20, 3), np.nan))
    large = replace(series(), values=np.full((20, 3), 1e308))
    for each in (nothing, large):
        for panel in drawn(each, None, record())["panels"][:3]:
            assert np.isnan(numbers(panel["lines"]["value"])).all()


def test_three_years_of_ten_minutes_stay_small_and_whole_where_something_is_amiss():
    long = series(157_824, "10min", ("power",))
    long.values[77_777] = 1e6
    long.values[99_999] = -1e6
    at = "2026-06-01T00:00:00Z"
    amiss = replace(record().anomalies[0], timestamp=at)
    (panel, _) = drawn(long, None, record(anomalies=[amiss], spans=[(at, at)]))["panels"]
    assert len(script_json(panel)) < 60_000
    values = numbers(panel["lines"]["value"])
    assert (max(values), min(values)) == (1e6, -1e6)
    places = numbers(panel["x"], "<u4")
    middle = places.index(int((np.datetime64("2026-06-01") - START) / np.timedelta64(10, "m")))
    assert np.diff(places[middle - 49 : middle + 49]).tolist() == [1] * 97


def test_thinning_keeps_the_ends_the_extremes_and_what_is_wanted():
    rng = np.random.default_rng(3)
    for n in (1, MOST, MOST + 1, 30_000):
        line, wanted, focus = rng.normal(size=n), rng.random(n) < 0.001, slice(n // 2, n // 2 + 5_000)
        line[rng.random(n) < 0.01] = np.nan
        kept = thinned(line, focus, wanted)
        assert (np.diff(kept) > 0).all()
        assert {0, n - 1, *np.flatnonzero(wanted).tolist()} <= set(kept.tolist())
        assert len(kept) <= 2 * MOST
        first, last, _ = focus.indices(n)
        for begin, end in ((0, n), (first, last)) if n > MOST else []:
            edges = np.linspace(begin, end, MOST // 6 + 1).astype(int)
            for start, stop in itertools.pairwise(edges.tolist()):
                part, held = line[start:stop], line[kept[(kept >= start) & (kept < stop)]]
                if np.isfinite(part).any():
                    assert (np.nanmin(held), np.nanmax(held)) == (np.nanmin(part), np.nanmax(part))


def amiss(rows: int, variables: int, *, schema: str = SCAN_SCHEMA) -> tuple[Record, Series, ScoreTable]:
    """Ten-minute data, most of it anomalous, with incidents now and then, and a health that never stays the same."""
    names = tuple(f"v{place}" for place in range(variables))
    rng = np.random.default_rng(7)
    health = np.arange(rows, dtype=np.int32) % 3
    whole = replace(series(rows, "10min", names), health_codes=health, health_names=("Ok", "Low", "Bad"))
    whole.values[:] = rng.normal(size=(rows, variables))
    text = np.char.add(np.datetime_as_string(whole.timestamps, "s"), "Z").tolist()
    flagged = rng.random(rows) < 0.7
    scored = rng.random(rows)
    scored[rows // 3] = 99.0
    flagged[rows // 3] = True
    verdicts = tuple(np.where(flagged, "anomalous", "ok").tolist())
    lines = {f"{kind}_{name}": np.zeros(rows) for kind in ("expected", "low", "high") for name in names}
    table = ScoreTable("pump", whole.timestamps, scored, np.where(np.arange(rows) % 2, 0.1, 9.0), verdicts, lines)
    shares = tuple((name, 1.0 / variables) for name in names)
    every = dict.fromkeys(names, 1.0)
    anomalies = [Anomaly(text[at], every, "Bad", float(scored[at]), 0.1, None, False, list(shares))
                 for at in np.flatnonzero(flagged)]  # fmt: skip
    ends = [(text[at], text[min(at + 40, rows - 1)], at + 90 > rows) for at in range(0, rows, 90)]
    told = (40, None, every, every, every, every, shares, None)
    incidents = [Incident(first, "raised", first, first, last, is_open, *told) for first, last, is_open in ends]
    spans = [(text[at], text[at]) for at in np.flatnonzero(flagged)]
    counts = dict.fromkeys(VERDICTS, 0) | {"ok": int((~flagged).sum()), "anomalous": int(flagged.sum())}
    return Record(schema, "pump", "chart", text[0], text[-1], spans, anomalies, counts, None, incidents), whole, table


@pytest.mark.slow
def test_a_page_is_as_small_whatever_the_number_of_samples_anomalies_incidents_and_variables():
    sizes = {}
    for rows, variables in ((9_000, 7), (40_000, 7), (9_000, 60)):
        one, whole, table = amiss(rows, variables)
        (row,) = (row for _, row in Rows().watch([one]))
        page = AssetPage.of(one, row, whole, table)
        pages = Pages("t", None, {})
        sizes[rows, variables] = sum(map(len, pages.asset(page, Summary())))
        content = json.loads(page.drawing)
        assert 0 < len(content["verdicts"]) <= 3_000
        assert 0 < len(content["health"]) <= 3_000
        assert 0 < len(content["inflated"]) <= 3_000
        assert content["panels"][0]["kind"] == "score"
        marked = numbers(content["panels"][0]["at"])
        assert len(marked) <= 3_000
        assert max(marked) == 99.0
        told = " ".join(page.left_out)
        if len(one.incidents) > 200:
            assert f"200 of {len(one.incidents):,} incidents" in told
            latest = max(each["to"] for each in content["incidents"])
            assert latest == int(whole.timestamps[-1].astype("M8[ms]").astype(int))
        assert "strips tell the worst verdict and rarest health" in told
        assert ("40 of 60 variables" in told) == (variables == 60)
    assert sizes[40_000, 7] < 1.2 * sizes[9_000, 7] < 2_500_000
    assert sizes[9_000, 60] < 6_000_000


def test_of_very_many_stretches_each_cell_of_a_strip_tells_the_one_that_matters_and_none_bridges_a_gap():
    rank = {"a": 0, "b": 1}.__getitem__
    few = [["a", 0, 10], ["b", 20, 30]]
    assert coarse(few, 10, None, rank) == few
    many = [[("b" if place == 5_000 else "a"), 20 * place, 20 * place] for place in range(10_000)]
    many += [["a", 1_000_000, 1_000_000]]
    told = coarse(many, 10, None, rank)
    assert [what for what, *_ in told] == ["a", "b", "a", "a"]
    assert told[1][1] <= 100_000 <= told[1][2]
    assert told[2][2] < 202_000
    assert told[3][1] > 998_000


def test_a_strip_tells_each_stretch_of_what_is_seen_first():
    many = [["ab"[place % 2], 10 * place, 10 * place] for place in range(10_000)]
    told = coarse(many, 10, (40_000, 40_500), {"a": 0, "b": 1}.__getitem__)
    inside = [each for each in told if 40_000 <= each[1] <= 40_500]
    assert inside == many[4_000:4_051]
    assert [each[0] for each in told if each not in inside] == ["b", "b"]


def test_near_misses_are_the_samples_just_below_the_cut_off():
    table = replace(scores(4), score=np.array([9.5, 9.9, 1.0, 11.0]), cutoff=np.full(4, 10.0),
                    verdicts=("ok", "ok", "ok", "anomalous"))  # fmt: skip
    near = [(str(each.at)[:10], each.share) for each in near_misses(table)]
    assert near == [
        ("2026-01-02", 0.99),
        ("2026-01-01", 0.95),
    ]
    assert near_misses(None) == []
