"""Detection quality on labelled series that nobody in this project wrote, beside published figures and prototypes.

Series and metrics are read in place, from the folder that ANOMSCAN_BENCH names (by default ../shared/bench). VUS-PR is
the threshold-free metric of TSB-AD, a mean over series, of which one that fails counts 0. The first rows of a series
are trusted, and look both ways; nine multivariate series have labelled faults there, so both figures are told. NAB is
Numenta's score, standard profile, with one threshold for all files: the best one, and the best one of the other half of
the files. There scores become ranks among the earlier ones of their file, and only a rank above the last 100 counts.

Run as ``python -m benchmarks.quality [BENCH...] [--series]``.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from anomscan.config import NearestSettings, ProfileSettings
from anomscan.detectors.base import Detector
from anomscan.detectors.nearest.detector import NearestPast
from anomscan.detectors.profile.detector import MatrixProfile
from anomscan.errors import AnomscanError
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Series

FOLDER = Path(os.environ.get("ANOMSCAN_BENCH", "../shared/bench"))
#: What prototypes reached on the same series, and what is to be reached.
FIGURES = {
    "tsbad-u-dev": "prototypes: .406 strictly causal, .587 in batch; marks .41, .59",
    "tsbad-m-dev": "prototypes: .428 causal, .534 in batch; marks .43, .53",
    "nab": "prototypes: 61.8 (59.3) alone, 66.6 (65.3) with a forest; ARTime 74.9, HTM 70.1, RCF 51.7; mark 66",
}
REFRACTORY = 100


@dataclass
class Result:
    """What a detector says of one labelled series."""

    item: dict[str, Any]
    score: np.ndarray | None
    failure: str = ""


def nearest(item: dict[str, Any], *, warm_up: bool = False, **settings: Any) -> np.ndarray:
    """The scores; those of the first rows, on which the detector may rely, are missing unless they are asked for."""
    config = NearestSettings(kind="nearest", min_history=item["train"], **settings)
    return scored(NearestPast("nearest", config), item, warm_up=warm_up)


def profile(item: dict[str, Any]) -> np.ndarray:
    """The scores of one that looks ahead."""
    return scored(MatrixProfile("profile", ProfileSettings(kind="profile")), item)


def scored(detector: Detector, item: dict[str, Any], *, warm_up: bool = False) -> np.ndarray:
    """The scores of one series, NaN where there are none."""
    values = item["X"]
    names = tuple(f"v{k}" for k in range(values.shape[1]))
    at = np.datetime64("2000-01-01", "us") + np.arange(len(values)) * np.timedelta64(1, "m")
    (found,) = detector.score([Series(item["id"], Cadence.parse("1min"), names, at, values)], 1)
    if isinstance(found, AnomscanError):
        raise found
    return found.for_cutoffs if warm_up else found.score


def run(items: Sequence[dict[str, Any]], score: Callable[[dict[str, Any]], np.ndarray]) -> tuple[list[Result], float]:
    """Score all series; also the CPU seconds it took."""
    results, start = [], time.process_time()
    for item in items:
        try:
            found = score(item)
            if not np.isfinite(found).any():
                raise ValueError("no score")  # noqa: TRY301
            results.append(Result(item, np.where(np.isfinite(found), found, np.nanmin(found))))
        except Exception as error:  # noqa: BLE001 - whatever it is, the series counts 0
            results.append(Result(item, None, f"{type(error).__name__}: {error}"))
    return results, time.process_time() - start


def judged(result: Result) -> Result:
    """The same without scores in the trusted part: faults that are labelled there count as missed."""
    if result.score is None:
        return result
    first = result.item["train"]
    late = result.score[first:]
    return replace(result, score=np.append(np.full(first, late.min()), late))


def quality(metrics: ModuleType, results: Sequence[Result], *, each: bool) -> str:
    """Mean VUS-PR and ROC AUC."""
    pr, roc = [], []
    for result in results:
        label = result.item["label"]
        if not label.any() or label.all():
            continue
        if result.score is None:
            pr.append(0.0)
            roc.append(0.0)
            print(f"  {result.item['id']} failed: {result.failure}")
            continue
        window = metrics.find_period(result.item["X"][:, 0])
        pr.append(metrics.vus(label, result.score, window)[1])
        roc.append(metrics.roc_auc(label, result.score))
        if each:
            print(f"  {result.item['id']:<60} {pr[-1]:.3f} {roc[-1]:.3f}", flush=True)
    return f"VUS-PR {np.mean(pr):.3f}, ROC {np.mean(roc):.3f}, {len(pr)} series"


def ranked(score: np.ndarray, first: int) -> np.ndarray:
    """-log10 of the share of earlier scores that are as high, plus what goes beyond the highest; 0 before ``first``."""
    past, rank = np.empty(0), np.zeros(len(score))
    for t, value in enumerate(score):
        place = int(np.searchsorted(past, value))
        if t >= first and len(past):
            rank[t] = -np.log10((len(past) - place + 1) / (len(past) + 1))
            if value > past[-1] > 0:
                rank[t] += value / past[-1] - 1
        past = np.insert(past, place, value)
    recent = np.array([rank[max(t - REFRACTORY, 0) : t].max(initial=-1.0) for t in range(len(rank))])
    return np.where(rank > recent, rank, 0.0)


def nab(metrics: ModuleType, ranks: Sequence[np.ndarray], items: Sequence[dict[str, Any]]) -> str:
    """Numenta's score with one threshold for all files, and with that of the other half of them."""
    files = [(rank, item["windows"]) for rank, item in zip(ranks, items, strict=True)]
    best, null = metrics.nab_score(files), metrics.nab_score(files, threshold=np.inf)["raw"]
    halves, raw = (files[0::2], files[1::2]), 0.0
    for half, other in (halves, halves[::-1]):
        raw += metrics.nab_score(half, threshold=metrics.nab_score(other)["threshold"])["raw"]
    windows = sum(len(windows) for _, windows in files)
    return f"NAB {best['score']:.1f}, {100 * (raw - null) / (windows - null):.1f} with the threshold of the other half"


def main() -> None:
    parser = argparse.ArgumentParser(description="Detection quality on labelled series.")
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=f"of {', '.join(FIGURES)}; all by default")
    parser.add_argument("--series", action="store_true", help="tell each series, too")
    chosen = parser.parse_args()
    if not (FOLDER / "evaluate.py").exists():
        print(f"no labelled series in {FOLDER}: name their folder in ANOMSCAN_BENCH")
        return
    os.environ["BENCH_DATA"] = str(FOLDER)
    spec = importlib.util.spec_from_file_location("evaluate", FOLDER / "evaluate.py")
    assert spec is not None
    assert spec.loader is not None
    metrics = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(metrics)
    for bench in chosen.benches or FIGURES:
        items = list(metrics.load(bench))
        results, cpu = run(items, lambda item: nearest(item, warm_up=True))
        told = quality(metrics, [judged(each) for each in results], each=chosen.series)
        print(f"{bench}: nearest, causal: {told}, {cpu:.1f} s of CPU", flush=True)
        told = quality(metrics, results, each=False)
        print(f"{bench}: nearest, with its trusted rows, which look both ways: {told}", flush=True)
        if bench != "nab":
            results, cpu = run(items, profile)
            told = quality(metrics, results, each=chosen.series)
            print(f"{bench}: profile, looks ahead: {told}, {cpu:.1f} s of CPU", flush=True)
        if bench == "nab":
            points, cpu = run(items, lambda item: nearest(item, warm_up=True, half_lives=(1.0, 8.0)))
            ranks = [
                np.zeros(len(each.item["X"])) if each.score is None else ranked(each.score, each.item["train"])
                for each in points
            ]
            print(f"{bench}: nearest, half-lives 1 and 8, ranks: {nab(metrics, ranks, items)}, {cpu:.1f} s of CPU")
        print(f"  {FIGURES.get(bench, '')}", flush=True)


if __name__ == "__main__":
    main()
