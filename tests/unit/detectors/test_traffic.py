"""How few rows a healthy window may have."""

import numpy as np
import pytest
from scipy.stats import nbinom, poisson

from detectors.traffic import few_rows_p_value


@pytest.mark.parametrize(("rows", "mean"), [(0, 2.0), (500, 600.0), (3, 2.5)])
def test_without_overdispersion_it_is_poissons_law(rows: int, mean: float) -> None:
    assert few_rows_p_value(rows, mean) == pytest.approx(poisson.cdf(rows, mean))


@pytest.mark.parametrize(("rows", "mean", "phi"), [(0, 600.0, 0.1), (200, 600.0, 0.1), (40, 50.0, 0.5)])
def test_with_it_it_is_the_negative_binomial(rows: int, mean: float, phi: float) -> None:
    assert few_rows_p_value(rows, mean, phi) == pytest.approx(nbinom.cdf(rows, 1 / phi, 1 / (1 + phi * mean)))


def test_few_windows_leave_the_mean_open() -> None:
    """Windows of gamma-Poisson traffic, judged by a mean and a dispersion learned from 20 others: no more alarms."""
    rng, phi = np.random.default_rng(3), 0.05
    alarms = 0
    for _ in range(4_000):
        rows = rng.poisson(100 * rng.gamma(1 / phi, phi, size=21))
        known = rows[:20]
        mean = float(known.mean())
        learned = max(0.0, (float(known.var(ddof=1)) - mean) / mean**2)
        alarms += few_rows_p_value(int(rows[20]), mean, learned, 20) < 0.01
    assert alarms / 4_000 < 0.02
