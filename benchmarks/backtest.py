"""Window, cut-off, verdicts and spans of an asset, its scores given: the notebook's loop against ours.

The loop is the notebook's idea written anew: pandas, one window a day, its mean and std taken afresh.
"""

from __future__ import annotations

import datetime as dt
import statistics
import time

import numpy as np
import pandas as pd

from anomscan.backtest.asset import Stretch
from anomscan.backtest.fleet import Backtest
from anomscan.backtest.rules import Rules
from anomscan.detectors.base import Capabilities, Scores
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Series

DAYS = 1096
ASSETS = 320
MARK = 2000


class Given:
    name = "given"
    capabilities = Capabilities()
    trained_through = None

    def __init__(self, scores):
        self.scores = scores

    def score(self, batch, shingle, rows=None):
        return [Scores(series.timestamps, self.scores[series.asset]) for series in batch]

    def contributions(self, series, rows, shingle):
        return None


def notebook(index, values, health, scores):
    """The days found anomalous, and their spans, one window at a time."""
    data = pd.DataFrame({"value": values, "health": health}, index=index)
    labelled = pd.Series(scores[6:], index[:-6])
    found = {}
    for first in range(DAYS - 366 + 1):
        window = data.iloc[first : first + 366]
        known = labelled.iloc[first : first + 360]
        cutoff = known.mean() + 4 * known.std()
        strange = known[known > cutoff]
        if window.index[-7] in strange.index and window.iloc[-1].health != "Unknown":
            found[window.index[-1]] = window.iloc[-1].value
    days = sorted({day.date() - dt.timedelta(days=back) for day in found for back in range(7)})
    spans = []
    for day in days:
        if spans and day == spans[-1][1] + dt.timedelta(days=1):
            spans[-1][1] = day
        else:
            spans.append([day, day])
    return spans


def main() -> None:
    rng = np.random.default_rng(0)
    timestamps = np.datetime64("2016-01-01", "us") + np.arange(DAYS) * np.timedelta64(1, "D")
    fleet, scores = [], {}
    for number in range(ASSETS):
        asset = f"asset-{number}"
        score = rng.gamma(4.0, 0.2, DAYS)
        score[rng.integers(400, DAYS, 3)] += 4
        scores[asset] = score
        codes = (rng.random(DAYS) < 0.01).astype(np.int32)
        values = rng.normal(0.8, 0.05, (DAYS, 1))
        fleet.append(Series(asset, Cadence.parse("1D"), ("x",), timestamps, values, codes, ("Ok", "Unknown")))
    backtest = Backtest(Given(scores), Rules(), Stretch())
    index = pd.DatetimeIndex(timestamps)

    last_night = Backtest(Given(scores), Rules(), Stretch(days=1))

    loop, ours, nightly = [], [], []
    for number in range(3):
        series = fleet[number]
        health = [series.health(row) for row in range(DAYS)]
        start = time.process_time()
        expected = notebook(index, series.values[:, 0], health, scores[series.asset])
        loop.append(time.process_time() - start)
        start = time.process_time()
        spans = [result.spans(7) for result in backtest.scan(fleet)]
        ours.append((time.process_time() - start) / ASSETS)
        start = time.process_time()
        last_night.scan(fleet)
        nightly.append((time.process_time() - start) / ASSETS)
        assert spans[number].astype("datetime64[D]").tolist() == expected
    ratio = statistics.median(a / b for a, b in zip(loop, ours, strict=True))
    print(f"window, cut-off, verdicts, spans against the notebook's loop: {ratio:,.0f} times (mark {MARK:,})")
    print(f"  an asset of {DAYS} days: {statistics.median(ours) * 1e6:.0f} us")
    print(f"  its last day alone: {statistics.median(nightly) * 1e6:.0f} us")


if __name__ == "__main__":
    main()
