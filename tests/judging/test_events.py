"""Incidents against known bad spans, and what chance gives."""

from __future__ import annotations

import numpy as np
import pytest

from anomscan.judging.agreement import agreement, with_common_cause
from anomscan.judging.events import Labels, caught
from anomscan.judging.found import Found, JudgedAsset, Span, common_stretches
from anomscan.judging.intervals import bootstrap, mean, middle, ratio, wilson


def asset(name: str, *incidents: tuple[int, int, int], watched: tuple[int, int] | None = (0, 99)) -> JudgedAsset:
    """An asset with incidents (since, first, last), a sample an instant."""
    found = tuple(Found(since, Span(first, last, "dropped")) for since, first, last in incidents)
    return JudgedAsset(name, None if watched is None else Span(*watched), found)


def test_what_meets_a_span_is_caught_with_its_delay_and_the_error_of_its_onset():
    one = asset("a", (18, 22, 30), (60, 60, 61))
    found = caught([one], Labels({"a": [Span(20, 40, "string"), Span(80, 81, "stuck")]}), step_us=1)
    assert found.met.hit.tolist() == [1.0, 0.0]
    assert (found.met.delay.tolist(), found.met.off.tolist()) == ([2.0], [2.0])
    assert found.kinds == ("string", "stuck")
    assert found.false[0, 0] == 1


def test_of_two_incidents_in_a_span_the_earlier_one_counts():
    found = caught([asset("a", (25, 25, 26), (30, 31, 32))], Labels({"a": [Span(20, 40)]}), step_us=1)
    assert (found.met.delay.tolist(), found.met.off.tolist()) == ([5.0], [5.0])


def test_what_lasts_for_ever_catches_all_and_so_it_does_by_chance():
    found = caught([asset("a", (0, 0, 99))], Labels({"a": [Span(20, 40)]}), step_us=1)
    assert found.met.hit.tolist() == found.chance.hit.tolist() == [1.0]
    assert found.false.tolist() == [[0.0, 0.0]]


def test_chance_is_the_share_of_places_at_which_a_span_would_be_met():
    # A span of one sample meets an incident of 25 of 100 samples at every fourth place.
    found = caught([asset("a", (50, 50, 74))], Labels({"a": [Span(3, 3)]}), step_us=1)
    assert found.met.hit.tolist() == [0.0]
    assert found.chance.hit[0] == pytest.approx(0.25, abs=0.02)
    assert found.false[0] == pytest.approx([1.0, 0.75], abs=0.02)


def test_a_span_that_leaves_the_stretch_at_its_end_comes_in_at_its_beginning():
    # Wherever ten samples lie in a ring of 100 they meet one of 10 in 19 places.
    for first in (0, 45, 90):
        found = caught([asset("a", (first, first, first + 9))], Labels({"a": [Span(50, 59)]}), step_us=1)
        assert found.chance.hit[0] == pytest.approx(0.19, abs=0.02)


def test_spans_outside_what_was_watched_do_not_count():
    known = Labels({"a": [Span(-50, -1), Span(200, 210)], "b": [Span(0, 5)]})
    found = caught([asset("a", (5, 5, 6)), asset("b", watched=None)], known, step_us=1)
    assert len(found.met.hit) == 0
    assert found.false[:, 0].tolist() == [1.0, 0.0]


def test_where_only_some_things_are_known_only_those_are_false():
    known = Labels({"a": [Span(20, 40)]}, {"a": [Span(60, 70)]}, complete=False)
    found = caught([asset("a", (25, 25, 30), (62, 62, 62), (90, 90, 92))], known, step_us=1)
    assert found.false[0, 0] == 1
    assert np.isnan(found.false[0, 1])


def test_set_ups_are_compared_where_all_of_them_judged():
    first = [asset("a", (5, 5, 6), (50, 50, 60)), asset("b")]
    second = [asset("a", watched=(20, 80)), asset("b", watched=None)]
    shared = common_stretches([first, second])
    assert shared == {"a": Span(20, 80)}
    within = first[0].within(shared["a"])
    assert (within.watched, [each.flagged.start for each in within.found]) == (Span(20, 80), [50])


def test_agreement_is_the_share_of_incidents_that_meet_one_of_the_other():
    one = [asset("a", (5, 5, 6), (50, 50, 60)), asset("b")]
    other = [asset("a", (55, 55, 90)), asset("b", (5, 5, 6))]
    assert agreement(one, other) == agreement(other, one) == 0.5
    assert agreement(one, one) == 1.0
    assert np.isnan(agreement([asset("a")], [asset("a")]))


def test_what_begins_on_many_assets_of_a_cohort_has_a_common_cause():
    fleet = [asset(f"s{n}", (40 + n % 2, 40 + n % 2, 50), (n * 9, n * 9, n * 9)) for n in range(4)]
    fleet += [asset("t", (40, 40, 41))]
    assert with_common_cause(fleet, lambda name: name[0], slack_us=1) == 4
    assert with_common_cause(fleet, lambda name: None, slack_us=1) == 0


def test_intervals_widen_with_few_cases():
    assert wilson(0, 0) is None
    few, many = wilson(2, 4), wilson(200, 400)
    assert few is not None
    assert many is not None
    assert few[0] < many[0] < 0.5 < many[1] < few[1]
    assert bootstrap(np.array([1.0]), mean) is None
    drawn = bootstrap(np.arange(100.0), middle)
    assert drawn is not None
    assert drawn[0] < 49.5 < drawn[1]
    assert bootstrap(np.arange(100.0), middle) == drawn
    assert bootstrap(np.array([[1.0, 2.0], [2.0, 4.0]]), ratio) == (0.5, 0.5)
