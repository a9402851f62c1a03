"""The settings of a scan, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass

from anomscan.backtest.cutoff_rules import CutoffRule, cutoff_rule
from anomscan.backtest.rank import BEYOND
from anomscan.errors import ConfigError
from anomscan.telemetry.series import LongGaps
from anomscan.wording import counted


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes a day anomalous.

    Parameters
    ----------
    window
        W, in samples: a day is judged by the scores of the last W samples' shingles.
    shingle
        L, in samples.
    sigma
        k: the cut-off lies k standard deviations above the mean.
    include_newest
        Whether the day's own score enters its mean and standard deviation.
    calendar
        Whether the series is laid on its calendar (missing samples leave gaps), or rows are taken as they stand.
    skip_health
        Days of such health are not judged.
    cutoff
        The name of the cut-off rule.
    min_scores
        The share, 0 to 1, of the places whose scores enter a cut-off that must hold one.
    clean
        Whether the scores of anomalous days leave the windows of later days.
    forget_after
        With ``clean``: after so many anomalous days in a row they are normal.
    threshold
        Scores above it are anomalous, whatever the window; None if the window decides. See ``Capabilities.threshold``.
    history
        Whether a score rests on all that came before rather than on a whole shingle: an asset is warming up until its
        first one. See ``Capabilities.history``.
    budget
        Samples to a false one, by which the rule ``rank`` cuts.
    refractory
        Under that rule only what is higher than the last so many scores is anomalous; 0 for no such condition.

    Raises
    ------
    ConfigError
        If no series could ever be anomalous under these rules, or there is no such cut-off rule.
    """

    window: int = 366
    shingle: int = 7
    sigma: float = 4.0
    include_newest: bool = True
    calendar: bool = True
    skip_health: tuple[str, ...] = ("Unknown",)
    cutoff: str = "mean-std"
    min_scores: float = 0.5
    clean: bool = False
    forget_after: int | None = None
    threshold: float | None = None
    history: bool = False
    budget: float | None = None
    refractory: int = 0

    def __post_init__(self) -> None:
        if self.threshold is not None:
            return
        if self.window < self.shingle:
            raise ConfigError(
                f"a window of {self.window} samples contains no shingle of {self.shingle}", hint="widen [scan] window"
            )
        rule = self.cutoff_rule
        if rule.past is None and self.refractory:
            raise ConfigError("refractory belongs to the cut-off rule 'rank'", hint='set [scan] cutoff = "rank"')
        if rule.past is not None:
            self._check_budget()
        if self.sequential and rule.statistic is None and (self.clean or rule.past is None):
            raise ConfigError(
                f"cut-off rule '{self.cutoff}' knows no clean baseline", hint='set [scan] baseline_days = "all"'
            )
        fewest = rule.fewest(self.level)
        if self.baseline_width < fewest:
            raise ConfigError(
                f"a window of {self.window} samples gives a mean of {counted(self.baseline_width, 'score')}, "
                f"and no day can be {self.sigma:g} sigma from fewer than {fewest}",
                hint="widen [scan] window or lower sigma",
            )

    def _check_budget(self) -> None:
        if self.budget is None:
            raise ConfigError("the cut-off rule 'rank' needs a budget", hint='set [scan] budget, as in "1/1y"')
        if self.budget > BEYOND * self.baseline_width:
            raise ConfigError(
                f"a budget of one false sample in {self.budget:,.0f} is too small: "
                f"{counted(self.baseline_width, 'score')} of a window say no more than one in "
                f"{BEYOND * self.baseline_width:,.0f}",
                hint="widen [scan] window, or allow for more in [scan] budget",
            )

    @property
    def level(self) -> float:
        """What the cut-off rule is given: sigma, or the logarithm to base 10 of the samples to a false one."""
        return self.sigma if self.cutoff_rule.past is None else math.log10(self.budget or 1.0)

    @property
    def baseline_width(self) -> int:
        """The scores of a gap-free window that enter the mean."""
        scores = self.window - self.shingle + 1
        return scores if self.include_newest else scores - 1

    @property
    def fewest_scores(self) -> int:
        """The fewest finite scores from which a cut-off is computed.

        >>> Rules().fewest_scores, Rules(min_scores=0.0).fewest_scores
        (180, 18)
        """
        share = round(self.min_scores * self.baseline_width, 9)  # 0.55 * 360 is a little more than 198
        return max(self.cutoff_rule.fewest(self.level), math.ceil(share))

    @property
    def long_gaps(self) -> LongGaps | None:
        """How long gaps are laid; None where rows are taken as they stand.

        A window's worth of places keeps what lies before the gap out of all windows after it. Those that go come in
        multiples of the baseline's width, on which the windows' sums are aligned: they stay the same to the bit.
        """
        return LongGaps(self.window, self.baseline_width) if self.calendar else None

    @property
    def sequential(self) -> bool:
        """Whether each cut-off is made after the verdicts before it, from the first sample on."""
        return self.clean or self.cutoff_rule.sliding is None

    @property
    def cutoff_rule(self) -> CutoffRule:
        """How scores become a cut-off."""
        return cutoff_rule(self.cutoff)
