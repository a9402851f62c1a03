from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anomscan.detectors.exemplars import Criteria, choose
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


def all_of(points):
    return points[np.arange(len(points))]


CALM = [0.8, 0.81, 0.79, 0.8, 0.82, 0.8, 0.81]


def test_the_last_consecutive_finite_samples_decide():
    wild_then_calm = [0.1, 0.9, *CALM[:5]]
    gap = [*CALM[:5], np.nan, 0.8, 0.8]
    found = choose(lambda: [[series("b", wild_then_calm), series("a", gap)]], FIVE, shingle=2, through=None)
    assert found.assets == ["a", "b"]
    expected = np.array(CALM[:5]).reshape(-1, 1)
    np.testing.assert_array_equal(all_of(found.points), np.concatenate([shingles(expected, 2)] * 2))
    assert found.stds[0, 0] == pytest.approx(np.std(CALM[:5], ddof=1))


def test_why_each_was_left():
    fleet = [
        series("calm", CALM),
        series("constant", [0.8] * 7),
        series("wild", [0.1, 0.9] * 4),
        series("short", CALM[:4]),
        series("holes", CALM, keep=[0, 1, 2, 4, 5, 6]),
    ]
    found = choose(lambda: [fleet[:2], fleet[2:]], FIVE, shingle=2, through=None)
    assert found.assets == ["calm"]
    reasons = dict(found.left)
    assert "not above 0" in reasons["constant"]
    assert "not below 0.1" in reasons["wild"]
    assert reasons["short"] == "no 5 consecutive finite samples among its 4"
    assert reasons["holes"] == "no 5 consecutive finite samples among its 6"


def test_nothing_later_than_through_has_a_say():
    later = [*CALM[:5], 9.0, 9.0]
    through = START + 4 * DAY
    found = choose(lambda: [[series("a", later)]], FIVE, shingle=2, through=through)
    assert found.trained_through == through
    assert all_of(found.points).max() < 1


def test_every_variable_must_be_calm():
    both = np.column_stack([CALM, np.arange(7.0)])
    with pytest.raises(NoExemplarsError, match=r"std of y is 1.58.*raise .train. max_std"):
        choose(lambda: [[series("a", both)]], FIVE, shingle=2, through=None)


def test_with_none_left_it_says_how_to_widen():
    with pytest.raises(NoExemplarsError, match=r"none of 2 assets.*lower .train. samples"):
        choose(lambda: [[series("a", CALM[:3]), series("b", CALM[:2])]], FIVE, shingle=2, through=None)
    with pytest.raises(NoExemplarsError, match="run anomscan fetch"):
        choose(list, FIVE, shingle=2, through=None)


def test_points_are_read_in_the_order_asked_for():
    both = np.column_stack([CALM, np.flip(CALM)])
    fleet = [[series("b", both), series("a", both[::-1])], [series("wild", both * 9), series("c", both + 1)]]
    points = choose(lambda: fleet, FIVE, shingle=2, through=None).points
    stretches = [values[-5:] for values in (both[::-1], both, both + 1)]
    expected = np.concatenate([shingles(stretch, 2) for stretch in stretches])
    assert len(points) == len(expected) == 12
    rows = np.array([11, 0, 4, 4, 3])
    np.testing.assert_array_equal(points[rows], expected[rows])
    np.testing.assert_array_equal(all_of(points), expected)
    assert points[rows[:0]].shape == (0, 4)


def test_a_shingle_longer_than_the_stretch_leaves_no_points():
    assert len(choose(lambda: [[series("a", CALM)]], FIVE, shingle=6, through=None).points) == 0


def test_an_asset_with_a_value_beyond_what_a_forest_takes_is_left_out():
    huge = Criteria(samples=5, min_std=0.0, max_std=1e39)
    fleet = [
        series("a", CALM),
        series("b", [3e38, *CALM[:4]]),
        series("c", [*CALM[:4], 1e300]),
        series("d", [1e300, *CALM]),
    ]
    found = choose(lambda: [fleet], huge, shingle=2, through=None)
    assert found.assets == ["a", "d"]
    beyond = "beyond the 1.7e+38 that a forest takes"
    assert found.left == [
        ("b", f"x is 3e+38 on 2016-01-01, {beyond}"),
        ("c", f"x is 1e+300 on 2016-01-05, {beyond}"),
    ]
    with pytest.raises(NoExemplarsError, match=r"x is 1e\+300 on 2016-01-05.*\(name it in missing of the source"):
        choose(lambda: [fleet[2:3]], huge, shingle=2, through=None)


@pytest.mark.parametrize("value", [0.83, 0.7, 1.81, 0.576, -0.087, 0.1, 1e9 / 3, 5e-324])
def test_a_frozen_sensor_is_no_exemplar_whatever_its_value(value):
    fleet = [series("calm", np.tile(CALM, 60)), series("frozen", [value] * 420)]
    both = [series("half", np.stack([np.tile(CALM, 60), np.full(420, value)], axis=1))]
    year = Criteria(samples=400)
    found = choose(lambda: [fleet], year, shingle=7, through=None)
    assert (found.assets, found.left) == (["calm"], [("frozen", "std of x is 0, not above 0")])
    with pytest.raises(NoExemplarsError, match="std of y is 0, not above 0"):
        choose(lambda: [both], year, shingle=7, through=None)


def test_what_was_measured_is_frozen_though_the_view_of_it_is_not():
    fleet = [series("calm", np.tile(CALM, 60)), series("frozen", [0.8] * 420)]

    def wavy(own):
        return replace(own, values=own.values - np.tile([[0.0], [0.01]], (210, 1)))

    found = choose(lambda: [fleet], Criteria(samples=400), shingle=7, through=None, view=wavy)
    assert (found.assets, found.left) == (["calm"], [("frozen", "std of x is 0, not above 0")])
    np.testing.assert_array_equal(all_of(found.points), shingles(wavy(fleet[0]).values[-400:], 7))


def test_frozen_variables_are_to_be_left_out_and_no_limit_lowered():
    fleet = [series(name, np.stack([np.tile(CALM, 60), np.full(420, 0.5)], axis=1)) for name in "ab"]
    with pytest.raises(NoExemplarsError, match=r"never changes.*leave it out of columns.values"):
        choose(lambda: [fleet], Criteria(samples=400), shingle=7, through=None)
    with pytest.raises(NoExemplarsError, match=r"lower .train. min_std"):
        choose(lambda: [[series("a", CALM)]], Criteria(samples=5, min_std=0.05), shingle=2, through=None)


def test_a_number_that_stands_for_a_missing_value_is_named():
    fleet = [series(name, [*np.tile(CALM, 3), -9999.0, *CALM]) for name in "ab"]
    with pytest.raises(NoExemplarsError, match="-9999 is far from all others") as caught:
        choose(lambda: [fleet], Criteria(samples=29), shingle=7, through=None)
    assert "raise" not in str(caught.value)


def test_values_near_the_largest_float_are_wild_without_a_warning():
    fleet = [series("calm", CALM), series("huge", [1e308, -1e308] * 4)]
    found = choose(lambda: [fleet], FIVE, shingle=2, through=None)
    assert found.assets == ["calm"]
    assert "beyond the 1.7e+38 that a forest takes" in dict(found.left)["huge"]
