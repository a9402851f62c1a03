"""One sample of 1970 in a fleet: told of at the fetch, and of no weight in the scan, this night and the next."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from cli.conftest import CONFIG, DAY, START, Place, example_rows

pytestmark = pytest.mark.slow

STRAY = ["b", "1970-01-01", 0.85, "Ok"]
SCAN = ("scan", "--all", "--detector", "rcf", "--prove", "-o", "results.jsonl")


def records(place: Place) -> list[dict[str, object]]:
    return [json.loads(line) for line in (place.folder / "results.jsonl").read_text().splitlines()]


def start(place: Place, rows: list[list[object]]) -> str:
    place.telemetry(rows)
    code, _, err = place("fetch")
    assert code == 0
    place.good("train", "--detector", "rcf")
    return err


def test_a_sample_of_1970_is_told_of_and_changes_nothing_but_when_the_warming_up_ends(place: Place) -> None:
    err = start(place, [STRAY, *example_rows()])
    assert "1 sample of 1 asset (such as asset 'b', 1970-01-01) older than 1990" in err
    assert "1 asset has a gap that is longer than the rest of the history: 'b' from 1970-01-01 to 2016-01-01" in err
    place.good(*SCAN)
    a, b = records(place)
    days = START.toordinal() - 719_163 + 120
    assert (b["from"], sum(b["verdicts"].values())) == ("1970-01-01", days)
    # 59 days of its calendar, then the days before half of the 58 places have scores.
    assert b["verdicts"]["warming-up"] == 59 + 28
    assert b["verdicts"]["ok"] + b["verdicts"]["anomalous"] == 120 - 2 - 28
    assert a["verdicts"]["warming-up"] == 59
    assert pq.read_metadata(place.folder / "results.jsonl.scores.parquet").num_rows < 61 + 120 + 120

    place.telemetry([STRAY, *example_rows(days=121)])
    assert place("fetch")[0] == 0
    place.good(*SCAN, "--days", "1")
    night = records(place)
    place.good(*SCAN, "--days", "1", "--rescore")
    assert night == records(place)
    assert [(each["from"], each["to"]) for each in night] == [(str(START + 120 * DAY),) * 2] * 2


def test_days_with_a_full_window_of_samples_are_as_without_the_stray_row(place: Place) -> None:
    start(place, [STRAY, *example_rows()])
    since = ("--from", START + 60 * DAY)
    place.good(*SCAN, *since)
    found = records(place), pq.read_table(place.folder / "results.jsonl.scores.parquet").to_pydict()
    config = CONFIG.replace('"telemetry.csv"', '"telemetry.csv"\nearliest = 2010-01-01')
    place.write("anomscan.toml", f'{config}[store]\npath = "other"\n')
    code, _, err = place("fetch")
    assert (code, "240 new" in err, "warning" in err) == (0, True, False)
    assert "1 sample of 1 asset (such as asset 'b', 1970-01-01) before earliest left out" in err
    assert place("fetch")[0] == 0
    place.good(*SCAN, *since)
    assert records(place) == found[0]
    scores = pq.read_table(place.folder / "results.jsonl.scores.parquet").to_pydict()
    # Sums of windows are aligned at the first sample, so that they may differ in their last digit.
    assert found[1].pop("cutoff") == pytest.approx(scores.pop("cutoff"), rel=1e-12)
    assert found[1] == scores


def test_history_from_before_an_outage_does_not_end_the_warming_up(place: Place) -> None:
    """Twenty days, a year of nothing, 45 days: half a window of scores at the end."""
    days = [*range(20), *range(385, 430)]
    after = [["b", START + day * DAY, 0.8 + day % 7 / 100, "Ok"] for day in days]
    assert "'b' from 2016-01-20 to 2017-01-20" in start(place, [*example_rows(("a",)), *after])
    place.good(*SCAN)
    verdicts = records(place)[1]["verdicts"]
    assert verdicts["ok"] + verdicts["anomalous"] == 45 - 2 - 28
    assert sum(verdicts.values()) == 430
