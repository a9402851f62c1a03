"""The forest beside krcf, AWS's open-source forest in Rust: they take turns in one run, each on one thread.

Run as ``python benchmarks/forest.py [--quick]``. 300 trees x 365 samples; both are trained on the same points and
asked the same shuffled queries. Speeds on a shared machine swing: processor time counts, and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import krcf
import numpy as np

from anomscan.detectors.kernel import describe
from anomscan.detectors.rcf import Forest
from anomscan.telemetry.shingles import shingles

TREES, SAMPLE_SIZE = 300, 365


def daily_ratio(days: int, rng: np.random.Generator) -> np.ndarray:
    """A made-up daily performance ratio: a season, noise, some bad days."""
    day = np.arange(days)
    bad = np.where(rng.random(days) < 0.01, -0.5 * rng.random(days), 0)
    return 0.8 + 0.1 * np.sin(day / 58) + 0.03 * rng.normal(size=days) + bad


def points(number: int, shingle: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ratio = daily_ratio(number + shingle - 1, rng)[:, np.newaxis]
    return rng.permutation(shingles(ratio, shingle)).astype(np.float32)


def fit(train: np.ndarray) -> Forest:
    return Forest.fit(train, trees=TREES, sample_size=SAMPLE_SIZE, seed=0)


def krcf_fit(train: np.ndarray) -> krcf.RandomCutForest:
    forest = krcf.RandomCutForest(
        {
            "dimensions": train.shape[1],
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
    for point in train:
        forest.update(point)
    return forest


def ask_each(ask: Callable[[list[float]], object]) -> Callable[[np.ndarray], object]:
    """krcf takes one point a call; plain lists are what it takes fastest, and making them does not count."""
    return lambda queries: [ask(point) for point in queries]


def on_numpy(ask: Callable[[np.ndarray], object], queries: np.ndarray) -> object:
    os.environ["ANOMSCAN_KERNEL"] = "numpy"
    try:
        return ask(queries)
    finally:
        del os.environ["ANOMSCAN_KERNEL"]


def seconds(work: Callable[[object], object], argument: object, clock: Callable[[], float]) -> float:
    start = clock()
    work(argument)
    return clock() - start


def report(what: str, ratio: float, than: str, mark: float, spent: float, other: float) -> None:
    verdict = "met" if ratio >= mark else "MISSED"
    print(
        f"{what:<44} {ratio:6.2f} x {than:<10} mark {mark:<4g} {verdict:<6}  ({spent:.3f} s, {other:.3f} s)", flush=True
    )


def compare(
    what: str,
    mark: float,
    batches: list[np.ndarray],
    ours: Callable[[np.ndarray], object],
    theirs: Callable[[object], object],
    *,
    listed: bool = True,
) -> None:
    own, other = [], []
    for batch in batches:
        own.append(seconds(ours, batch, time.process_time))
        other.append(seconds(theirs, batch.tolist() if listed else batch, time.process_time))
    own_s, other_s = statistics.median(own), statistics.median(other)
    report(what, other_s / own_s, "krcf", mark, own_s, other_s)


def two_threads(forest: Forest, queries: np.ndarray) -> None:
    """By the clock on the wall, the best of many short turns: other programs on the second core are not our affair."""
    one, two = [], []
    for _ in range(15):
        one.append(seconds(forest.score, queries, time.perf_counter))
        two.append(seconds(lambda q: forest.score(q, threads=2), queries, time.perf_counter))
    report(f"two threads, {len(queries):,} points", min(one) / min(two), "one", 1.8, min(two), min(one))


def loading(forest: Forest, queries: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "m.forest"
        forest.save(model)
        size = model.stat().st_size / 1e6
        load = min(seconds(Forest.load, model, time.perf_counter) for _ in range(5))
        score = min(seconds(Forest.load(model).score, queries, time.perf_counter) for _ in range(5))
    print(f"one asset: a model of {size:.1f} MB loads in {load * 1e3:.0f} ms, ", end="")
    print(f"{len(queries):,} shingles score in {score * 1e3:.0f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="The forest beside krcf, turn by turn, on one thread.")
    parser.add_argument("--quick", action="store_true", help="fewer turns and points")
    quick = parser.parse_args().quick
    turns, batch = (3, 5_000) if quick else (5, 20_000)
    print(describe())
    clang = "clang" in describe()

    train, queries = points(10_000, 7, seed=0), points(100_000, 7, seed=1)
    forest, oracle = fit(train), krcf_fit(train)
    batches = [queries[k * batch : (k + 1) * batch] for k in range(turns)]
    what = f"score at dimension 7, {turns * batch:,} points"
    compare(what, 15 if clang else 8, batches, forest.score, ask_each(oracle.score))
    few = [queries[k * 4096 : (k + 1) * 4096] for k in range(turns)]
    compare("the same on NumPy", 1.4, few, lambda q: on_numpy(forest.score, q), ask_each(oracle.score))
    compare("attribution at dimension 7", 5, [q[:2048] for q in few], forest.attribution, ask_each(oracle.attribution))
    compare("train on 10,000 points", 10, [train] * min(turns, 3), fit, krcf_fit, listed=False)
    two_threads(forest, queries[:20_000])
    loading(forest, queries[:1090])
    for shingle in (1, 14, 28, 50):
        train = points(10_000, shingle, seed=0)
        forest, oracle = fit(train), krcf_fit(train)
        ask = [points(2048 if quick else 4096, shingle, seed=2 + k) for k in range(3)]
        compare(f"score at dimension {shingle}", 6, ask, forest.score, ask_each(oracle.score))


if __name__ == "__main__":
    main()
