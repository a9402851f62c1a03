"""The job that users come for: fetch, train, scan, detect, report."""

from __future__ import annotations

import datetime as dt
import json

import pyarrow.parquet as pq
import pytest

from anomscan.reports.listings import FORMATS

START = dt.date(2016, 1, 1)


def day(number):
    return str(START + dt.timedelta(days=number))


def test_fetch_says_what_it_did_and_a_second_run_changes_nothing(fetched):
    before = {path: path.read_bytes() for path in (fetched.folder / "anomscan-data").rglob("*") if path.is_file()}
    code, out, err = fetched("fetch", "--all")
    assert (code, out) == (0, "")
    assert "240 unchanged" in err
    after = {path: path.read_bytes() for path in (fetched.folder / "anomscan-data").rglob("*") if path.is_file()}
    assert before == after


def test_one_asset_is_one_line_on_stdout_and_nothing_else(fetched):
    code, out, _ = fetched("scan", "--asset", "a", "-o", "-")
    assert code == 0
    assert out.count("\n") == 1
    record = json.loads(out)
    assert list(record) == [
        "schema",
        "asset",
        "detector",
        "from",
        "to",
        "incidents",
        "spans",
        "anomalies",
        "verdicts",
        "error",
    ]
    assert (record["from"], record["to"]) == (day(0), day(119))
    assert record["spans"] == [[day(98), day(100)], [day(102), day(104)]]
    assert [anomaly["timestamp"] for anomaly in record["anomalies"]] == [day(100), day(104)]
    assert record["verdicts"] == {"ok": 59, "anomalous": 2, "warming-up": 59, "skipped": 0, "no-data": 0, "silent": 0}
    first = record["anomalies"][0]
    assert list(first) == [
        "timestamp",
        "values",
        "expected",
        "band",
        "health",
        "score",
        "cutoff",
        "sigma",
        "in_sample",
        "contributions",
    ]
    assert first["score"] == 9.0
    assert first["cutoff"] < 9.0
    assert first["sigma"] > 4
    assert (first["health"], first["in_sample"], first["contributions"]) == ("Ok", False, [])


def test_the_same_scan_is_the_same_file_whatever_the_workers(fetched):
    assets = [f"asset {number}" for number in range(30)]
    days = [START + dt.timedelta(days=n) for n in range(90)]
    fetched.telemetry([[asset, date, 0.8 + 0.001 * (n % 7), "Ok"] for asset in assets for n, date in enumerate(days)])
    fetched.good("fetch")
    fetched.good("train", "--detector", "rcf")
    files = []
    for workers in (1, 1, 3):
        fetched.good("scan", "--all", "--detector", "rcf", "--workers", workers, "-o", f"results{len(files)}.jsonl")
        results = fetched.folder / f"results{len(files)}.jsonl"
        files.append((results.read_bytes(), results.with_name(results.name + ".scores.parquet").read_bytes()))
    assert files[0] == files[1] == files[2]
    assert files[0][0].count(b"\n") == 32


def test_records_are_sorted_by_asset_and_scores_are_kept_for_judged_days(fetched):
    fetched.good("scan", "--all", "-o", "results.jsonl")
    lines = (fetched.folder / "results.jsonl").read_text().splitlines()
    assert [json.loads(line)["asset"] for line in lines] == ["a", "b"]
    table = pq.read_table(fetched.folder / "results.jsonl.scores.parquet")
    due = ["expected_prt7", "low_prt7", "high_prt7"]
    assert table.column_names == ["asset", "timestamp", "score", "cutoff", "verdict", *due]
    assert table.num_rows == 2 * 61
    assert table["verdict"].to_pylist().count("anomalous") == 2
    facts = json.loads((fetched.folder / "results.jsonl.run.json").read_text())
    assert (facts["source"], facts["detector"], facts["assets"], facts["with_findings"]) == ("fleet", "replay", 2, 1)
    assert {"config_hash", "data_hash", "started", "finished", "anomscan"} <= set(facts)


def test_the_days_reported_are_chosen_and_windows_keep_their_history(fetched):
    record = json.loads(fetched.good("scan", "--asset", "a", "--days", 20, "-o", "-"))
    assert (record["from"], record["to"]) == (day(100), day(119))
    assert record["spans"][0] == [day(98), day(100)]
    assert record["verdicts"] == {"ok": 18, "anomalous": 2, "warming-up": 0, "skipped": 0, "no-data": 0, "silent": 0}
    record = json.loads(fetched.good("scan", "--asset", "a", "--from", day(101), "--to", day(110), "-o", "-"))
    assert [anomaly["timestamp"] for anomaly in record["anomalies"]] == [day(104)]
    code, out, err = fetched("scan", "--asset", "a", "--from", "2031-01-01", "-o", "-")
    record = json.loads(out)
    assert (record["from"], record["to"], sum(record["verdicts"].values())) == (None, None, 0)
    assert (code, "no days judged: none are stored in the stretch that was asked for" in err) == (4, True)


def test_a_run_that_judged_nothing_says_why_and_fails(place):
    place.telemetry([["a", day(n), 0.8, "Unknown" if n > 70 else "Ok"] for n in range(90)])
    place.scores([["a", day(n), 1.0] for n in range(90)])
    place.good("fetch")
    code, _, err = place("scan", "--all", "--window", 366, "-o", "-")
    assert code == 4
    assert "no days judged: 90 warming-up, 0 without data (a day is judged after 366 samples: fetch more history" in err
    # Skipped days are no failure.
    assert place("scan", "--all", "--window", 60, "--days", 5, "-o", "-")[0] == 0


def test_the_remedy_is_that_of_the_detector(place):
    place.telemetry([["a", day(n), round(0.8 + n % 7 / 100, 2), "Ok"] for n in range(90) if not 70 <= n < 80])
    place.write(
        "anomscan.toml", (place.folder / "anomscan.toml").read_text() + '[detectors.chart]\nkind = "control-chart"\n'
    )
    place.good("fetch")
    code, _, err = place("scan", "--all", "--detector", "chart", "--to", day(40), "-o", "-")
    assert (
        code,
        "a day is judged after 60 samples: fetch more history, or lower [detectors.chart] min_history" in err,
    ) == (4, True)
    code, _, err = place("scan", "--all", "--detector", "chart", "--from", day(72), "--to", day(75), "-o", "-")
    assert (code, "there is no value to judge: fetch the missing samples" in err, "shingle" in err) == (4, True, False)


def test_a_forest_is_trained_and_marks_what_it_has_seen(fetched):
    code, _, err = fetched("train", "--detector", "rcf", "--through", day(99))
    assert code == 0
    assert "taken (2)" in err
    values = [0.3 if n in (90, 110) else 0.8 + 0.001 * (n % 7) for n in range(120)]
    fetched.telemetry([["a", START + dt.timedelta(days=n), value, "Ok"] for n, value in enumerate(values)])
    fetched.good("fetch")
    record = json.loads(fetched.good("scan", "--asset", "a", "--detector", "rcf", "--sigma", 2, "-o", "-"))
    flagged = {anomaly["timestamp"]: anomaly for anomaly in record["anomalies"]}
    assert flagged[day(90)]["in_sample"] is True
    assert flagged[day(110)]["in_sample"] is False
    anomaly = flagged[day(110)]
    assert anomaly["contributions"][0]["variable"] == "prt7"
    assert anomaly["contributions"][0]["contribution"] == pytest.approx(anomaly["score"])
    shown = fetched.good("models", "show", "rcf")
    assert day(99) in shown
    assert "models/rcf.forest" in fetched.good("models", "list")
    fetched.good("models", "delete", "rcf")
    assert fetched("scan", "--asset", "a", "--detector", "rcf")[0] == 2


def test_detect_takes_one_cut_off_and_is_a_table_or_a_record(fetched):
    record = json.loads(fetched.good("detect", "--asset", "a", "-o", "-"))
    assert record["schema"] == "anomscan.detect/2"
    assert len({anomaly["cutoff"] for anomaly in record["anomalies"]}) == 1
    assert [anomaly["timestamp"] for anomaly in record["anomalies"]] == [day(100), day(104)]
    assert record["verdicts"]["warming-up"] == 2
    table = fetched.good("detect", "--asset", "a", "--days", 30, "--format", "table")
    assert day(104) in table
    assert "prt7 0.8" in table
    fetched.good("detect", "--asset", "a", "--asset", "b", "-o", "found.jsonl")
    assert (fetched.folder / "found.jsonl").read_text().count("\n") == 2


def test_what_had_not_arrived_is_not_known(fetched):
    code, out, _ = fetched("scan", "--asset", "a", "--as-of", "2001-01-01", "-o", "-")
    assert code == 4
    assert "no asset 'a'" in json.loads(out)["error"]
    assert fetched.good("scan", "--asset", "a", "--as-of", "2100-01-01", "-o", "-").count("anomalous") == 1


def test_the_report_links_assets_and_shows_charts(fetched):
    fetched.good("scan", "--all", "-o", "results.jsonl")
    _, _, err = fetched("report", "results.jsonl", "-o", "pages")
    assert "index.html" in err
    index = (fetched.folder / "pages" / "index.html").read_text("utf-8")
    assert "https://example.com/assets/a" in index
    (chart,) = (fetched.folder / "pages" / "charts").glob("*.html")
    assert "the values are not" not in chart.read_text("utf-8")
    assert 'href="https://example.com/assets/a"' in fetched.good("report", "results.jsonl", "--format", "links")
    assert day(98) in fetched.good("report", "results.jsonl", "--format", "csv")
    fetched.good("report", "results.jsonl", "--format", "markdown", "-o", "found.md")
    assert day(102) in (fetched.folder / "found.md").read_text()


def test_report_offers_every_listing(fetched):
    fetched.good("scan", "--all", "-o", "results.jsonl")
    for name in FORMATS:
        assert fetched.good("report", "results.jsonl", "--format", name)
    code, _, err = fetched("report", "results.jsonl", "--format", "pdf")
    assert code == 2
    assert all(f"'{name}'" in err for name in ("html", *FORMATS))


def test_results_alone_make_a_report(fetched, tmp_path):
    fetched.good("scan", "--all", "-o", "results.jsonl")
    (fetched.folder / "results.jsonl").rename(fetched.folder / "moved.jsonl")
    (fetched.folder / "anomscan-data").rename(fetched.folder / "gone")
    code, _, err = fetched("report", "moved.jsonl", "-o", "pages")
    assert code == 0
    assert "charts lack the values" in err


HOSTILE = ["../../x", "<script>alert(1)</script>", "a\"b'c;--", "007", "ä/ö 漢", "=cmd()", "a\tb", "x" * 300]


def test_ids_of_any_kind_are_just_text(place):
    days = [START + dt.timedelta(days=n) for n in range(80)]
    scores = [9.0 if n == 70 else 1 + 0.01 * (n % 5) for n in range(80)]
    place.telemetry([[asset, date, 0.8, "Ok"] for asset in HOSTILE for date in days])
    place.scores([[asset, date, score] for asset in HOSTILE for date, score in zip(days, scores, strict=True)])
    place.good("fetch")
    place.good("scan", "--all", "-o", "results.jsonl")
    records = [json.loads(line) for line in (place.folder / "results.jsonl").read_text("utf-8").splitlines()]
    assert [record["asset"] for record in records] == sorted(HOSTILE)
    assert all(record["spans"] for record in records)
    place.good("report", "results.jsonl", "-o", "pages")
    index = (place.folder / "pages" / "index.html").read_text("utf-8")
    assert "<script>alert" not in index
    assert len(list((place.folder / "pages" / "charts").glob("*.html"))) == len(HOSTILE)
    for asset in HOSTILE:
        assert json.loads(place.good("scan", "--asset", asset, "-o", "-"))["asset"] == asset


def test_samples_of_hours_are_not_called_days(place):
    rows = [(f"2016-01-{1 + hour // 24:02}T{hour % 24:02}:00:00Z", 9.0 if hour == 70 else 1.0) for hour in range(72)]
    place.telemetry([["a", instant, 0.5, "Ok"] for instant, _ in rows])
    place.scores([["a", instant, score] for instant, score in rows])
    config = (place.folder / "anomscan.toml").read_text("utf-8")
    place.write("anomscan.toml", config.replace('cadence = "1D"', 'cadence = "1h"'))
    assert place("fetch")[0] == 0
    code, out, err = place("scan", "--all", "--format", "table")
    assert code == 0
    assert "anomalous samples" in out
    assert "anomalous samples" in err
    assert "day" not in out + err.replace("baseline_days", "")
