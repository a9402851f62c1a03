"""From files to records on random fleets: verdicts and spans equal the slow scan's."""

from __future__ import annotations

import datetime as dt
import json
import math
import random
from collections import Counter

import pytest

from oracles.scan import reference_scan

START = dt.date(2016, 1, 1)
DAY = dt.timedelta(days=1)


def random_asset(rng: random.Random):
    """Telemetry and scores of an asset with holes, empty values, odd health and a length of its own."""
    n = rng.choice([1, 5, 20, 60, 90, 150])
    hole, empty, unknown, unscored = (rng.choice([0.0, 0.0, 0.02, 0.2]) for _ in range(4))
    start = START + rng.randrange(400) * DAY
    rows, scores = {}, {}
    for i in range(n):
        day = start + i * DAY
        if rng.random() >= unscored:
            scores[day] = rng.choice([1.0, 1.0, 1.5]) if rng.random() < 0.5 else rng.gammavariate(4, 0.3)
            if rng.random() < 0.03:
                scores[day] += 7.0
        if i in (0, n - 1) or rng.random() >= hole:
            value = math.nan if rng.random() < empty else round(rng.uniform(0.5, 1.0), 3)
            rows[day] = (value, "Unknown" if rng.random() < unknown else rng.choice(["Ok", "unknown", None]))
    return rows, scores


@pytest.mark.parametrize(("seed", "gaps"), [(1, "calendar"), (2, "calendar"), (3, "ignore")])
def test_what_the_command_writes_equals_the_slow_scan(place, seed, gaps):
    rng = random.Random(seed)
    fleet = {f"asset/{number}": random_asset(rng) for number in range(120)}
    telemetry = [
        [asset, day, "" if math.isnan(value) else value, health or ""]
        for asset, (rows, _) in fleet.items()
        for day, (value, health) in rows.items()
    ]
    rng.shuffle(telemetry)
    place.telemetry(telemetry)
    given = [[asset, day, score] for asset, (_, scores) in fleet.items() for day, score in scores.items()]
    # an asset without scores is an error of its own; here each has at least an empty one
    place.scores(given + [[asset, "2000-01-01", ""] for asset in fleet])
    settings = (place.folder / "anomscan.toml").read_text()
    place.write("anomscan.toml", settings.replace("[scan]", f'[scan]\ngaps = "{gaps}"'))
    place.good("fetch")
    place.good("scan", "--all", "-o", "results.jsonl", "--window", 40, "--shingle", 4, "--sigma", 2.5)
    records = [json.loads(line) for line in (place.folder / "results.jsonl").read_text("utf-8").splitlines()]
    assert [record["asset"] for record in records] == sorted(fleet)
    found = 0
    run_end = max(max(rows) for rows, _ in fleet.values())
    for record in records:
        rows, scores = fleet[record["asset"]]
        verdicts, spans = reference_scan(rows, scores, window=40, shingle=4, k=2.5, calendar=gaps == "calendar")
        assert record["spans"] == [[str(start), str(end)] for start, end in spans]
        told = Counter(verdicts.values())
        late = (run_end - max(rows)).days
        told["silent" if late > 3 else "no-data"] += late
        told = {name: count for name, count in told.items() if count}
        assert {name: count for name, count in record["verdicts"].items() if count} == told
        flagged = [str(day) for day, verdict in verdicts.items() if verdict == "anomalous"]
        assert [anomaly["timestamp"] for anomaly in record["anomalies"]] == flagged
        found += len(spans)
    assert found > 20
