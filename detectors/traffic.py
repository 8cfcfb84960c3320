"""Whether a window has fewer rows than healthy ones do.

Cost: O(1). Weak: hours of the day are taken as chance; a night is only told from a fault if the baseline had nights.
"""

from typing import Final

from scipy.special import betainc, gammaincc

_POISSON: Final = 1e-9  # below it the gamma of the rate is too narrow to be worked out


def few_rows_p_value(rows: int, mean: float, overdispersion: float = 0.0, windows: int = 0) -> float:
    """P(a healthy window has at most so many rows), by the negative binomial law.

    Variance mean + phi * mean^2, phi = overdispersion + (overdispersion + 1 / mean) / windows: the second part because
    the mean was learned from so many windows. Poisson where phi is 0.

    Args:
        rows: of the window, >= 0.
        mean: of healthy windows, > 0.
        overdispersion: (variance - mean) / mean^2 of healthy windows, >= 0.
        windows: that both were learned from; 0: both are known.

    Size to expect: no row where 600 are usual has p = 1e-261; 1e-4 if the windows differ by a third of their mean,
    200 of them by 0.02.

    >>> round(few_rows_p_value(0, 2.0), 4)      # exp(-2)
    0.1353
    >>> round(few_rows_p_value(0, 2.0, 1.0), 4)      # 1 / (1 + 2)
    0.3333
    """
    phi = overdispersion + ((overdispersion + 1 / mean) / windows if windows else 0.0)
    if phi < _POISSON:
        return float(gammaincc(rows + 1, mean))
    size = 1 / phi
    return float(betainc(size, rows + 1, size / (size + mean)))
