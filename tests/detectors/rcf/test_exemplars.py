from __future__ import annotations

import numpy as np
import pytest

from anomscan.detectors.rcf.exemplars import Criteria, choose
from anomscan.errors import NoExemplarsError
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Series
from anomscan.telemetry.shingles import shingles

START = np.datetime64("2016-01-01", "us")
DAY = np.timedelta64(1, "D")
FIVE = Criteria(samples=5, min_std=0.0, max_std=0.10)


def series(asset, values, keep=None):
    values = np.asarray(values, float).reshape(len(values), -1)
    keep = np.arange(len(values)) if keep is None else np.asarray(keep)
    names = tuple("xyz"[: values.shape[1]])
    return Series(asset, Cadence.parse("1D"), names, START + keep * DAY, values[keep])


CALM = [0.8, 0.81, 0.79, 0.8, 0.82, 0.8, 0.81]


def test_the_last_consecutive_finite_samples_decide():
    wild_then_calm = [0.1, 0.9, *CALM[:5]]
    gap = [*CALM[:5], np.nan, 0.8, 0.8]
    found = choose([[series("b", wild_then_calm), series("a", gap)]], FIVE, shingle=2, through=None)
    assert [asset for asset, _ in found.taken] == ["a", "b"]
    expected = np.array(CALM[:5]).reshape(-1, 1)
    np.testing.assert_array_equal(found.points, np.concatenate([shingles(expected, 2)] * 2))
    assert found.taken[0][1][0] == pytest.approx(np.std(CALM[:5], ddof=1))


def test_why_each_was_left():
    fleet = [
        series("calm", CALM),
        series("constant", [0.8] * 7),
        series("wild", [0.1, 0.9] * 4),
        series("short", CALM[:4]),
        series("holes", CALM, keep=[0, 1, 2, 4, 5, 6]),
    ]
    found = choose([fleet[:2], fleet[2:]], FIVE, shingle=2, through=None)
    assert [asset for asset, _ in found.taken] == ["calm"]
    reasons = dict(found.left)
    assert "not above 0" in reasons["constant"]
    assert "not below 0.1" in reasons["wild"]
    assert reasons["short"] == "no 5 consecutive finite samples among its 4"
    assert reasons["holes"] == "no 5 consecutive finite samples among its 6"


def test_nothing_later_than_through_has_a_say():
    later = [*CALM[:5], 9.0, 9.0]
    through = START + 4 * DAY
    found = choose([[series("a", later)]], FIVE, shingle=2, through=through)
    assert found.trained_through == through
    assert found.points.max() < 1


def test_every_variable_must_be_calm():
    both = np.column_stack([CALM, np.arange(7.0)])
    with pytest.raises(NoExemplarsError, match=r"std of y is 1.58.*raise .train. max_std"):
        choose([[series("a", both)]], FIVE, shingle=2, through=None)


def test_with_none_left_it_says_how_to_widen():
    with pytest.raises(NoExemplarsError, match=r"none of 2 assets.*lower .train. samples"):
        choose([[series("a", CALM[:3]), series("b", CALM[:2])]], FIVE, shingle=2, through=None)
    with pytest.raises(NoExemplarsError, match="run anomscan fetch"):
        choose([], FIVE, shingle=2, through=None)
