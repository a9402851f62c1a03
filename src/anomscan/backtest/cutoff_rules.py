"""The one table of cut-off rules. A new rule is a module and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from anomscan.backtest.cutoff import Cutoffs
from anomscan.backtest.mean_std import cutoff_of_all, cutoffs, fewest_scores
from anomscan.backtest.rank import rank_of_all, ranks_above
from anomscan.backtest.sequential import Statistic, mean_and_std, median_and_mad, median_mad_of_all
from anomscan.errors import ConfigError
from anomscan.telemetry.series import Floats


class Sliding(Protocol):
    """Cut-offs of many assets at once, each from the scores of a sliding window."""

    def __call__(
        self, scores: Floats, *, width: int, k: float, fewest: int, include_newest: bool, lead: int
    ) -> Cutoffs:
        """See :func:`anomscan.backtest.mean_std.cutoffs`, whose guarantees every rule must give."""


class Past(Protocol):
    """Cut-offs of many assets at once, each from all scores before it."""

    def __call__(self, scores: Floats, *, level: float, fewest: int, refractory: int) -> Cutoffs:
        """See :func:`anomscan.backtest.rank.ranks_above`."""


@dataclass(frozen=True, slots=True)
class CutoffRule:
    """How scores become a cut-off; k is ``[scan] sigma``, or what :attr:`Rules.level` makes of ``[scan] budget``.

    Parameters
    ----------
    sliding
        For ``scan``: a cut-off a day; None to have them made one after another by ``statistic``.
    of_all
        For ``detect``: (n,) scores, NaN where there is none, and k; one cut-off for all of them.
    fewest
        The fewest scores with which a score can lie above the cut-off of so many sigma.
    statistic
        Centre and scale of the scores of a window, from which cut-offs are made one after another; None for a rule that
        knows no clean baseline.
    past
        For ``scan``, instead of both: a cut-off a day from all scores before it.
    """

    sliding: Sliding | None
    of_all: Callable[[Floats, float], Cutoffs]
    fewest: Callable[[float], int]
    statistic: Statistic | None = None
    past: Past | None = None


#: By their name in ``[scan] cutoff``.
CUTOFF_RULES = {
    "mean-std": CutoffRule(cutoffs, cutoff_of_all, fewest_scores, mean_and_std),
    "median-mad": CutoffRule(None, median_mad_of_all, fewest_scores, median_and_mad),
    "rank": CutoffRule(None, rank_of_all, lambda level: 1, past=ranks_above),
}


def cutoff_rule(name: str) -> CutoffRule:
    """The rule with a name.

    Raises
    ------
    ConfigError
        If there is none.
    """
    try:
        return CUTOFF_RULES[name]
    except KeyError:
        known = ", ".join(f"'{each}'" for each in CUTOFF_RULES)
        raise ConfigError(f"there is no cut-off rule '{name}'", hint=f"[scan] cutoff must be one of {known}") from None
