"""A chart of text: its size, its marks, and that nothing is drawn of nothing."""

from __future__ import annotations

import numpy as np
import pytest

from anomscan.incidents.terminal_chart import HEIGHT, MARK, chart


def year(low: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    values, marked = np.full(365, 0.8), np.zeros(365, bool)
    values[200], marked[200] = low, True
    return values, marked


@pytest.mark.parametrize("width", [18, 30, 80, 100])
@pytest.mark.parametrize("plain", [False, True])
def test_a_chart_fits_the_screen_and_keeps_what_is_marked(width: int, plain: bool) -> None:
    lines = chart(*year(), width, plain=plain)
    assert len(lines) == HEIGHT + 1
    assert max(map(len, lines)) <= width
    assert lines[-1].strip() == ("^" if plain else MARK)
    place = len(lines[-1]) - 1
    # the one day that is low is not lost among its neighbours
    assert lines[1].ljust(width)[place] == " "
    assert lines[1].strip()
    assert [line[:9].strip() for line in lines if line[:9].strip()] == ["0.8", "0.4"]
    assert all(line.isascii() for line in lines) == plain


def test_days_without_values_are_blank_and_nothing_is_drawn_of_nothing() -> None:
    none = np.zeros(3, bool)
    assert chart(np.full(3, np.nan), none, 40) == []
    assert chart(np.array([]), np.array([], bool), 40) == []
    assert [line[10:] for line in chart(np.array([1.0, np.nan, 1.0]), none, 40)][-1] == "█ █"
    assert chart(np.array([-1.7e308, 1.7e308, np.inf]), none, 40) == []
