from __future__ import annotations

import math

import numpy as np
import pytest

from anomscan.detectors.base import Scores
from anomscan.detectors.recorded import Recorded
from anomscan.errors import AssetError, InputError
from fleets import daily


def scored(path, *assets):
    return Recorded("replay", path).score([daily(asset, np.ones(4)) for asset in assets], 1)


CSV = "score,asset,timestamp\n1.5,007,2017-01-02\n,007,2017-01-03\n2.5,007,2017-01-04T00:00:00Z\n9,007,2019-01-01\n"
JSON = (
    '{"asset": "007", "timestamp": "2017-01-02", "score": 1.5}\n\n'
    '{"asset": "007", "timestamp": "2017-01-03", "score": null}\n'
    '{"asset": "007", "timestamp": "2017-01-04T01:00:00+01:00", "score": 2.5}\n'
)


@pytest.mark.parametrize(("name", "text"), [("scores.csv", CSV), ("scores.jsonl", JSON)])
def test_scores_are_found_by_asset_and_timestamp(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    found, missing = scored(path, "007", "7")
    assert isinstance(found, Scores)
    np.testing.assert_array_equal(found.score, [math.nan, 1.5, math.nan, 2.5])
    assert isinstance(missing, AssetError)
    assert "'7'" in str(missing)


def test_rows_that_repeat_are_one(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("asset,timestamp,score\na,2017-01-01,1\na,2017-01-01,1.0\na,2017-01-02,\na,2017-01-02,nan\n")
    (found,) = scored(path, "a")
    assert found.score[0] == 1.0


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("s.csv", "", "is empty"),
        ("s.csv", "asset,timestamp,score\n", "holds no scores"),
        ("s.csv", "asset,time,score\na,2017-01-01,1\n", "no column 'timestamp'.*it has: asset, time, score"),
        ("s.csv", "asset,timestamp,score\na,2017-01-01,1\na,2017", "line 3: the header has 3 fields, here are 2"),
        ("s.csv", "asset,timestamp,score\na,2017-01-01,high\n", "line 2.*high"),
        ("s.csv", "asset,timestamp,score\na,2017-01-01,inf\n", "line 2.*infinite"),
        ("s.csv", "asset,timestamp,score\na,yesterday,1\n", "line 2.*yesterday"),
        ("s.csv", "asset,timestamp,score\na,2017-01-01,1\na,2017-01-01,2\n", "line 3: asset 'a' has two scores"),
        ("s.jsonl", '{"asset": "a", "timestamp": "2017-01-01", "score": 1}\n{"asset": "a", "ti', "line 2.*cut off"),
        ("s.jsonl", '{"asset": "a", "timestamp": "2017-01-01"}\n', "has no column 'score'"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        Recorded("replay", path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.csv cannot be read"):
        Recorded("replay", tmp_path / "nowhere.csv")
