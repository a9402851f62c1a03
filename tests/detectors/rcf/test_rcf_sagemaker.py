"""Scores that real SageMaker endpoints printed: ours are as close to them as our seeds are to one another."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from anomscan.detectors.rcf import Forest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / os.environ.get("ANOMSCAN_FIXTURES", "../shared/fixtures") / "sagemaker"
SEEDS = 12

pytestmark = [
    pytest.mark.usefixtures("kernel"),
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no fixtures in {FOLDER} (set ANOMSCAN_FIXTURES)"),
]


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


def read(name):
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.parametrize("source", ["andrewrhoden", "incognitoCodes", "vishnumram1234"])
def test_printed_scores(source):
    taxi = column(read("nyc_taxi.csv"), "value")[:, np.newaxis]
    printed = [row for row in read("printed_scores.csv") if row["source"] == source]
    trees, sample_size = map(int, printed[0]["hp"].split("x"))
    queries, expected = column(printed, "value")[:, np.newaxis], column(printed, "score")
    scores = np.array(
        [
            Forest.fit(taxi, trees=trees, sample_size=sample_size, seed=seed, sampling="sagemaker").score(queries)
            for seed in range(SEEDS)
        ]
    )
    others = (scores.sum(axis=0) - scores) / (SEEDS - 1)
    own_spread = np.sqrt(np.mean((scores - others) ** 2, axis=1)).max()
    distance = np.median(np.sqrt(np.mean((scores - expected) ** 2, axis=1)))
    assert distance <= 1.25 * own_spread
