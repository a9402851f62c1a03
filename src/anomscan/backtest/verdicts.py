"""Each day's verdict: exactly one, the first that applies."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomscan.backtest.cutoff import Cutoffs, exceeds
from anomscan.backtest.rules import Rules
from anomscan.backtest.sequential import mean_and_std, sequential
from anomscan.telemetry.series import Floats


class Verdict(IntEnum):
    """The verdict on one day."""

    OK = 0
    ANOMALOUS = 1
    WARMING_UP = 2
    SKIPPED = 3
    NO_DATA = 4
    SILENT = 5

    @property
    def text(self) -> str:
        """Its name in records.

        >>> Verdict.WARMING_UP.text
        'warming-up'
        """
        return self.name.lower().replace("_", "-")


# plain numbers: NumPy is slow with members of an enum
_WARMING_UP, _SKIPPED, _NO_DATA = map(np.int8, (Verdict.WARMING_UP, Verdict.SKIPPED, Verdict.NO_DATA))


class Judged(NamedTuple):
    """Verdicts and the numbers behind them, all of one shape, (a, n) or (n,).

    Parameters
    ----------
    verdict
        int8, see :class:`Verdict`.
    cutoff, sigma
        float64, NaN where there is none.
    """

    verdict: NDArray[np.int8]
    cutoff: Floats
    sigma: Floats

    def at(self, where: slice | tuple[int, slice]) -> Judged:
        """Those of some places."""
        return Judged(self.verdict[where], self.cutoff[where], self.sigma[where])


def judge(scores: Floats, skipped: NDArray[np.bool_], rules: Rules, told: NDArray[np.uint8] | None = None) -> Judged:
    """Judge each day by what was known on it.

    Parameters
    ----------
    scores
        (a, n) float64, one row an asset, from its first sample or from :func:`judged_from` on; NaN where there is no
        score.
    skipped
        (a, n) bool: days whose health is in ``skip_health``.
    rules
        Window, shingle and cut-off.
    told
        (a, n): what people say of what is normal, see :mod:`anomscan.telemetry.baseline`; only a clean baseline heeds
        it. None for nothing.

    Returns
    -------
    Arrays of shape (a, n); the entries at t depend on the columns up to t alone.
    """
    found = _sliding(scores, skipped, rules, told)
    return _decide(scores, skipped, rules.window - 1, found.cutoff, found.sigma)


def _sliding(scores: Floats, skipped: NDArray[np.bool_], rules: Rules, told: NDArray[np.uint8] | None) -> Cutoffs:
    rule = rules.cutoff_rule
    # Before the first complete shingle there is no score, and no window reaches back that far.
    lead = rules.shingle - 1
    if rule.past is not None:
        return rule.past(scores, level=rules.level, fewest=rules.fewest_scores, refractory=rules.refractory)
    if rule.sliding is not None and (rule.statistic is None or not rules.clean):
        return rule.sliding(
            scores,
            lead=lead,
            width=rules.baseline_width,
            k=rules.sigma,
            fewest=rules.fewest_scores,
            include_newest=rules.include_newest,
        )
    return sequential(
        scores,
        skipped,
        rule.statistic or mean_and_std,
        width=rules.baseline_width,
        k=rules.sigma,
        fewest=rules.fewest_scores,
        fewest_kept=rule.fewest(rules.sigma),
        include_newest=rules.include_newest,
        lead=lead,
        clean=rules.clean,
        forget_after=rules.forget_after,
        told=told,
    )


def judged_from(row: int, rules: Rules) -> int:
    """Where to begin: given only what follows, :func:`judge` says the same about ``row`` and later rows, to the bit.

    >>> judged_from(365, Rules()), judged_from(725, Rules()), judged_from(1095, Rules())
    (0, 360, 720)
    """
    if rules.sequential:
        return 0
    return max(row - (rules.window - 1), 0) // rules.baseline_width * rules.baseline_width


def judge_stretch(scores: Floats, skipped: NDArray[np.bool_], rules: Rules) -> Judged:
    """Judge a whole history by one cut-off over all its scores.

    Parameters
    ----------
    scores, skipped
        (n,) as for :func:`judge`.
    rules
        Their ``window`` and ``include_newest`` play no part.

    Returns
    -------
    Arrays of shape (n,); days before the first whole shingle are warming up.
    """
    found = rules.cutoff_rule.of_all(scores, rules.level)
    return _decide(scores, skipped, rules.shingle - 1, found.cutoff, found.sigma)


def judge_given(scores: Floats, given: NDArray[np.bool_], skipped: NDArray[np.bool_], rules: Rules) -> Judged:
    """Take the provider's own verdict; there is no cut-off.

    Parameters
    ----------
    scores, skipped
        (n,) as for :func:`judge`.
    given
        (n,) bool: what the provider calls anomalous.
    rules
        Their ``shingle`` and no more plays a part.

    Returns
    -------
    Arrays of shape (n,); days before the first whole shingle are warming up.
    """
    none = np.full(len(scores), np.nan)
    return _ordered(given.astype(np.int8), scores, skipped, rules.shingle - 1, none, none)


def judge_by_threshold(
    scores: Floats, skipped: NDArray[np.bool_], threshold: float, warming_up: NDArray[np.bool_]
) -> Judged:
    """Judge each day by a threshold of the detector's own scale.

    Parameters
    ----------
    scores, skipped
        (n,) as for :func:`judge`.
    warming_up
        (n,) bool: the days before the detector's first score.

    Returns
    -------
    Arrays of shape (n,); the cut-off is the threshold, and there is no sigma.
    """
    verdict = (scores > threshold).astype(np.int8)
    verdict[~np.isfinite(scores)] = _NO_DATA
    verdict[skipped] = _SKIPPED
    verdict[warming_up] = _WARMING_UP
    cutoff = np.where(warming_up, np.nan, threshold)
    return Judged(verdict, cutoff, np.full(len(scores), np.nan))


def milder(judged: Judged, severity: Floats, least: float) -> tuple[Judged, NDArray[np.bool_]]:
    """Change the verdict of anomalous days whose severity is not above ``least`` to ok.

    Parameters
    ----------
    judged
        Arrays of shape (n,).
    severity
        (n,) float64; NaN is not above anything.

    Returns
    -------
    The verdicts, and (n,) bool: the days that passed.
    """
    mild = (judged.verdict == Verdict.ANOMALOUS) & ~(severity > least)
    return Judged(np.where(mild, np.int8(Verdict.OK), judged.verdict), judged.cutoff, judged.sigma), mild


def _decide(scores: Floats, skipped: NDArray[np.bool_], full: int, cutoff: Floats, sigma: Floats) -> Judged:
    verdict = np.empty(scores.shape, np.int8)
    decided, bound = verdict[..., full:], cutoff[..., full:]
    decided[...] = exceeds(scores[..., full:], bound)
    np.copyto(decided, _WARMING_UP, where=np.isnan(bound))
    return _ordered(verdict, scores, skipped, full, cutoff, sigma)


def _ordered(
    verdict: NDArray[np.int8],
    scores: Floats,
    skipped: NDArray[np.bool_],
    full: int,
    cutoff: Floats,
    sigma: Floats,
) -> Judged:
    """The first that applies: before the first full window, health skipped, no score; else what was decided."""
    decided = verdict[..., full:]
    np.copyto(decided, _NO_DATA, where=~np.isfinite(scores[..., full:]))
    np.copyto(decided, _SKIPPED, where=skipped[..., full:])
    verdict[..., :full] = _WARMING_UP
    cutoff[..., :full] = sigma[..., :full] = np.nan
    return Judged(verdict, cutoff, sigma)
