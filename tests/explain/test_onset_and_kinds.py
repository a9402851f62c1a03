"""Since when, and what kind of thing."""

from __future__ import annotations

import numpy as np
import pytest

from anomscan.explain.kinds import fewest_equal, kind_of
from anomscan.explain.onset import equal_since, onset


def test_a_jump_begins_when_it_is_flagged():
    noise = np.random.default_rng(0).normal(0, 1, 60)
    noise[49] = 1.2
    noise[50:] += 12
    assert onset(noise, 50, 1) == 50


def test_a_jump_found_with_a_shingle_begins_where_the_band_was_left():
    deviation = np.zeros(60)
    deviation[48:] = 9.0
    assert onset(deviation, 50, 7) == 48
    assert onset(deviation, 59, 7) == 53


def test_a_small_shift_begins_where_the_sum_left_zero():
    deviation = np.random.default_rng(1).normal(0, 0.5, 80)
    deviation[60:] += 3.0
    assert onset(deviation, 66, 1) == 60


def test_a_slow_change_begins_where_the_mean_changed():
    # A cumulative sum would begin with the two wild days before.
    deviation = np.random.default_rng(1).normal(0, 0.5, 80)
    deviation[50:52] = 2.0
    deviation[60:] += 3.0
    assert onset(deviation, 66, 1) == 60


def test_without_a_clear_change_it_begins_where_the_sum_left_zero():
    deviation = np.zeros(20)
    deviation[17:20] = 1.9
    assert onset(deviation, 19, 1) == 17


def test_a_stuck_value_began_with_the_first_of_its_repetitions():
    values = np.array([0.7, 0.8, 0.9, np.nan, 0.9, 0.9])
    assert equal_since(values, 5) == 2
    assert equal_since(values, 1) == 1


def test_missing_samples_are_passed_over():
    deviation = np.array([0.0, 0.0, 3.0, np.nan, 3.0, 3.0, 3.0])
    assert onset(deviation, 6, 1) == 2


@pytest.mark.parametrize(
    ("values", "deviation", "kind"),
    [
        ([0.5] * 8, [-3.0] * 8, "stuck"),
        ([0.0] * 5, [-50.0] * 5, "zero"),
        ([0.7, 0.9, 0.6, 1.0], [-5.0, 5.0, -9.0, 9.0], "noisy"),
        (np.linspace(0.8, 0.6, 30), -np.linspace(0.5, 9, 30), "drifting-down"),
        (np.linspace(0.8, 1.0, 30), np.linspace(0.5, 9, 30), "drifting-up"),
        ([0.6, 0.61, 0.6, 0.62], [-9.0, -8.0, -9.0, -8.0], "dropped"),
        ([1.0, 1.01], [9.0, 9.1], "raised"),
        ([0.8, 0.81], [0.1, -0.2], "pattern"),
        ([0.8, 0.81], [np.nan, np.nan], "pattern"),
    ],
)
def test_kinds(values, deviation, kind):
    flagged = np.ones(len(values), bool)
    assert kind_of(np.array(values, float), np.array(deviation, float), flagged) == kind


def test_whole_numbers_that_repeat_by_chance_are_not_stuck():
    degrees = np.random.default_rng(4).normal(31, 1, 400).round()
    equal = fewest_equal(degrees)
    assert 8 <= equal <= 12
    values, flagged = np.array([33.0] * (equal - 1) + [34.0]), np.ones(equal, bool)
    assert kind_of(values, np.full(equal, 9.0), flagged, equal) == "raised"
    assert kind_of(values, np.full(equal, 9.0), flagged) == "stuck"
    assert kind_of(np.full(equal, 33.0), np.full(equal, 9.0), flagged, equal) == "stuck"
    assert fewest_equal(np.full(400, 31.0)) > 300
    assert fewest_equal(np.array([])) == 5
