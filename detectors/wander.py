"""How much worse than usual a healthy window may be: performance that differs from window to window by itself.

A day with storms is harder to predict than a calm one, so the AUC of healthy days differs by more than their
numbers of labels explain. A test that knows of sampling alone takes every hard day for a model that got worse.
Here windows are drawn as well: what they read is their mean, plus a deviation between windows, plus sampling.

Readings are compared on a scale on which they are nearly normal and larger is worse: -logit(AUC), ln(Brier), ln(MAE).

Cost: O(1) for a window; learning O(windows).
Weak: a season that the healthy windows do not cover is not known; from few windows (below 20) the deviation is a guess.
Source: Hedges & Olkin 1985, "Statistical Methods for Meta-Analysis", chapter 9 (the deviation between studies);
Higgins, Thompson & Spiegelhalter 2009, section 4.4 (the law of a new one).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, stdtr, stdtrit

from detectors.auc import Auc
from detectors.drop import on_logit
from detectors.outcome import Undefined

Values = npt.NDArray[np.float64]

FEWEST_WINDOWS: Final = 2  # of one that nothing can differ
_HIGHEST_CORRELATION: Final = 0.98  # of one window with the next: more cannot be told from a trend
_LEAST_FREEDOM: Final = 1.0
_TIMES_WORST: Final = 2.0  # as far from the mean as the worst healthy window: beyond that it is far
_LEAST_FAR: Final = 3.0  # deviations: nothing nearer is far
_OF_19_IN_20: Final = 1.959964  # deviations to either side, of a normal law
_ROUNDING: Final = 1e-9  # readings that differ by less are equal


class Reading(NamedTuple):
    """What a window reads on the scale on which it is compared."""

    badness: float  # larger is worse
    se: float  # standard error by sampling, >= 0


@dataclass(frozen=True, slots=True)
class Wander:
    """What healthy windows of one length read, on the scale of `Reading`."""

    mean: float
    deviation: float  # between windows, beyond sampling, >= 0
    mean_se: float  # of the mean, >= 0
    windows: int  # that do not overlap, >= 2
    worst: float  # of the worst healthy window, as `deviations` says it
    lasting: float = 1.0  # windows that one spell of wander lasts, >= 1: so many tell as much as one

    def deviations(self, reading: Reading) -> float:
        """By how many standard deviations of a healthy window it is worse than their mean.

        (badness - mean) / sqrt(se^2 + deviation^2 + mean_se^2)

        >>> Wander(mean=-2.0, deviation=0.3, mean_se=0.0, windows=90, worst=2.5).deviations(Reading(-1.0, 0.4))
        2.0
        """
        spread = self._spread(reading.se)
        gap = reading.badness - self.mean
        if spread < _ROUNDING:
            return 0.0 if abs(gap) < _ROUNDING else math.copysign(math.inf, gap)
        return gap / spread

    def p_value(self, reading: Reading) -> float:
        """How often a healthy window is as bad, or worse: the upper tail of Student's t.

        Degrees of freedom f * ((se^2 + v) / v)^2 (Welch-Satterthwaite), v = deviation^2 + mean_se^2 and
        f = windows / lasting - 1, since a spell of wander may outlast a window.

        Size to expect: uniform over healthy windows; 0.0001 at 3.9 deviations with 88 windows, 4.3 if `lasting` is 3.

        >>> round(Wander(mean=-2.0, deviation=0.5, mean_se=0.0, windows=31, worst=2.5).p_value(Reading(-0.5, 0.0)), 4)
        0.0027
        """
        return float(stdtr(self._freedom(reading.se), -self.deviations(reading)))

    def beyond(self, reading: Reading) -> bool:
        """Whether no healthy window was as bad."""
        return self.deviations(reading) > self.worst

    def far(self, reading: Reading) -> bool:
        """Whether it is so far beyond the worst healthy window that no p-value is asked for.

        Where spells of hard windows last long few of them were seen, and Student's t says next to nothing.
        """
        return self.worst > 0 and self.deviations(reading) >= self._far

    def seen_from(self, se: float, level: float) -> float:
        """The badness that half of the windows with such a standard error would alarm at, at the level."""
        needed = max(-float(stdtrit(self._freedom(se), level)), self.worst)
        return self.mean + (min(needed, self._far) if self.worst > 0 else needed) * self._spread(se)

    @property
    def _far(self) -> float:
        return max(_TIMES_WORST * self.worst, _LEAST_FAR)

    def _spread(self, se: float) -> float:
        return math.hypot(se, self.deviation, self.mean_se)

    @property
    def usual(self) -> tuple[float, float]:
        """The badness between which 19 of 20 healthy windows with very many labels lie."""
        reach = _OF_19_IN_20 * self.deviation
        return self.mean - reach, self.mean + reach

    def _freedom(self, se: float) -> float:
        f = max(self.windows / self.lasting - 1, _LEAST_FREEDOM)
        known = self.deviation**2 + self.mean_se**2
        return min(f * ((se**2 + known) / known) ** 2, 1e9) if known > 0 else 1e9


def learn_wander(windows: Sequence[Sequence[Reading]]) -> Wander | None:
    """What healthy windows have in common and by how much they differ; None where no two can be read.

    deviation^2 = variance of the readings - mean of se^2, at least 0; windows that overlap come in rounds, and it is
    the mean over the rounds, so that it does not hang on where the first window begins.

    Args:
        windows: the readings of windows that do not overlap, in order of time, once for each of several beginnings.

    Size to expect: of AUC on logit 0 where only labels are few, 0.4 for days of which some are hard.

    >>> found = learn_wander([[Reading(-2.0, 0.1), Reading(-1.0, 0.1), Reading(-3.0, 0.1)]])
    >>> found.mean, round(found.deviation, 3), found.windows          # 1 - 0.01
    (-2.0, 0.995, 3)
    """
    rounds = [np.array(one, np.float64) for one in windows if len(one) >= FEWEST_WINDOWS]
    if not rounds:
        return None
    number = max(len(one) for one in rounds)
    spread = float(np.mean([one[:, 0].var(ddof=1) for one in rounds]))
    sampling = float(np.mean([(one[:, 1] ** 2).mean() for one in rounds]))
    neighbours = float(np.mean([_covariance(one[:, 0]) for one in rounds]))
    together = lasting(neighbours, max(spread - sampling, 0.0))
    found = Wander(
        mean=float(np.mean([one[:, 0].mean() for one in rounds])),
        deviation=math.sqrt(max(spread - sampling, 0.0)),
        mean_se=math.sqrt(max(spread, sampling) * together / number),
        windows=number,
        worst=0.0,
        lasting=together,
    )
    return replace(found, worst=max(found.deviations(Reading(*one)) for each in rounds for one in each.tolist()))


def _covariance(values: Values) -> float:
    apart = values - values.mean()
    return float((apart[1:] * apart[:-1]).sum() / (len(values) - 1))


def lasting(covariance: float, variance: float) -> float:
    """Of how many windows in a row one spell of wander is: (1 + r) / (1 - r), r their correlation, from 0 to 0.98.

    Args:
        covariance: of each window's reading with the next one's; sampling has no part in it.
        variance: between windows, beyond sampling.

    Size to expect: 1 where each window is hard or easy by itself; 47 for windows of an hour where days are.
    Source: the variance of a mean of an autoregressive series; Box & Jenkins 1976, section 2.1.

    >>> lasting(0.5, 1.0), lasting(-0.1, 1.0), lasting(0.0, 0.0)
    (3.0, 1.0, 1.0)
    """
    if covariance <= 0 or variance <= 0:
        return 1.0
    r = min(covariance / variance, _HIGHEST_CORRELATION)
    return (1 + r) / (1 - r)


def auc_reading(area: Auc) -> Reading:
    """-logit(AUC) and its standard error, as `auc_drop_p_value` has them.

    >>> auc_reading(Auc(0.5, 0.5, 0.5, se=0.025, negatives=200, positives=200))
    Reading(badness=-0.0, se=0.1)
    """
    logit, se = on_logit(area.value, area.se, area)
    return Reading(-logit, se)


def error_reading(error: float, se: float) -> Reading | Undefined:
    """ln of a mean error, by the delta method; `Undefined("no error")` of 0.

    >>> error_reading(1.0, 0.25)
    Reading(badness=0.0, se=0.25)
    """
    return Reading(math.log(error), se / error) if error > 0 else Undefined("no error")


def auc_of(badness: float) -> float:
    """The AUC with this reading."""
    return float(expit(-badness))
