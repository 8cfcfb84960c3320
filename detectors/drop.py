"""Whether performance fell by more than is tolerated, and by more than sampling explains.

An alert needs both: the drop beyond the tolerance, and a p-value below the level. All tests are one-sided;
their null hypothesis is "no worse than the baseline minus `tolerance`". With tolerance 0, as alerts ask, a
healthy model alarms with less than the level as its rate, and one that sits exactly on the limit as often as
its statistic falls beyond it: about half of the time. With the limit's own tolerance it would with the level.

Cost: O(1). Weak: rows are taken as independent. Compare binned with binned, and equally mature labels:
a window whose slow labels are still out is a biased sample of its predictions.
"""

import math
from typing import Final

from scipy.special import expit, ndtr, ndtri

from detectors.auc import Auc

FEWEST_OF_A_CLASS: Final = 30  # rows: below it standard errors of AUC say too little


def auc_drop_p_value(current: Auc, baseline: Auc, tolerance: float = 0.0) -> float:
    """P-value of "the model's AUC is still at least the baseline's minus the tolerance".

    z = (logit(current) - logit(baseline - tolerance)) / sqrt(v_c + v_b), p = Phi(z), with
    v = (se / (a * (1 - a)))^2 (delta method) at a = the current AUC, and at a = baseline - tolerance.
    An AUC of 0 or 1 is moved inside by h = 1 / (2 * (rows of the rarer class + 1)), with se at least h.

    Args:
        current: of a window.
        baseline: cut into the same bins.
        tolerance: how much of the AUC may be lost, >= 0, absolute: 0.05.

    Returns:
        0..1; small = fell. 0.5 where the current AUC is just on the limit.

    Size to expect: nominal within 1.5 times at p = 1e-5 with 100 of each class and within 2.5 times at 30;
    below 30 of EITHER class do not judge. From AUC 0.80 at tolerance 0.05, a fall to 0.70 has p = 0.05 with
    about 140 rows of each class and 0.001 with about 500 (median, normal scores).

    Weak: says nothing of calibration; a window whose mix of easy and hard rows moved falls as well.
    Source: DeLong et al. 1988; Pepe 2003, "The Statistical Evaluation of Medical Tests", section 5.2 (logit).

    >>> healthy = Auc(0.8, 0.8, 0.8, se=0.02, negatives=200, positives=200)
    >>> auc_drop_p_value(Auc(0.75, 0.75, 0.75, 0.022, 200, 200), healthy, 0.05)
    0.5
    >>> round(auc_drop_p_value(Auc(0.6, 0.6, 0.6, 0.028, 200, 200), healthy, 0.05), 6)      # z = -0.693 / 0.158
    6e-06
    """
    if baseline.value <= tolerance:
        return 1.0  # nothing lies below a limit of 0
    current_logit, current_deviation = on_logit(current.value, current.se, current)
    limit_logit, limit_deviation = on_logit(baseline.value - tolerance, baseline.se, baseline)
    return _lower_tail(current_logit - limit_logit, math.hypot(current_deviation, limit_deviation))


def rise_p_value(
    current: float, current_se: float, baseline: float, baseline_se: float, tolerance: float = 0.0
) -> float:
    """P-value of "the model's error is still at most the baseline's plus the tolerance"; for Brier and MAE.

    z = (current - baseline - tolerance) / sqrt(current_se^2 + baseline_se^2), p = 1 - Phi(z).

    Args:
        current: mean error of a window (Brier, MAE); higher is worse.
        current_se: its standard error, >= 0.
        baseline: the same of the baseline.
        baseline_se: its standard error, >= 0.
        tolerance: how much it may rise, >= 0, in the error's own measure.

    Returns:
        0..1; small = rose. Without any standard error it is 0, 0.5 or 1.

    Size to expect: careful where errors have a tail to the right, for a high mean then comes with a high
    standard error: at level 0.001 with 200 rows it alarms 0.4 times as often as the level says for the
    sizes of normal errors, 0.25 times for Brier.
    Weak: so small windows see a rise late; errors of which a few rows decide the mean need thousands.
    Source: Wald test; any textbook.

    >>> round(rise_p_value(0.22, 0.006, 0.18, 0.008, 0.02), 4)       # z = 0.02 / 0.01
    0.0228
    """
    return _lower_tail(baseline + tolerance - current, math.hypot(current_se, baseline_se))


def detectable_auc(current: Auc, baseline: Auc, level: float) -> float:
    """The AUC below which half of the windows with as many labels would have a p-value below the level.

    logit(a) = logit(baseline) + z(level) * sqrt(v_c + v_b), v as in `auc_drop_p_value` without tolerance.

    Args:
        current: of a window: what sampling makes of so many labels.
        baseline: cut into the same bins.
        level: of the test, 0..1.

    Size to expect: 0.80 to 0.73 with 500 labels of each class at level 1e-6.
    Weak: the window's own standard error is taken; at a lower AUC it would be another one.

    >>> healthy = Auc(0.5, 0.5, 0.5, se=0.025, negatives=200, positives=200)          # 0.025 / 0.25 = 0.1
    >>> round(detectable_auc(healthy, healthy, 0.001), 3)                              # z = -3.09, 0.1 * sqrt(2)
    0.392
    """
    _, current_deviation = on_logit(current.value, current.se, current)
    logit, deviation = on_logit(baseline.value, baseline.se, baseline)
    return float(expit(logit + ndtri(level) * math.hypot(current_deviation, deviation)))


def detectable_rise(current_se: float, baseline: float, baseline_se: float, level: float) -> float:
    """The mean error above which half of the windows with as many labels would have a p-value below the level.

    baseline - z(level) * sqrt(current_se^2 + baseline_se^2); arguments as of `rise_p_value`.

    >>> round(detectable_rise(0.006, 0.18, 0.008, 0.001), 4)                          # 0.18 + 3.09 * 0.01
    0.2109
    """
    return float(baseline - ndtri(level) * math.hypot(current_se, baseline_se))


def gap_z(realised: Auc, estimate: float, estimate_se: float = 0.0) -> float:
    """How many standard errors a realised AUC lies above its label-free estimate; below 0: the estimate hoped.

    z = (logit(realised) - logit(estimate)) / sqrt(v_r + v_e), v as in `auc_drop_p_value`; two-sided: judge |z|.

    Args:
        realised: AUC of the labels that came.
        estimate: AUC expected for the same predictions (`estimate_performance`), 0..1.
        estimate_se: of the calibration map behind it; the baseline AUC's own `se` is a fair value.

    Size to expect: |z| below 2 in 95 of 100 windows and below 3.3 in 999 of 1,000 while the estimate holds.
    Weak: as for `auc_drop_p_value`: not below 30 of either class.

    >>> gap_z(Auc(0.5, 0.5, 0.5, 0.025, 200, 200), 0.5)
    0.0
    >>> gap_z(Auc(0.5, 0.5, 0.5, 0.025, 200, 200), 0.7310585786300049)       # logit 1; 0.025 / 0.25 = 0.1
    -10.0
    """
    realised_logit, realised_deviation = on_logit(realised.value, realised.se, realised)
    estimate_logit, estimate_deviation = on_logit(estimate, estimate_se, realised)
    gap = realised_logit - estimate_logit
    deviation = math.hypot(realised_deviation, estimate_deviation)
    if deviation == 0:
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)
    return gap / deviation


def on_logit(value: float, se: float, rows: Auc) -> tuple[float, float]:
    """logit(value) and its standard error (delta method); 0 or 1 is moved inside by what these rows cannot tell.

    Args:
        value: 0..1.
        se: its standard error.
        rows: how many of each class there are: h = 1 / (2 * (rows of the rarer class + 1)) is as far as they tell.
    """
    edge = 1 / (2 * (min(rows.negatives, rows.positives) + 1))
    if not 0 < value < 1:
        value, se = min(max(value, edge), 1 - edge), max(se, edge)
    return math.log(value / (1 - value)), se / (value * (1 - value))


def _lower_tail(difference: float, deviation: float) -> float:
    if deviation == 0:
        return 0.5 if difference == 0 else float(difference > 0)
    return float(ndtr(difference / deviation))
