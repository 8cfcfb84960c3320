"""How many different values a window has, against simulation and enumeration."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.occupancy import absent_chance, few_occupied_p_value


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.data())
def test_the_p_value_is_the_sum_over_all_ways(absent: list[float], data: st.DataObject) -> None:
    seen = data.draw(st.integers(0, len(absent)))
    ways = itertools.product((0, 1), repeat=len(absent))
    exact = sum(
        np.prod([(1 - q) if o else q for o, q in zip(way, absent, strict=True)]) for way in ways if sum(way) <= seen
    )
    assert few_occupied_p_value(np.array(absent), seen) == pytest.approx(float(exact), abs=1e-12)


def test_a_healthy_window_rarely_has_as_few_as_the_p_value_says() -> None:
    """Negative association: the true tail lies below the one of independent bins."""
    rng, shares = np.random.default_rng(5), np.full(40, 1 / 40)
    absent = absent_chance(shares, 100)
    seen = np.array([len(np.unique(rng.integers(0, 40, 100))) for _ in range(5_000)])
    assert seen.mean() == pytest.approx((1 - absent).sum(), abs=0.5)
    for few in (30, 33, 35):
        assert (seen <= few).mean() <= few_occupied_p_value(absent, few) + 0.005


def test_windows_that_wander_leave_more_bins_empty() -> None:
    rng, shares, rho = np.random.default_rng(6), np.full(20, 1 / 20), 0.05
    draws = rng.dirichlet(shares * (1 / rho - 1), size=2_000)
    empty = np.mean([(rng.multinomial(200, p) == 0).mean() for p in draws])
    assert float(absent_chance(np.array([1 / 20]), 200, rho)[0]) == pytest.approx(empty, rel=0.1)
    assert absent_chance(np.array([1 / 20]), 200)[0] < empty / 100
