from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anomscan.detectors.rcf.severity import Severity

scores = st.lists(st.floats(0, 1e9), min_size=1, max_size=30)


@given(scores, scores)
def test_severity_lies_between_0_and_1_and_never_falls(training, asked):
    severity = Severity.of(np.array(training))(np.sort(asked))
    assert ((severity >= 0) & (severity <= 1)).all()
    assert (np.diff(severity) >= 0).all()


def test_half_the_training_has_none_and_its_hundredth_has_much():
    training = np.random.default_rng(0).normal(size=10_000)
    severity = Severity.of(training)(training)
    assert (severity == 0).mean() == 0.5
    assert abs((severity > 1 - np.exp(-1)).mean() - 0.01) < 1e-3


def test_a_model_keeps_it():
    severity = Severity(0.75, 1.25)
    assert Severity.from_facts({"severity": severity.facts()}) == severity
    assert Severity.from_facts({}) is None


def test_where_training_was_constant_anything_above_is_as_strange_as_can_be():
    np.testing.assert_array_equal(Severity(1.0, 1.0)(np.array([0.5, 1.0, 1.0001, np.nan])), [0, 0, 1, np.nan])
