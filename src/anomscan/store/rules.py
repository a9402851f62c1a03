"""What a commit does with rows that do not fit: off the grid of their asset, or contradicting one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What becomes of rows that contradict one another: none is stored, or that of them which came first or last, or the
#: mean of their values.
Duplicates = Literal["reject", "first", "last", "mean"]


@dataclass(frozen=True, slots=True)
class CommitRules:
    """How rows that do not fit are treated; see the module.

    Parameters
    ----------
    duplicates
        What becomes of rows of one sample that contradict one another.
    tolerance_us
        How far from the grid of its asset a timestamp may lie and is moved there, microseconds, less than half a step;
        0: it must lie on it.
    has_health
        Whether the source tells health. Where it does not, or not any more, a sample keeps what is stored.
    """

    duplicates: Duplicates = "reject"
    tolerance_us: int = 0
    has_health: bool = True
