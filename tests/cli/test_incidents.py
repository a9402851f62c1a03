"""Incidents, end to end: what, since when, against whom, and who has gone silent."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from anomscan.cli.console import TerminalConsole
from anomscan.cli.findings import show_tally
from anomscan.detectors import cohorts as building
from anomscan.incidents.incident import Incident, Peak
from anomscan.jobs.job import Remedies
from anomscan.jobs.tally import NAMED, Tally
from anomscan.reports.records import Record, read_records
from anomscan.reports.scores import ScoreFile

START = dt.date(2021, 1, 1)
DAYS = 420
CONFIG = """
[defaults]
source = "fleet"
detector = "chart"
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7"], health = "health_status" }
[assets]
path = "assets.csv"
columns = { asset = "asset", cohort = "region" }
[detectors.chart]
kind = "control-chart"
[detectors.rcf]
kind = "rcf"
trees = 30
sample_size = 64
model = "models/rcf.forest"
[train]
samples = 100
[scan]
window = 120
"""
REGIONS = {f"S{k}": f"R{k % 2}" for k in range(10)}


def values():
    """Ten sites in two regions that share their weather; each row is a site."""
    random = np.random.default_rng(7)
    weather = random.normal(0, 0.05, (2, DAYS))
    return np.stack([0.8 + weather[k % 2] + random.normal(0, 0.01, DAYS) for k in range(10)])


def day(number: int) -> str:
    return str(START + dt.timedelta(days=number))


@pytest.fixture
def site(place):
    """A function that fetches a fleet and gives the records of a scan by asset."""
    place.write("anomscan.toml", CONFIG)
    place.table("assets.csv", ["asset", "region"], [list(pair) for pair in REGIONS.items()])

    def fetch(fleet):
        rows = [
            [f"S{k}", day(t), round(value, 6), "Ok"]
            for k, line in enumerate(fleet)
            for t, value in enumerate(line.tolist())
            if np.isfinite(value)
        ]
        place.telemetry(rows)
        place.good("fetch")

    def scan(*options):
        code, out, err = place("scan", "--all", *options)
        assert code == 0, err
        return {record["asset"]: record for record in map(json.loads, out.splitlines())}

    place.fetch, place.scan = fetch, scan
    return place


def test_a_site_that_drops_is_one_incident_with_its_onset_and_loss(site):
    fleet = values()
    fleet[3, 380:400] *= 0.9
    site.fetch(fleet)
    (incident,) = site.scan()["S3"]["incidents"]
    assert incident["kind"] == "dropped"
    assert incident["since"] == day(380)
    assert abs((dt.date.fromisoformat(incident["last"]) - START).days - 399) <= 2
    assert not incident["open"]
    assert incident["deviation"]["prt7"] == pytest.approx(-0.1, abs=0.02)
    assert incident["loss"]["prt7"] == pytest.approx(20 * 0.08, rel=0.2)
    assert incident["variables"] == [{"variable": "prt7", "share": 1.0}]
    assert incident["common"] is None
    anomaly = site.scan()["S3"]["anomalies"][0]
    low, high = anomaly["band"]["prt7"]
    assert anomaly["values"]["prt7"] < low < anomaly["expected"]["prt7"] < high


def test_incidents_of_an_asset_do_not_overlap(site):
    fleet = values()
    fleet[3, 340:352] *= 0.95
    fleet[3, 366:] *= 0.96
    site.fetch(fleet)
    incidents = site.scan()["S3"]["incidents"]
    assert len(incidents) > 1
    for one, other in itertools.pairwise(incidents):
        assert one["last"] < other["since"]


def test_a_stuck_site_is_told_since_its_first_equal_value(site):
    fleet = values()
    fleet[3, 380:] = fleet[3, 380]
    site.fetch(fleet)
    (incident,) = site.scan()["S3"]["incidents"]
    assert (incident["kind"], incident["since"]) == ("stuck", day(380))


def test_a_few_days_reported_tell_the_true_since(site):
    fleet = values()
    fleet[3, 380:] *= 0.9
    site.fetch(fleet)
    whole, night = site.scan()["S3"], site.scan("--days", 1)["S3"]
    assert night["incidents"] == whole["incidents"]
    assert night["incidents"][0]["open"]
    assert night["from"] == night["to"] == day(DAYS - 1)


def test_what_strikes_a_region_is_one_incident_of_the_cohort(site):
    fleet = values()
    fleet[0::2, 350:353] *= 0.4
    site.fetch(fleet)
    records = site.scan()
    assert [record for record in records if record.startswith("cohort:")] == ["cohort:R0", "cohort:R1"]
    (incident,) = records["cohort:R0"]["incidents"]
    assert (incident["since"], incident["last"]) == (day(350), day(352))
    assert not records["cohort:R1"]["incidents"]
    alone = [each for asset in REGIONS for each in records[asset]["incidents"] if each["common"] is None]
    assert alone == []


def test_a_site_without_data_is_silent_and_a_gap_is_missing(site):
    fleet = values()
    fleet[1, 400:] = np.nan
    fleet[2, 300:310] = np.nan
    fleet[4, 300:302] = np.nan
    fleet[5, 418:] = np.nan
    site.fetch(fleet)
    records = site.scan()
    (silent,) = records["S1"]["incidents"]
    assert (silent["kind"], silent["since"], silent["last"], silent["open"]) == ("silent", day(400), day(419), True)
    assert records["S1"]["verdicts"]["silent"] == 20
    assert records["S1"]["to"] == day(419)
    (missing,) = records["S2"]["incidents"]
    assert (missing["kind"], missing["since"], missing["last"], missing["days"]) == ("missing", day(300), day(309), 10)
    assert records["S4"]["incidents"] == records["S5"]["incidents"] == []
    assert records["S5"]["verdicts"]["silent"] == 0
    assert records["S5"]["verdicts"]["no-data"] == 2
    assert site.scan("--days", 3)["S1"]["verdicts"]["silent"] == 3


def test_the_terminal_tells_it_in_words(site):
    fleet = values()
    fleet[3, 380:] *= 0.9
    fleet[1, 400:] = np.nan
    site.fetch(fleet)
    _, _, err = site("scan", "--all", "-o", "results.jsonl")
    words = " ".join(err.split())
    assert "open incidents, the worst first" in words
    assert re.search(
        r"S3 dropped: [0-9.]+ % below its peers since 2022-01-16 \(\d+ days, [0-9.]+ prt7 x days lost\)", words
    )
    assert "is silent" in words


def test_the_scores_have_what_was_expected_of_assets_with_incidents(site):
    fleet = values()
    fleet[3, 380:400] *= 0.9
    fleet[5, 300:310] = np.nan
    site.fetch(fleet)
    site.good("scan", "--all", "-o", "results.jsonl")
    (record,) = (each for each in read_records(site.folder / "results.jsonl") if each.asset == "S3")
    scores = ScoreFile(site.folder / "results.jsonl.scores.parquet")
    names = ["expected_prt7", "low_prt7", "high_prt7", "median_prt7"]
    ill, gap, quiet, cohort = (
        np.stack([scores.of(asset).columns[name] for name in names]) for asset in ("S3", "S5", "S0", "cohort:R1")
    )
    days = [str(instant)[:10] for instant in scores.of("S3").timestamps]
    for anomaly in record.anomalies:
        expected, low, high, _ = ill[:, days.index(anomaly.timestamp)].tolist()
        assert (expected, (low, high)) == (anomaly.expected["prt7"], anomaly.band["prt7"])
    others = np.median(fleet[[1, 5, 7, 9], days.index(day(390)) - len(days)])
    assert ill[3, days.index(day(390))] == pytest.approx(others, abs=1e-6)
    assert np.isfinite(gap).all()
    assert np.isnan(quiet).all()
    assert np.isnan(cohort).all()


@pytest.mark.parametrize(("encoding", "drawn"), [("utf-8", True), ("ascii", False), (None, False)])
def test_a_terminal_shows_the_course_of_the_values_in_80_columns(monkeypatch, capsys, encoding, drawn):
    class Screen(io.TextIOWrapper):
        def isatty(self):
            return encoding is not None

    screen = Screen(io.BytesIO(), encoding or "utf-8", errors="replace")
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    words = "dropped: 8 % below its peers since 2023-07-10 (29 days, 1.9 prt7 x days lost), still so"
    tally = Tally(open=[(-2.0, "S0109", words, "▇▇▆▇▇▆▇▂▁▂▁▁▂▁▁▁")])
    show_tally(TerminalConsole(), tally, Remedies("", ""))
    screen.seek(0)
    lines = screen.read().splitlines()
    assert any("S0109  ▇▇▆▇▇▆▇▂▁▂▁▁▂▁▁▁  dropped: 8 % below" in line for line in lines) == drawn
    assert ("▁" in "".join(lines)) == drawn
    assert max(map(len, lines[:-1])) <= 80
    assert "still so" in "".join(lines)


def test_what_is_silent_comes_first_and_leaves_room_for_the_rest():
    record = Record("anomscan.scan/2", "", "chart", day(0), day(9), [], [], {}, None)
    gone = Incident(None, "silent", day(3), day(3), day(9), True, 7, None, {}, {}, {}, {}, (), None)
    fell = replace(gone, kind="dropped", peak=Peak(day(3), 9.0, None))
    parts = [Tally(), Tally()]
    for place in range(2 * NAMED):
        for tally, asset, incident in ((parts[0], f"A{place:02d}", gone), (parts[1], f"B{place:02d}", fell)):
            tally.add(replace(record, asset=asset, incidents=[incident]))
            tally.shorten()
    parts[1].merge(parts[0])
    assert [asset for _, asset, _, _ in parts[1].open] == [f"{x}{n:02d}" for x in "AB" for n in range(NAMED // 2)]
    assert parts[1].unshown_open + len(parts[1].open) == parts[1].open_incidents == 4 * NAMED


def test_every_verdict_stands_up(site):
    fleet = values()
    fleet[3, 380:400] *= 0.9
    site.fetch(fleet)
    code, _, err = site("scan", "--all", "--prove", "-o", "results.jsonl")
    assert code == 0, err
    assert "proved" in err


def test_peers_that_know_later_days_are_found_out(site, monkeypatch):
    fleet = values()
    fleet[3, 380:400] *= 0.9
    site.fetch(fleet)
    honest = building.middles_of

    def leaky(members):
        middles = honest(members)
        middles.middle[:-1] = (middles.middle[:-1] + middles.middle[1:]) / 2
        return middles

    monkeypatch.setattr(building, "middles_of", leaky)
    code, _, err = site("scan", "--all", "--prove", "-o", "results.jsonl")
    assert code == 2
    assert "later rows" in err or "the run says" in err
    assert not (site.folder / "results.jsonl").exists()


@pytest.mark.parametrize("options", [("--workers", 1), ("--workers", 2)])
def test_workers_have_no_say(site, options):
    fleet = values()
    fleet[3, 380:400] *= 0.9
    site.fetch(fleet)
    code, _, err = site("scan", "--all", *options, "-o", "results.jsonl")
    assert code == 0, err
    site("scan", "--all", "-o", "again.jsonl")
    assert (site.folder / "results.jsonl").read_bytes() == (site.folder / "again.jsonl").read_bytes()


def test_a_forest_learns_the_view_that_it_scores(site):
    text = CONFIG.replace('kind = "rcf"', 'kind = "rcf"\nview = "peers"').replace(
        "window = 120", 'window = 120\nbaseline_days = "clean"'
    )
    site.write("anomscan.toml", text)
    fleet = values()
    fleet[3, 380:400] *= 0.7
    site.fetch(fleet)
    site.good("train", "--detector", "rcf", "--through", day(300))
    assert "difference to peers" in site.good("models", "show", "rcf")
    record = site.scan("--detector", "rcf")["S3"]
    assert record["incidents"][0]["since"] == day(380)
    site.write("anomscan.toml", text.replace('view = "peers"', 'view = "own"'))
    code, _, err = site("scan", "--all", "--detector", "rcf")
    assert code == 2
    assert "view 'difference to peers'" in err


def test_the_list_of_assets_is_known_since_it_arrived(site):
    site.fetch(values())
    site.table("assets.csv", ["asset", "region"], [["S0", "R0"], ["S0", "R1"]])
    code, _, err = site("fetch")
    assert code == 2
    assert "'S0' appears twice" in err
    site.table("assets.csv", ["asset", "region"], [["cohort:R1", "R0"]])
    code, _, err = site("fetch")
    assert code == 2
    assert "cannot be called" in err


def test_records_are_read_back_as_they_were_written(site):
    fleet = values()
    fleet[3, 380:] *= 0.9
    fleet[1, 400:] = np.nan
    site.fetch(fleet)
    site("scan", "--all", "-o", "results.jsonl")
    lines = (site.folder / "results.jsonl").read_text("utf-8").splitlines()
    from anomscan.reports.records import record_line

    assert [record_line(record) for record in read_records(site.folder / "results.jsonl")] == lines


def test_records_of_the_first_schema_are_read(site):
    old = {
        "schema": "anomscan.scan/1",
        "asset": "a",
        "detector": "rcf",
        "from": "2021-01-01",
        "to": "2021-01-03",
        "spans": [["2021-01-02", "2021-01-02"]],
        "anomalies": [
            {
                "timestamp": "2021-01-02",
                "values": {"x": 1.0},
                "health": None,
                "score": 2.0,
                "cutoff": 1.0,
                "sigma": 5.0,
                "in_sample": False,
                "contributions": [],
            }
        ],
        "verdicts": {"ok": 2, "anomalous": 1, "warming-up": 0, "skipped": 0, "no-data": 0},
        "error": None,
    }
    (record,) = read_records([json.dumps(old)])
    assert record.incidents == []
    assert record.anomalies[0].expected == {}
    assert record.verdicts["silent"] == 0


@pytest.mark.parametrize(
    ("conditions", "code"),
    [
        ("any", 3),
        ("incident", 3),
        ("new", 0),
        ("new,silent", 3),
        ("sigma:1", 0),
        ("severity:0.5", 0),
        ("stale", 3),
        ("anything", 2),
        ("sigma", 2),
        ("sigma:x", 2),
        ("sigma:nan", 2),
    ],
)
def test_what_a_night_fails_on(site, conditions, code):
    fleet = values()
    fleet[3, 380:] *= 0.9
    fleet[1, 400:] = np.nan
    site.fetch(fleet)
    found, _, err = site("scan", "--all", "--days", "1", "--fail-on", conditions, "-o", "night.jsonl")
    assert found == code, err
    assert ("is stale" in err) == (code != 2)


def test_the_report_names_what_is_open_and_calls_no_dead_site_quiet(site):
    fleet = values()
    fleet[3, 380:] *= 0.9
    fleet[1, 400:] = np.nan
    site.fetch(fleet)
    site("scan", "--all", "-o", "results.jsonl")
    site("report", "results.jsonl", "-o", "pages")
    index = (site.folder / "pages" / "index.html").read_text("utf-8")
    heading, _, rest = index.partition(">Open at the end</h2>")
    opened, _, _ = rest.partition("</section>")
    assert "· 10 assets ·" in heading
    assert "is silent: since 2022-02-05" in opened
    assert set(re.findall(r"<bdi>(.*?)</bdi>", opened)) == {"S1", "S3"}
    fleet = json.loads(re.search(r'<script type="text/plain"[^>]*>(.*?)</script>', index, re.DOTALL)[1])
    state = dict(zip(fleet["assets"], fleet["state"], strict=True))
    assert {asset for asset, each in state.items() if each == "open"} == {"S1", "S3"}
    assert not any(asset.startswith("cohort:") for asset in state)
    (page,) = (site.folder / "pages" / "charts").glob("s3-*.html")
    assert "below its peers" in page.read_text("utf-8")
    listing = site.good("report", "results.jsonl", "--format", "markdown", "-o", "-")
    assert "| S1 | is silent: since 2022-02-05" in listing


def test_the_doctor_names_a_stale_source(site):
    site.fetch(values())
    assert "source 'fleet' is stale: its newest sample is of 2022-02-24" in site.good("doctor")


def test_an_asset_without_a_cohort_is_compared_with_its_own_past(site):
    site.table("assets.csv", ["asset", "region"], [[asset, name] for asset, name in REGIONS.items() if asset != "S3"])
    text = (site.folder / "anomscan.toml").read_text("utf-8")
    fleet = values()
    fleet[3, 380:400] *= 0.6
    site.fetch(fleet)
    for view in ("auto", "peers"):
        site.write("anomscan.toml", text.replace('kind = "control-chart"', f'kind = "control-chart"\nview = "{view}"'))
        code, out, err = site("scan", "--all")
        assert code == 0
        assert "1 asset ('S3') has no cohort in [assets]: compared with its own past" in err
        records = {record["asset"]: record for record in map(json.loads, out.splitlines())}
        (incident,) = records["S3"]["incidents"]
        assert incident["since"] in (day(379), day(380))
    site.write("anomscan.toml", text.replace('kind = "rcf"', 'kind = "rcf"\nview = "peers"'))
    site.good("train", "--detector", "rcf")
    code, out, err = site("scan", "--all", "--detector", "rcf")
    assert code == 0
    assert "1 asset ('S3') has no cohort in [assets]: no data" in err


def test_how_much_of_the_variation_is_shared_is_said(site):
    fleet = values()
    site.fetch(fleet)
    _, _, err = site("scan", "--all", "-o", "r.jsonl")
    facts = json.loads((site.folder / "r.jsonl.run.json").read_text("utf-8"))["cohorts"]
    assert sorted(facts) == ["R0", "R1"]
    for fact in facts.values():
        assert fact["assets"] == 5
        assert 0.9 < fact["shared"] < 0.99
    low, high = sorted(round(100 * fact["shared"]) for fact in facts.values())
    assert f"peers: 2 cohorts share {low} to {high} % of the variation of their assets" in err or low == high


def test_a_warning_where_the_peers_share_little(site):
    site.fetch(0.8 + np.random.default_rng(3).normal(0, 0.05, (10, DAYS)))
    text = (site.folder / "anomscan.toml").read_text("utf-8")
    site.write("anomscan.toml", text.replace('kind = "control-chart"', 'kind = "control-chart"\nview = "peers"'))
    _, _, err = site("scan", "--all")
    assert "2 cohorts ('R0', 'R1') share less than 20 % of the variation" in err


def test_a_stop_in_a_bad_week_of_the_region_is_an_incident_of_its_own(site):
    fleet = values()
    fleet[0::2, 350:357] *= 0.7
    fleet[4, 352:355] *= 0.2
    fleet[2, 350:357] *= 0.85
    site.fetch(fleet)
    records = site.scan()
    assert [(each["since"], each["last"]) for each in records["cohort:R0"]["incidents"]] == [(day(350), day(356))]
    assert [each["common"] for each in records["S4"]["incidents"]] == [None]
    assert {each["common"]["asset"] for each in records["S2"]["incidents"]} == {"cohort:R0"}


def test_only_what_is_too_low_makes_incidents_where_that_is_asked_for(site):
    fleet = values()
    fleet[3, 380:400] *= 0.9
    fleet[5, 380:400] *= 1.1
    fleet[6, 385:395] = fleet[6, 385]
    site.fetch(fleet)
    text = (site.folder / "anomscan.toml").read_text("utf-8")
    kinds = {"both": ["dropped", "raised", "stuck"], "low": ["dropped", "stuck"], "high": ["raised", "stuck"]}
    verdicts = {}
    for direction, expected in kinds.items():
        site.write("anomscan.toml", text.replace("[scan]", f'[scan]\ndirection = "{direction}"'))
        records = site.scan()
        assert [
            records[asset]["incidents"][0]["kind"] for asset in ("S3", "S5", "S6") if records[asset]["incidents"]
        ] == expected
        verdicts[direction] = [record["verdicts"] for record in records.values()]
    assert verdicts["low"] == verdicts["high"] == verdicts["both"]
    site.write("anomscan.toml", text.replace("[scan]", '[scan]\ndirection = "low"'))
    assert site("scan", "--asset", "S5", "--fail-on", "any")[0] == 0
    assert site("scan", "--asset", "S3", "--fail-on", "any")[0] == 3
