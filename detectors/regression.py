"""How far a regression's estimates are from the truth, from sums that only add up.

Promise: what scikit-learn gives for the same rows rounded to the unit, exactly: the sums are integers, and
differences of large ones are taken before anything becomes a float. Sums that no rows can have are refused.
Cost: O(1), whatever the number of labels.
"""

import math
from dataclasses import dataclass

from detectors.outcome import Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionSums:
    """Sums over labelled rows, error = estimate - label; whole numbers of `unit`, squares of unit squared.

    Labels are summed less a `centre`, which `regression_metrics` is told: else the square of a large mean drowns them.
    """

    n: int
    error: int
    absolute_error: int
    squared_error: int
    label: int
    squared_label: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionMetrics:
    """The performance of a regression over some labelled rows, in the label's own measure."""

    n: int  # rows, >= 1
    mae: float  # mean absolute error, >= 0
    rmse: float  # root of the mean squared error, >= mae
    bias: float  # mean of estimate - label: above 0 it estimates too high
    r2: float | Undefined  # at most 1; 0 for what the labels' mean would do; below 0 for worse
    mae_se: float | Undefined  # standard error of mae by sampling
    label_mean: float
    label_deviation: float  # standard deviation of the labels, >= 0


def regression_metrics(sums: RegressionSums, unit: float, centre: float = 0.0) -> RegressionMetrics | Undefined:
    """MAE, RMSE, bias and R² of the rows behind the sums.

    MAE = sum|e| / n; RMSE = sqrt(sum(e^2) / n); bias = sum(e) / n; R² = 1 - sum(e^2) / sum((y - mean y)^2);
    standard error of MAE = sqrt(sample variance of |e| / n).

    Args:
        sums: Python integers, so nothing overflows; n >= 0.
        unit: what 1 in the sums is worth in the label's own measure, > 0.
        centre: what was taken off each label before it was summed; only `label_mean` depends on it.

    Returns:
        `Undefined("empty")` without a row; `Undefined("sums overflowed")` where no rows can have such sums: a spread
        below 0, as of a counter that has run over; `r2` is `Undefined("constant labels")` where all labels are equal,
        `mae_se` `Undefined("too few")` of one row.

    Size to expect: for normal errors around 0, MAE = 0.80 * RMSE and standard error 0.60 * RMSE / sqrt(n):
    3.8 % of MAE at n = 400. R² falls when the labels' spread shrinks, at the same errors.

    Weak: one wild row moves RMSE and R² at will; the standard error of MAE needs some hundred rows where
    errors have a long tail.
    Source: any textbook; R² as scikit-learn's `r2_score`.

    >>> two = RegressionSums(n=2, error=-2, absolute_error=4, squared_error=10, label=6, squared_label=20)
    >>> m = regression_metrics(two, 0.5)         # estimates 1.5, 1.5 for labels 1, 2... errors 1 and -3 units
    >>> m.mae, m.bias, round(m.rmse ** 2, 6), m.label_mean, m.label_deviation, m.mae_se
    (1.0, -0.5, 1.25, 1.5, 0.5, 0.5)
    """
    n = sums.n
    if n <= 0:
        return Undefined("empty")
    label_spread = n * sums.squared_label - sums.label**2  # n * sum((y - mean)^2), exact
    error_spread = n * sums.squared_error - sums.absolute_error**2  # the same of |e|
    if min(label_spread, error_spread, sums.absolute_error - abs(sums.error)) < 0:
        return Undefined("sums overflowed")
    return RegressionMetrics(
        n=n,
        mae=sums.absolute_error / n * unit,
        rmse=math.sqrt(sums.squared_error / n) * unit,
        bias=sums.error / n * unit,
        r2=1 - n * sums.squared_error / label_spread if label_spread > 0 else Undefined("constant labels"),
        mae_se=math.sqrt(error_spread / (n * n * (n - 1))) * unit if n > 1 else Undefined("too few"),
        label_mean=centre + sums.label / n * unit,
        label_deviation=math.sqrt(label_spread / (n * n)) * unit,
    )
