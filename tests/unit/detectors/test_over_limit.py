"""The test on the count over a limit: exact, against sums over all outcomes; its level on healthy windows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.over_limit import over_limit_p_value


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.001, 0.5))
def test_it_is_the_sum_over_all_worse_outcomes(counted: tuple[int, int], allowed: float) -> None:
    over, n = counted
    by_hand = sum(math.comb(n, k) * allowed**k * (1 - allowed) ** (n - k) for k in range(over, n + 1))
    assert over_limit_p_value(over, n, allowed) == pytest.approx(by_hand, rel=1e-9)


def test_a_service_exactly_at_its_limit_is_below_the_level_no_more_often_than_the_level_says() -> None:
    rng = np.random.default_rng(11)
    for n in (200, 1_000, 20_000):
        over = rng.binomial(n, 0.01, 20_000)
        p_values = {k: over_limit_p_value(k, n, 0.01) for k in set(over.tolist())}
        rate = np.mean([p_values[k] < 0.001 for k in over.tolist()])
        assert rate <= 0.001 + 3 * math.sqrt(0.001 / 20_000), n


def test_bursts_need_the_overdispersion() -> None:
    """Answers of one window alike (r = 0.005): independent answers would be in breach 40 times too often."""
    rng = np.random.default_rng(12)
    n, r = 1_000, 0.005
    over = rng.binomial(n, rng.beta(0.01 * (1 / r - 1), 0.99 * (1 / r - 1), 20_000)).tolist()
    plain = np.mean([over_limit_p_value(k, n, 0.01) < 0.001 for k in over])
    learned = np.mean([over_limit_p_value(k, n, 0.01, r) < 0.001 for k in over])
    assert plain > 0.04
    assert learned <= 0.001 + 3 * math.sqrt(0.001 / 20_000)


def test_more_over_the_limit_is_less_likely_and_none_is_no_news() -> None:
    p_values = [over_limit_p_value(k, 500, 0.01) for k in range(60)]
    assert p_values[0] == 1.0
    assert p_values == sorted(p_values, reverse=True)
    assert over_limit_p_value(0, 0, 0.01) == 1.0
    assert over_limit_p_value(5, 5, 0.01) == pytest.approx(1e-10)


@pytest.mark.parametrize(
    "wrong", [(-1, 5, 0.1, 0.0), (6, 5, 0.1, 0.0), (1, 5, 0.0, 0.0), (1, 5, 1.0, 0.0), (1, 5, 0.1, 1.0)]
)
def test_arguments_outside_of_their_range_are_refused(wrong: tuple[int, int, float, float]) -> None:
    with pytest.raises(ValueError, match="must be in"):
        over_limit_p_value(*wrong)
