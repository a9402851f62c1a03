"""The forest beside krcf, AWS's open-source forest in Rust: they take turns in one run, each on one thread.

Run as ``python benchmarks/forest.py [--quick]``. Speeds on a shared machine swing; the ratio of the medians counts.
300 trees x 365 samples, shingle 7; both engines are asked the same shuffled queries.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable

import krcf
import numpy as np

from anomscan.detectors.rcf import Forest
from anomscan.telemetry.shingles import shingles

TREES, SAMPLE_SIZE, SHINGLE = 300, 365, 7


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def daily_ratio(days: int, rng: np.random.Generator) -> np.ndarray:
    """A made-up daily performance ratio: a season, noise, some bad days."""
    day = np.arange(days)
    bad = np.where(rng.random(days) < 0.01, -0.5 * rng.random(days), 0)
    return 0.8 + 0.1 * np.sin(day / 58) + 0.03 * rng.normal(size=days) + bad


def krcf_forest(points: np.ndarray) -> krcf.RandomCutForest:
    forest = krcf.RandomCutForest(
        {
            "dimensions": SHINGLE,
            "shingle_size": 1,
            "num_trees": TREES,
            "sample_size": SAMPLE_SIZE,
            "random_seed": 1,
            "output_after": 1,
            "lambda": 0.0,
            "initial_accept_fraction": 1.0,
            "internal_shingling": False,
            "parallel_execution_enabled": False,
        }
    )
    for point in points:
        forest.update(point)
    return forest


def ask_each(ask: Callable[[list[float]], object], queries: np.ndarray) -> Callable[[], object]:
    """krcf takes one point a call; plain lists are what it takes fastest."""
    points = queries.tolist()
    return lambda: [ask(point) for point in points]


def compare(
    what: str, mark: float | None, turns: int, ours: Callable[[], object], theirs: Callable[[], object]
) -> None:
    own, other = [], []
    for _ in range(turns):
        own.append(seconds(ours))
        other.append(seconds(theirs))
    own_s, other_s = statistics.median(own), statistics.median(other)
    ratio = other_s / own_s
    verdict = "" if mark is None else f"mark {mark:g}, {'met' if ratio >= mark else 'MISSED'}"
    print(f"{what:<36} {ratio:6.2f} x krcf   {verdict:<16} ({own_s:.3f} s, krcf {other_s:.3f} s)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="The forest beside krcf, turn by turn, on one thread.")
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    turns = 2 if parser.parse_args().quick else 5
    rng = np.random.default_rng(0)
    train = shingles(daily_ratio(10_000 + SHINGLE - 1, rng)[:, np.newaxis], SHINGLE).astype(np.float32)
    queries = rng.permutation(shingles(daily_ratio(16_384 + SHINGLE - 1, rng)[:, np.newaxis], SHINGLE))

    def fit() -> Forest:
        return Forest.fit(train, trees=TREES, sample_size=SAMPLE_SIZE, seed=0)

    forest, oracle = fit(), krcf_forest(train)
    few = queries[:512]
    for batch in (queries[:4096], queries):
        ours = functools.partial(forest.score, batch)
        compare(f"score, batches of {len(batch):,}", 1.4, turns, ours, ask_each(oracle.score, batch))
    compare(
        "attribution, a batch of 512", None, turns, lambda: forest.attribution(few), ask_each(oracle.attribution, few)
    )
    compare("train on 10,000 shingles", 5, min(turns, 3), fit, lambda: krcf_forest(train))


if __name__ == "__main__":
    main()
