"""Made-up faults, and what became of them."""

from __future__ import annotations

import numpy as np
import pytest

from anomscan.judging.faults import FAULTS, Place, scatter
from anomscan.judging.injection import Trial, sensitivity


def struck(kind: str, size: float, *, variables: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Values without and with a fault of 20 samples from row 50 on."""
    before = np.random.default_rng(1).normal(10.0, 1.0, (80, variables))
    after = before.copy()
    FAULTS[kind].put(Place(after, slice(50, 70), 0, 2.0, -1.0, np.random.default_rng(2)), size)
    return before, after


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_changes_its_rows_of_one_variable_alone(kind):
    before, after = struck(kind, 3.0, variables=2)
    changed = np.flatnonzero(np.not_equal(before, after)[:, 0])
    assert len(changed)
    assert changed[0] >= 50
    assert changed[-1] < 70
    assert kind == "gap" or (before[:, 1] == after[:, 1]).all()
    again = struck(kind, 3.0, variables=2)[1]
    assert np.array_equal(after, again, equal_nan=True)


def test_sizes_are_scales_or_nothing():
    before, after = struck("jump", 3.0)
    assert after[50:70] - before[50:70] == pytest.approx(-6.0)
    before, after = struck("drift", 3.0)
    off = (after - before)[50:70, 0]
    assert (np.diff(off) <= 1e-12).all()
    assert off[-1] == pytest.approx(-6.0)
    assert np.flatnonzero(np.subtract(*struck("spike", 1.0))[:, 0]).tolist() == [50]
    assert (struck("stuck", 1.0)[1][50:70] == struck("stuck", 1.0)[0][49]).all()
    assert (struck("zero", 1.0)[1][50:70] == 0).all()
    assert np.isnan(struck("gap", 1.0)[1][50:70]).all()


def test_the_scale_is_that_of_the_values_before():
    values = np.concatenate([np.random.default_rng(3).normal(5.0, 2.0, 90), np.full(90, 1e6)])
    scale, level = scatter(values, 90)
    assert (scale, level) == (pytest.approx(2.0, rel=0.3), pytest.approx(5.0, rel=0.2))
    assert np.isnan(scatter(values, 0)).all()


def trials(kind: str, size: float, caught: int, of: int) -> list[Trial]:
    return [Trial(0, kind, size, "AB"[n % 2], n < caught, 2.0 if n < caught else np.nan, size / 100) for n in range(of)]


def test_the_smallest_size_is_one_from_which_on_nine_of_ten_are_caught():
    found = sensitivity(
        [*trials("jump", 1, 29, 30), *trials("jump", 2, 20, 30), *trials("jump", 4, 28, 30), *trials("jump", 8, 30, 30)]
    )
    smallest = found.smallest["jump"]
    assert (smallest.size, smallest.interval, smallest.share) == (4, (4, 8), 0.04)
    assert [(cell.caught, cell.tried) for cell in found.cells["jump"]] == [(29, 30), (20, 30), (28, 30), (30, 30)]
    assert found.cells["jump"][0].delay == 2.0
    assert sum(tried for _, tried in found.cohorts.values()) == 120


def test_what_is_never_caught_has_no_smallest_size():
    found = sensitivity(trials("stuck", 7, 0, 30))
    assert found.smallest["stuck"].size is None
    assert found.smallest["stuck"].interval == (None, None)
    assert found.cells["stuck"][0].delay is None
