"""From a budget of false incidents to the thresholds of the tests."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from anomscan.errors import ConfigError
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.robust import MAD_TO_STD

_YEAR_US = 365.25 * 86_400_000_000
_UNITS_US = {"y": _YEAR_US, "d": 86_400_000_000, "h": 3_600_000_000}

#: Jump, shift, spread and stuck share the budget, and so do up and down.
_TESTS, _SIDES = 4, 2
#: Charts whose level and scale are estimated alarm more often than charts that know them: half of the budget is left
#: for that (Jensen et al. 2006, Effects of parameter estimation on control chart properties).
_ESTIMATED = 2
#: Degrees of freedom of Student's t: the tails of real measurements are heavier than the normal ones.
_FREEDOM = 8
#: How fast the probability falls that a sum exceeds h, exp(-rate h): the root of E[exp(rate x)] = 1, for a step x that
#: is a deviation less 1 of the logistic distribution, and for the log likelihood ratio of tripled variance.
_SHIFT_RATE, _SPREAD_RATE = 1.23, 0.444
#: As long as the season is not known, a shift must be so many times as large as later.
_UNSEASONAL = 1.5
#: Samples farther off than a jump's threshold divided by this tell how heavy the tails of an asset are. What is known
#: before is worth as much as so many of them; and the thresholds become at most so many times as large.
_FAR, _PRIOR, _MOST_HEAVY = 2.2, 2.0, 2.0
#: Fewer equal samples in a row are chance, however rare they were.
_FEWEST_EQUAL = 4.5


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where each test has the value 1.

    Parameters
    ----------
    jump
        Scales from the level.
    shift, unseasonal_shift
        A cumulative sum of scales; where the season is known, and where it is not.
    spread
        A cumulative sum of squared scales.
    samples
        How many samples there are to one false incident of one test.
    far
        Scales from which on a sample says how heavy the tails are.
    prior_excess, prior_judged
        What is known of tails before the first sample: the sum of logarithms of how many times farther than ``far``
        some samples were, and among how many samples.
    """

    jump: float
    shift: float
    unseasonal_shift: float
    spread: float
    samples: float
    far: float
    prior_excess: float
    prior_judged: float

    @classmethod
    def of(cls, budget: str, cadence: Cadence, variables: int) -> Thresholds:
        """The thresholds of a budget such as ``"1/20y"``, for each variable alike.

        >>> daily = Thresholds.of("1/20y", Cadence.parse("1D"), 1)
        >>> round(daily.jump, 1), round(daily.shift, 1), round(daily.spread, 1)
        (8.7, 9.5, 26.3)

        Raises
        ------
        ConfigError
            If the budget is invalid.
        """
        samples = max(time_of(budget) / cadence.step_us, 30.0) * _TESTS * _ESTIMATED * variables
        jump = _tail(1 / samples)
        share = _beyond(jump / _FAR * _MAD_SCALE)
        return cls(
            jump=jump,
            shift=math.log(_SIDES * samples) / _SHIFT_RATE,
            unseasonal_shift=_UNSEASONAL * math.log(_SIDES * samples) / _SHIFT_RATE,
            spread=math.log(_SIDES * samples) / _SPREAD_RATE,
            samples=samples,
            far=jump / _FAR,
            prior_excess=_PRIOR * math.log(_FAR) / math.log(share * samples),
            prior_judged=_PRIOR / share,
        )

    def heavy(self, far: int, excess: float, judged: int) -> float:
        """How many times as large, 1 or more, jumps and spread must be where the tails of an asset are heavy.

        Parameters
        ----------
        far, excess, judged
            Of so many judged samples, so many were farther off than ``far``, and each so many times as far: the sum of
            the logarithms (Hill 1975, A simple general approach to inference about the tail of a distribution).
        """
        share = (far + _PRIOR) / (judged + self.prior_judged)
        slope = (excess + self.prior_excess) / (far + _PRIOR)
        height = self.far * math.pow(share * self.samples, slope)
        return min(max(height / self.jump, 1.0), _MOST_HEAVY)

    @property
    def equal_log(self) -> float:
        """Less the logarithm of the probability with which so many equal samples in a row may be chance."""
        return math.log(_SIDES * self.samples)

    def equal(self, equal: int, pairs: int) -> float:
        """How many samples in a row may repeat the one before, where so many of all pairs were equal by chance."""
        share = min((equal + 0.5) / (pairs + 1.0), 0.99)
        return max(self.equal_log / -math.log(share), _FEWEST_EQUAL - 1)


def time_of(budget: str) -> float:
    """The microseconds to one false incident of an asset.

    >>> time_of("1/20y") / 365.25 / 86_400_000_000
    20.0

    Raises
    ------
    ConfigError
        If the text is not a number of incidents in a time.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)/(\d*)([ydh])", budget)
    if match is None or float(match[1]) == 0 or match[2] == "0":
        raise ConfigError(f"budget '{budget}' is not a number of false incidents", hint="write it as 1/20y or 2/90d")
    return int(match[2] or 1) * _UNITS_US[match[3]] / float(match[1])


def _tail(probability: float) -> float:
    """How many scales, told by the median of absolute deviations, a sample is off with some probability."""
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _beyond(middle) > probability else (low, middle)
    return high / _MAD_SCALE


def _beyond(x: float) -> float:
    """P(abs(T) > x) of Student's t with an even number of degrees of freedom (Abramowitz and Stegun, 26.7.4)."""
    cosine = _FREEDOM / (_FREEDOM + x * x)
    sine = x / math.sqrt(_FREEDOM + x * x)
    term = total = 1.0
    for k in range(1, _FREEDOM // 2):
        term *= (2 * k - 1) / (2 * k) * cosine
        total += term
    return 1 - sine * total


def _mad_scale() -> float:
    low, high = 0.0, 10.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _beyond(middle) > 0.5 else (low, middle)
    return high * MAD_TO_STD


_MAD_SCALE = _mad_scale()
