"""The course of values about an incident, drawn in one line."""

from __future__ import annotations

import numpy as np
import pytest

from anomscan.incidents.incident import Incident
from anomscan.incidents.sparkline import BLOCKS, CELLS, blocks, sparkline
from fleets import daily


def incident(kind: str, since: str, days: int, variable: str | None = "x") -> Incident:
    variables = () if variable is None else ((variable, 1.0),)
    return Incident(None, kind, since, since, since, True, days, None, {}, {}, {}, {}, variables, None)


def test_a_drop_is_seen_with_a_while_before_it() -> None:
    values = np.append(np.full(100, 0.8), np.full(10, 0.4))
    assert sparkline(daily("a", values), incident("dropped", "2017-04-11", 10)) == "█" * 7 + "▁" * 9
    two = np.stack([np.zeros(110), values], axis=1)
    assert sparkline(daily("a", two, ("w", "x")), incident("dropped", "2017-04-11", 10)) == "█" * 7 + "▁" * 9


def test_what_is_silent_leaves_blanks() -> None:
    line = sparkline(daily("a", np.tile([0.8, 0.9], 20)), incident("silent", "2017-02-10", 7, None))
    assert line == "█▁█▁█▁█" + " " * 7


@pytest.mark.parametrize("n", [1, 5, 16, 17, 1000])
def test_a_line_has_at_most_so_many_cells_and_uses_the_whole_height(n: int) -> None:
    line = blocks(np.arange(n, dtype=float))
    assert len(line) == min(n, CELLS)
    if n > 1:
        assert (line[0], line[-1]) == (BLOCKS[0], BLOCKS[-1])
        assert list(line) == sorted(line)
