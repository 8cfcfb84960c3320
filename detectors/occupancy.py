"""How many different values a window has: distinct categories, or occupied bins of a number.

Fewer than a healthy window of so many rows: categories have vanished, numbers are rounded, a sensor sticks.

Cost: O(bins) for the expectation, 0.3 ms for 500 series of 100 bins; O(bins^2) for one p-value, 0.2 ms for 100 bins.
Weak: it counts what the baseline has bins for. Categories beyond the kept ones, and those never seen, are one each.
"""

import numpy as np
import numpy.typing as npt

Shares = npt.NDArray[np.float64]


def absent_chance(shares: Shares, rows: npt.ArrayLike, overdispersion: npt.ArrayLike = 0.0) -> Shares:
    """P(a bin of this share has no row in the window); shape as given.

    exp(-share * ln(1 + rows * rho) / rho), the gamma-Poisson law's; rho = 0: exp(-share * rows).

    Args:
        shares: of the baseline, 0..1.
        rows: of the window.
        overdispersion: rho of the bin's share between healthy windows, >= 0.

    Size to expect: 0.0025 for a share of 0.01 and 600 rows; 0.14 if rho is 0.01.

    >>> absent_chance(np.array([0.01, 0.01]), 600, np.array([0.0, 0.01])).round(4).tolist()
    [0.0025, 0.1429]
    """
    chance: Shares = np.exp(-shares * independent_rows(rows, overdispersion))
    return chance


def independent_rows(rows: npt.ArrayLike, overdispersion: npt.ArrayLike) -> Shares:
    """Of a window, as many independent rows as leave a bin empty as often: ln(1 + rows * rho) / rho; rho = 0: rows.

    >>> independent_rows(600, np.array([0.0, 0.01])).round(1).tolist()
    [600.0, 194.6]
    """
    rows, rho = np.asarray(rows, np.float64), np.asarray(overdispersion, np.float64)
    if rho.ndim == 0 and rho == 0:
        return rows
    some = np.where(rho > 0, rho, 1.0)
    return np.where(rho > 0, np.log1p(rows * some) / some, rows)


def few_occupied_p_value(absent: Shares, occupied: int) -> float:
    """P(at most so many bins have a row), the bins taken as independent (Poisson-binomial).

    They are negatively associated, so the true number varies less than that.

    Args:
        absent: of each bin, the chance that it has none; shape (bins,).
        occupied: bins that have one, 0 <= occupied <= bins.

    Size to expect: 0.5 at the expected number; 1e-7 for 80 of 100 bins that are each empty once in 20 windows.

    >>> round(few_occupied_p_value(np.array([0.5, 0.5]), 1), 3)
    0.75
    >>> few_occupied_p_value(np.array([0.1, 0.1, 0.1]), 3)
    1.0
    """
    law = np.zeros(occupied + 1)  # of at most `occupied` bins; more are not needed
    law[0] = 1.0
    for chance in absent.tolist():
        law[1:] = law[1:] * chance + law[:-1] * (1 - chance)
        law[0] *= chance
    return min(1.0, float(law.sum()))
