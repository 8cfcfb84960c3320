"""Whether a rate is over its limit: answers over the latency SLA, missing values, errors.

The count over the limit is tested, not a noisy quantile: a service exactly at its p99 limit has
"p99 > SLA" in every second window. Healthy windows of one series differ by more than the binomial law
says, so the law is beta-binomial with an overdispersion learned from the baseline's blocks.

Cost: O(rows above the count) at most: 20 ms for 1,000,000 rows and a wide law, well below 1 ms for 10,000.
Weak: an overdispersion from few blocks is rough; below 20 the alert is provisional.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaln, gammaln

from detectors.outcome import Undefined

Counts = npt.NDArray[np.int64]

_FIRST_CHUNK: Final = 32  # terms of the tail summed at first: few are needed far out
_CHUNK: Final = 4_096  # at a time, at most
_NEGLIGIBLE: Final = 1e-12  # of the sum: what is left out of it at most


@dataclass(frozen=True, slots=True)
class RateTest:
    """Whether a window's rate is above the limit."""

    rate: float  # 0..1
    p_value: float  # of "the true rate is at most the limit"; small = above


def rate_overdispersion(over: Counts, rows: Counts) -> float:
    """Intraclass correlation rho of a rate, from blocks of the baseline: how much healthy blocks differ.

    rho = max(0, (X - (blocks - 1)) / sum((1 - N_i / M) * (N_i - 1))), X = sum((k_i - N_i p)^2 / (N_i p (1 - p))),
    p = sum(k) / M: the moment estimator of var(k) = N p (1 - p) (1 + (N - 1) rho).

    Args:
        over: rows over the limit in each block of a window's length, shape (blocks,).
        rows: of each block, shape (blocks,); blocks of fewer than 2 rows tell nothing.

    Returns:
        0..1; 0 for fewer than two blocks, and for a rate of 0 or 1, which does not vary.

    Size to expect: below 0.001 for independent rows in blocks of 600; 0.1 where sessions decide the rate.
    Weak: from 168 blocks right within a tenth; from 20 within a third.
    Source: Williams 1982, "Extra-binomial variation in logistic linear models".

    >>> rate_overdispersion(np.array([0, 10]), np.array([10, 10]))     # all or nothing
    1.0
    >>> rate_overdispersion(np.array([5, 5]), np.array([10, 10]))
    0.0
    """
    over, rows = over[rows >= 2], rows[rows >= 2].astype(np.float64)
    whole = rows.sum()
    if len(rows) < 2 or not 0 < over.sum() < whole:
        return 0.0
    p = over.sum() / whole
    chi_squared = ((over - rows * p) ** 2 / (rows * p * (1 - p))).sum()
    room = ((1 - rows / whole) * (rows - 1)).sum()
    return float(min(1.0, max(0.0, (chi_squared - (len(rows) - 1)) / room)))


def rate_over_limit(count: int, rows: int, limit: float, overdispersion: float = 0.0) -> RateTest | Undefined:
    """P-value of "the rate is at most the limit" for a count of so many rows.

    p = P(K >= count), K beta-binomial of `rows`, mean `limit` and intraclass correlation `overdispersion`:
    a = limit * (1 - rho) / rho, b = (1 - limit) * (1 - rho) / rho; binomial, and exact, where that is 0.

    Args:
        count: rows over the limit, 0 <= count <= rows.
        rows: of the window.
        limit: the rate that is allowed, 0 <= limit <= 1: 0.01 for a p99.
        overdispersion: rho of `rate_overdispersion`, 0 <= rho <= 1.

    Returns:
        The test, or `Undefined("empty")` for no rows.

    Raises:
        ValueError: an argument out of its range.

    Size to expect: with 600 rows and limit 0.01, 6 are expected: 15 have p = 0.0013, or 0.10 at rho = 0.01.
    Weak: the law says nothing of how long an excess lasts.
    Source: Skellam 1948.

    >>> rate_over_limit(2, 2, 0.1).p_value                  # 0.1 squared
    0.010000000000000002
    >>> round(rate_over_limit(2, 2, 0.1, 0.5).p_value, 6)   # 0.1 * (0.1 + 0.5 * 0.9)
    0.055
    """
    if not (0 <= count <= rows and 0 <= limit <= 1 and 0 <= overdispersion <= 1):
        raise ValueError(f"0 <= count <= rows, limit and overdispersion in [0, 1]: {count}, {rows}, {limit}, "
                         f"{overdispersion}")  # fmt: skip
    if rows == 0:
        return Undefined("empty")
    return RateTest(count / rows, _upper_tail(count, rows, limit, overdispersion))


def minimum_detectable_rate(rows: int, limit: float, level: float, overdispersion: float = 0.0) -> float | Undefined:
    """The rate at which half of the windows of so many rows would alarm at the level.

    The smallest count whose p-value is at most the level, over the rows.

    Returns:
        limit < rate <= 1, or `Undefined("too few")` where not even all rows over the limit would alarm.

    Size to expect: limit 0.01 at level 1e-6: 0.037 with 600 rows, 0.017 with 6,000.

    >>> minimum_detectable_rate(2, 0.1, 0.01 + 1e-9)
    1.0
    >>> minimum_detectable_rate(2, 0.1, 0.001)
    Undefined(reason='too few')
    """
    if rows == 0 or _upper_tail(rows, rows, limit, overdispersion) > level:
        return Undefined("too few")
    low, high = 0, rows  # p(low) > level >= p(high)
    while high - low > 1:
        middle = (low + high) // 2
        if _upper_tail(middle, rows, limit, overdispersion) > level:
            low = middle
        else:
            high = middle
    return high / rows


def _upper_tail(count: int, rows: int, limit: float, overdispersion: float) -> float:
    """P(K >= count)."""
    if count == 0 or limit == 1:
        return 1.0
    if limit == 0:
        return 0.0
    if overdispersion == 1:
        return limit  # all or nothing
    if overdispersion == 0 or rows == 1:
        return float(betainc(count, rows - count + 1, limit))
    size = (1 - overdispersion) / overdispersion
    return _beta_binomial_tail(count, rows, limit * size, (1 - limit) * size)


def _beta_binomial_tail(count: int, rows: int, a: float, b: float) -> float:
    """Sum of the terms from `count` on, each from the one before; the shorter side where that is exact enough."""
    if count * (a + b) < rows * a:  # below the mean: the other tail is the smaller
        return 1.0 - _beta_binomial_tail(rows - count + 1, rows, b, a)
    log_term = (
        gammaln(rows + 1) - gammaln(count + 1) - gammaln(rows - count + 1)
        + betaln(count + a, rows - count + b) - betaln(a, b)
    )  # fmt: skip
    total, start, terms = 0.0, count, _FIRST_CHUNK
    while start <= rows:
        k = np.arange(start, min(start + terms, rows + 1), dtype=np.float64)
        start, terms = start + terms, min(4 * terms, _CHUNK)
        with np.errstate(divide="ignore"):
            log_ratio = np.log((rows - k) * (k + a)) - np.log((k + 1) * np.maximum(rows - k - 1 + b, 1e-300))
        log_terms = log_term + np.concatenate([[0.0], np.cumsum(log_ratio[:-1])])
        total += float(np.exp(log_terms).sum())
        log_term = log_terms[-1] + log_ratio[-1]
        left = rows - k[-1]
        # With b < 1 the terms rise again at the end.
        if b >= 1 and math.exp(min(log_term, 0.0)) * left < _NEGLIGIBLE * total:
            break
    return min(1.0, total)
