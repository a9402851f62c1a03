"""Facts in a model file that train would not write."""

from __future__ import annotations

import os

import numpy as np
import pytest

from anomscan.detectors.rcf import Forest
from anomscan.detectors.rcf.detector import RcfDetector
from anomscan.errors import ModelError


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("shingle", "3"),
        ("shingle", True),
        ("variables", "x"),
        ("variables", [1]),
        ("cadence", 5),
        ("cadence", "soon"),
        ("trained_through", "yesterday"),
        ("trained_through", 2016),
        ("trained_through", "0001-01-01T00:00:00+05:00"),
        ("severity", {"median": 1}),
        ("severity", {"median": 1, "q99": "2"}),
        ("severity", {"median": 1, "q99": 10**400}),
        ("severity", [1, 2]),
        ("exemplars", [None]),
    ],
)
def test_a_fact_of_another_kind_is_named(tmp_path, fact, value):
    forest = Forest.fit(np.zeros((1, 1)), trees=1, sample_size=1, seed=0).with_facts(**{fact: value})
    forest.save(tmp_path / "m")
    with pytest.raises(ModelError, match=rf"m has an invalid {fact} \(run anomscan train\)"):
        RcfDetector.load("rcf", tmp_path / "m")


def test_a_pipe_is_no_model(tmp_path):
    os.mkfifo(tmp_path / "m")
    with pytest.raises(ModelError, match=r"m cannot be read: it is not a regular file"):
        RcfDetector.load("rcf", tmp_path / "m")
