"""The F law's tail against scipy where scipy has digits, and against a second way where it has none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betaln
from scipy.stats import chi2, f

from detectors.tail_laws import minus_log_f_tail


@given(st.floats(0, 60), st.integers(1, 40), st.integers(4, 2_000))
def test_it_equals_scipys_survival_function(value: float, numerator: int, denominator: int) -> None:
    exact = f.sf(value, numerator, denominator)
    if exact > 1e-280:
        found = minus_log_f_tail(np.array(value), np.array(float(numerator)), np.array(float(denominator)))
        assert float(found) == pytest.approx(-np.log(exact), rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("freedom", [1, 9, 19])
def test_ten_million_degrees_of_freedom_are_the_chi_squared_law(freedom: int) -> None:
    value = chi2.isf(1e-8, freedom)
    found = minus_log_f_tail(np.array(value / freedom), np.array(float(freedom)), np.array(1e7))
    assert float(found) == pytest.approx(-np.log(1e-8), rel=1e-4)


def test_beyond_the_smallest_float_it_still_rises_and_is_right_within_a_thousandth() -> None:
    a, b = 2_000.0, 9.0
    values = np.array([10.0, 50.0, 500.0, 5_000.0])
    found = minus_log_f_tail(values, np.array(b), np.array(a))
    assert (np.diff(found) > 0).all()
    w = a / (a + b * values[-1])
    # I_w(a/2, b/2) with w^(a/2) taken out of the integral: t = w * s.
    rest, _ = quad(lambda s: s ** (a / 2 - 1) * (1 - w * s) ** (b / 2 - 1), 0, 1, limit=500, points=[0.99, 0.999])
    assert found[-1] == pytest.approx(-(a / 2 * np.log(w) + np.log(rest) - betaln(a / 2, b / 2)), rel=0.001)


def test_nothing_moved_is_no_evidence() -> None:
    assert float(minus_log_f_tail(np.array(0.0), np.array(9.0), np.array(100.0))) == 0.0
