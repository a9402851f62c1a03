"""krcf, AWS's open-source forest in Rust, as the oracle: its trees by our arithmetic, and its forests beside ours."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields

import krcf
import numpy as np
import pytest

from anomscan.detectors.rcf import Forest
from anomscan.detectors.rcf.trees import Trees
from anomscan.telemetry.shingles import shingles

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("kernel")]


def krcf_forest(points, trees, sample_size, seed):
    forest = krcf.RandomCutForest(
        {
            "dimensions": points.shape[1],
            "shingle_size": 1,
            "num_trees": trees,
            "sample_size": sample_size,
            "random_seed": seed,
            "output_after": 1,
            "lambda": 0.0,  # no decay: every point is as likely to be kept as any other
            "initial_accept_fraction": 1.0,
            "internal_shingling": False,
            "parallel_execution_enabled": False,
        }
    )
    for point in points:
        forest.update(point)
    return forest


@dataclass
class Exported:
    """krcf's trees, rebuilt node by node from its JSON."""

    store: list
    rows: dict[str, list] = field(default_factory=lambda: {f.name: [] for f in fields(Trees)})

    def add_tree(self, tree):
        self.rows["roots"].append(self._place())
        self._fill(self.rows["roots"][-1], tree["root"], tree["node_store"])

    def trees(self):
        floats = {"cut", "low", "high"}
        return Trees(**{name: np.array(r, np.float32 if name in floats else np.int32) for name, r in self.rows.items()})

    def _place(self):
        for name in ("left", "axis", "cut", "mass", "low", "high"):
            self.rows[name].append(0)
        return len(self.rows["left"]) - 1

    def _fill(self, place, node, nodes):
        capacity = nodes["capacity"]
        if node >= capacity:  # a leaf names its point
            assert not nodes["hash_mass_leaves"], "the test's points are all different"
            left, axis, cut, mass = 0, 0, np.inf, 1
            low = high = self.store[node - capacity]
        else:
            left, axis, cut = self._place(), nodes["cut_dimension"][node], nodes["cut_value"][node]
            self._place()
            self._fill(left, nodes["left_index"][node], nodes)
            self._fill(left + 1, nodes["right_index"][node], nodes)
            mass = self.rows["mass"][left] + self.rows["mass"][left + 1]
            low = np.minimum(self.rows["low"][left], self.rows["low"][left + 1])
            high = np.maximum(self.rows["high"][left], self.rows["high"][left + 1])
        for name, value in (("left", left), ("axis", axis), ("cut", cut), ("mass", mass), ("low", low), ("high", high)):
            self.rows[name][place] = value


def adopted(oracle):
    """krcf's forest as one of ours."""
    state = json.loads(oracle.to_json())["rcf"]
    dimension = state["dimensions"]
    store = np.array(state["point_store"]["store"], np.float32)
    starts = [place * dimension for place in state["point_store"]["location"]]  # beyond the end where a place is free
    exported = Exported([store[start : start + dimension] for start in starts])
    for sampled in state["sampler_plus_trees"]:
        exported.add_tree(sampled["tree"])
    return Forest(exported.trees(), state["sampler_plus_trees"][0]["tree"]["capacity"], 0, "shuffled", {})


def daily_ratio(seed, days=1500):
    """A made-up daily performance ratio: a season, noise, some bad days."""
    rng = np.random.default_rng(seed)
    day = np.arange(days)
    bad = np.where(rng.random(days) < 0.01, -0.5 * rng.random(days), 0)
    return 0.8 + 0.1 * np.sin(day / 58) + 0.03 * rng.normal(size=days) + bad


@pytest.mark.parametrize("dimension", [1, 2, 7])
def test_its_own_trees_score_and_attribute_alike(dimension):
    rng = np.random.default_rng(dimension)
    points = rng.normal(size=(400, dimension)).astype(np.float32)
    oracle = krcf_forest(points, trees=20, sample_size=64, seed=3)
    forest = adopted(oracle)
    # Inside, outside, and equal to points that most trees hold or do not hold.
    queries = np.concatenate([rng.normal(size=(40, dimension)), 4 * rng.normal(size=(40, dimension)), points[-40:]])
    queries = queries.astype(np.float32)
    expected = [oracle.attribution(query) for query in queries]
    np.testing.assert_allclose(forest.score(queries), [oracle.score(query) for query in queries], rtol=1e-6)
    np.testing.assert_allclose(
        forest.attribution(queries), [np.add(a["high"], a["low"]) for a in expected], rtol=1e-6, atol=1e-7
    )


SEEDS = range(24)


@pytest.fixture(scope="module")
def engines(kernel):
    """(2, seeds, queries) the scores of the same 600 queries by ours and krcf, trained on the same shingles."""
    train = shingles(daily_ratio(0)[:, np.newaxis], 7).astype(np.float32)
    fresh = shingles(daily_ratio(1, 506)[:, np.newaxis], 7)
    strange = np.random.default_rng(2).uniform(0, 1.5, (100, 7))
    queries = np.concatenate([fresh, strange]).astype(np.float32)
    ours = [Forest.fit(train, trees=40, sample_size=128, seed=seed).score(queries) for seed in SEEDS]
    theirs = []
    for seed in SEEDS:
        oracle = krcf_forest(train, trees=40, sample_size=128, seed=seed + 1)
        theirs.append([oracle.score(query) for query in queries])
    return np.array([ours, theirs])


def pairs_of(distance, engines):
    """Distances between two seeds of one engine, and between one seed of each."""
    ours, theirs = engines
    within = [distance(engine[a], engine[b]) for engine in (ours, theirs) for a in SEEDS for b in SEEDS if a < b]
    return np.array(within), np.array([distance(a, b) for a in ours for b in theirs])


def kolmogorov_smirnov(a, b):
    both = np.sort(np.concatenate([a, b]))
    shares = [np.searchsorted(np.sort(sample), both, side="right") / len(sample) for sample in (a, b)]
    return np.abs(shares[0] - shares[1]).max()


def spearman_distance(a, b):
    ranks = [np.argsort(np.argsort(sample)) for sample in (a, b)]
    return 1 - np.corrcoef(ranks)[0, 1]


@pytest.mark.parametrize("distance", [kolmogorov_smirnov, spearman_distance])
def test_two_engines_are_as_close_as_two_seeds_of_one(engines, distance):
    within, between = pairs_of(distance, engines)
    assert np.median(between) <= 1.15 * np.median(within)
    assert between.max() <= 1.25 * within.max()


def test_the_engines_have_the_same_mean_score_of_each_query(engines):
    # The mean over k seeds has a variance of var / k. If both engines draw from one distribution, the squared
    # difference of their means, over its variance, is 1 on average; a bias of one engine would add to it.
    ours, theirs = engines
    variance = (ours.var(axis=0, ddof=1) + theirs.var(axis=0, ddof=1)) / len(SEEDS)
    excess = (ours.mean(axis=0) - theirs.mean(axis=0)) ** 2 / variance
    assert np.median(excess) < 1.5
    assert abs(ours.mean() - theirs.mean()) < 4 * np.sqrt(
        (ours.mean(1).var(ddof=1) + theirs.mean(1).var(ddof=1)) / len(SEEDS)
    )


@pytest.mark.parametrize("quantile", [0.05, 0.25, 0.5, 0.75, 0.95])
def test_the_engines_have_the_same_quantiles(engines, quantile):
    ours, theirs = np.quantile(engines, quantile, axis=2)
    noise = np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / len(SEEDS))
    assert abs(ours.mean() - theirs.mean()) < 3.5 * noise
