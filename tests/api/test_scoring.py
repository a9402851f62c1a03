"""Scores of a series in a data frame."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import anomscan
from anomscan.errors import ConfigError, InputError

DETECTORS = [("nearest", {}), ("control-chart", {}), ("rcf", {}), ("profile", {"causal": True})]


@pytest.fixture(scope="module")
def frame():
    random = np.random.default_rng(0)
    wave = np.sin(np.arange(500) / 4)[:, None] + random.normal(0, 0.05, (500, 2))
    wave[400, 1] += 4
    wave[300, 0] = np.nan
    return pd.DataFrame(
        wave, columns=["a", "b"], index=pd.date_range("2024-01-01", periods=500, freq="h", tz="Europe/Berlin")
    )


@pytest.mark.parametrize(("detector", "settings"), [*DETECTORS, ("profile", {"windows": [8]})])
def test_the_strange_row_has_the_highest_score(frame, detector, settings):
    found = anomscan.score(frame, detector=detector, train_rows=100, **settings)
    assert found.index.equals(frame.index)
    assert found.dtype == np.float64
    assert frame.index.get_loc(found.idxmax()) in range(400, 407)
    assert np.isfinite(found.iloc[400])


@pytest.mark.parametrize(("detector", "settings"), DETECTORS)
def test_what_follows_has_no_say_to_the_bit(frame, detector, settings):
    found = anomscan.score(frame, detector=detector, train_rows=100, **settings)
    for end in (120, 250, 401):
        before = anomscan.score(frame.iloc[:end], detector=detector, train_rows=100, **settings)
        assert before.to_numpy().tobytes() == found.iloc[:end].to_numpy().tobytes()


def test_a_profile_looks_at_all_rows_unless_it_is_causal(frame):
    whole = anomscan.score(frame, detector="profile")
    assert whole.notna().all()  # a value of row 300 is missing, and the other variable is there
    assert not whole.iloc[:250].equals(anomscan.score(frame.iloc[:250], detector="profile"))
    causal = anomscan.score(frame, detector="profile", train_rows=100, causal=True)
    assert causal.iloc[:100].isna().all()
    assert causal.iloc[100:].notna().all()


def test_a_series_and_rows_without_times_are_taken(frame):
    found = anomscan.score(frame["b"].reset_index(drop=True), detector="nearest", half_lives=[1.0])
    assert found.idxmax() == 400
    assert found.iloc[:50].isna().all()
    assert found.iloc[60:].notna().all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"detector": "best"}, ConfigError, "there is no detector 'best'"),
        ({"detector": "nearest", "depth": 3}, ConfigError, "depth"),
        ({"detector": "nearest", "inherit": 3.0}, ConfigError, "inherit"),
        ({"detector": "nearest", "train_rows": 500}, InputError, "train_rows = 500"),
        ({"detector": "rcf", "train_rows": 5}, ConfigError, "no shingle of 7"),
    ],
)
def test_what_makes_no_sense_is_refused(frame, options, error, message):
    with pytest.raises(error, match=message):
        anomscan.score(frame, **options)


def test_words_cannot_be_scored(frame):
    with pytest.raises(InputError, match="not all numbers"):
        anomscan.score(frame.assign(c="x"), detector="nearest")
    with pytest.raises(InputError, match="nothing to score"):
        anomscan.score(frame.iloc[:0], detector="nearest")


def test_nothing_else_is_offered():
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        anomscan.scores  # noqa: B018
