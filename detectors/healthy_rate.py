"""How often something may happen in a healthy window: missing values, values out of range, categories never seen.

A baseline knows a rate only as well as its rows tell it, and healthy windows of one series differ by more than the
binomial law says. Both make the law of a window's count beta-binomial: its mean and overdispersion are worked out
here, for many tests at once; `detectors.rates` says how unlikely a count is under it.

Cost: O(tests); 2,000 different tests take 3 ms, like ones are worked out once.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import betainccinv

Values = npt.NDArray[np.float64]  # shape (tests,)

JEFFREYS: Final = 0.5  # pseudo-count of each side: a rate of 0 in the baseline is not 0 for ever


@dataclass(frozen=True, slots=True)
class HealthyRates:
    """Laws of how many rows of a healthy window something happens to, one a test; shape (tests,) each."""

    rate: Values  # mean, 0..1
    overdispersion: Values  # intraclass correlation, 0..1


def healthy_rates(
    count: npt.ArrayLike, rows: npt.ArrayLike, overdispersion: npt.ArrayLike = 0.0, blocks: npt.ArrayLike = 0
) -> HealthyRates:
    """The law of a window's count, given what the baseline has counted.

    With Jeffreys' prior the rate is Beta(count + 1/2, rows - count + 1/2), so a window's count is beta-binomial
    of mean (count + 1/2) / (rows + 1) and overdispersion 1 / (rows + 2); what healthy windows differ by is added:
    rho * (1 + 1 / blocks), the second part because the baseline's own mean is one of so many blocks.

    Args:
        count: rows of the baseline that it happened to, 0 <= count <= rows; shape (tests,).
        rows: of the baseline.
        overdispersion: rho between healthy windows (`rate_overdispersion`), 0..1.
        blocks: windows that rho was learned from; 0: none, and rho is 0.

    Size to expect: never in 10,000 rows is a rate of 0.00005.

    >>> law = healthy_rates([0.0, 30.0], 10_000)
    >>> law.rate.round(6).tolist(), law.overdispersion.round(6).tolist()
    ([5e-05, 0.00305], [0.0001, 0.0001])
    """
    rows = np.asarray(rows, np.float64)
    mean = (np.asarray(count, np.float64) + JEFFREYS) / (rows + 2 * JEFFREYS)
    between = np.asarray(overdispersion, np.float64) * (1 + 1 / np.maximum(np.asarray(blocks, np.float64), 1))
    rho = np.minimum(1.0, between + 1 / (rows + 2 * JEFFREYS + 1))
    mean, rho = np.broadcast_arrays(mean, rho)
    return HealthyRates(mean, rho)


def out_of_range_count(rows: npt.ArrayLike) -> Values:
    """The count for `healthy_rates` of values beyond a baseline's own smallest and largest: none was, by definition.

    The share of new rows beyond the two extremes of `rows` old ones is Beta(2, rows - 1), whatever the distribution
    (Wilks 1941); with Jeffreys' half added that is a count of 1.5.

    Size to expect: 2 in 10,001 new rows after 10,000 old ones.

    >>> float(healthy_rates(out_of_range_count(10_000), 10_000).rate * 10_001)
    2.0
    """
    return np.full(np.shape(rows), 2 - JEFFREYS)


def detectable_rates(law: HealthyRates, rows: int, level: float) -> Values:
    """About the rate that a window of so many rows must have to be seen at the level, shape (tests,).

    The share of the rows is taken as Beta of the count's mean and variance, p (1 - p) (1 / rows + rho (1 - 1 / rows)),
    and its upper quantile at the level is given: no test is asked, and the tail is a little too heavy.

    Args:
        law: of the healthy windows.
        rows: of the window, >= 1.
        level: how often the test may alarm by chance, 0 < level < 1.

    Returns:
        0..1.

    Size to expect: 0.042 for a rate of 0.01, 600 rows and a level of 1e-6, where exact is 0.037; up to 2.2 times the
    exact one (`detectors.rates.minimum_detectable_rate`) where far fewer than one row is expected.

    >>> detectable_rates(HealthyRates(np.array([0.01]), np.array([0.0])), 600, 1e-6).round(3).tolist()
    [0.042]
    """
    size = 1 / (1 / rows + law.overdispersion * (1 - 1 / rows)) - 1
    same, where = np.unique(np.stack([law.rate * size, (1 - law.rate) * size]), axis=1, return_inverse=True)
    found: Values = betainccinv(same[0], same[1], level)[where]
    # Where rows are all or nothing there is no quantile: not even all of them would be seen.
    return np.where(np.isnan(found), 1.0, np.fmax(found, law.rate))
